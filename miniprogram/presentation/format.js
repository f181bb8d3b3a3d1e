/** Numbers, times and names as a person writes them. By hand: not every WeChat has Intl. */
'use strict';

const { _, language } = require('./words');

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const isEnglish = () => language() === 'en';

/** `0.78` -> `78%`; nothing to say is a dash. @param {number | null | undefined} rate */
const percent = (rate) => (rate === null || rate === undefined ? '–' : `${Math.round(rate * 100)}%`);

/** @param {number} value */
const number = (value) => String(value).replace(/\B(?=(\d{3})+$)/g, ',');

/** Two decimals at least, four at most. @param {number} value */
function yuan(value) {
  const [whole, cents] = value.toFixed(4).split('.');
  return `${isEnglish() ? 'CN¥' : '¥'}${number(Number(whole))}.${cents.replace(/0{1,2}$/, '')}`;
}

/** @param {string[]} names */
function listed(names) {
  if (names.length < 2) return names.join('');
  const last = names[names.length - 1];
  const others = names.slice(0, -1);
  if (!isEnglish()) return `${others.join('、')}和${last}`;
  return names.length === 2 ? `${others[0]} and ${last}` : `${others.join(', ')}, and ${last}`;
}

/** @param {number} value */
const two = (value) => `0${value}`.slice(-2);

/** @param {string} iso */
function timeOfDay(iso) {
  const when = new Date(iso);
  return `${two(when.getHours())}:${two(when.getMinutes())}`;
}

/** In the reader's own time zone. @param {string} iso */
function moment(iso) {
  const when = new Date(iso);
  const [year, month, day] = [when.getFullYear(), when.getMonth(), when.getDate()];
  const date = isEnglish() ? `${MONTHS[month]} ${day}, ${year},` : `${year}年${month + 1}月${day}日`;
  return `${date} ${timeOfDay(iso)}`;
}

/** `95` -> `1 分 35 秒`. @param {number} seconds */
function duration(seconds) {
  const whole = Math.max(1, Math.round(seconds));
  if (whole < 60) return _('{s} 秒', { s: whole });
  const minutes = Math.floor(whole / 60);
  const rest = whole % 60;
  return rest ? _('{m} 分 {s} 秒', { m: minutes, s: rest }) : _('{m} 分钟', { m: minutes });
}

/** Estimates are not precise to the second: beyond 10 s they go in steps of 5, beyond a minute of 15. @param {number} seconds */
function about(seconds) {
  const step = seconds < 60 ? 5 : 15;
  return duration(seconds <= 10 ? Math.ceil(seconds) : Math.ceil(seconds / step) * step);
}

const RUNNING = ['queued', 'asking', 'analysing'];

/** @param {string} status */
const isRunning = (status) => RUNNING.indexOf(status) >= 0;

/** @param {string} status */
function statusName(status) {
  /** @type {{[status: string]: string}} */
  const names = {
    queued: _('排队中'),
    asking: _('询问中'),
    analysing: _('分析中'),
    completed: _('已完成'),
    partial: _('部分完成'),
    failed: _('未能完成'),
    timed_out: _('已超时'),
    cancelled: _('已取消'),
  };
  return names[status] || status;
}

module.exports = { percent, number, yuan, listed, timeOfDay, moment, duration, about, isRunning, statusName };
