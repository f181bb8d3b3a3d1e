/** Figures as text and bars: rates with their intervals and the number of answers behind them, and changes of rates. */
'use strict';

const { interval, number, percent, surfaceLabel } = require('./format');
const { _ } = require('./i18n');

/** @type {(value: any) => boolean} */
const isMissing = (value) => value === null || value === undefined;

/** A rate as a width in percent with two decimals. @param {number} rate */
const toWidth = (rate) => Math.round(rate * 10000) / 100;

/** `12 / 20 条回答提到`. @type {(count: number, valid: number) => string} */
const mentionCount = (count, valid) => (valid ? _('{n} / {valid} 条回答提到', { n: number(count), valid: number(valid) }) : '');

/** A bar with its interval, for the template `bar`. `rate` is the name of the rate in `figures`. @type {(figures: any, rate: string, extra: any) => any} */
function bar(figures, rate, extra) {
  const [value, low, high] = [figures[rate], figures[`${rate}_low`], figures[`${rate}_high`]];
  const hasInterval = !isMissing(value) && !isMissing(low) && !isMissing(high);
  const known = hasInterval ? { isKnown: true, value: toWidth(value), low: toWidth(low), span: toWidth(high - low), range: interval(low, high) } : {};
  return Object.assign({ rate: percent(value), isKnown: false }, known, extra);
}

/** @param {number} difference */
function toPoints(difference) {
  const points = Math.round(difference * 100);
  return points > 0 ? `+${points}` : String(points);
}

/** `▲ 上升`: the sign and the label say it, not the colour alone. @param {any} change */
function changeLabel({ changed, counted_differently: isCounted, measured_differently: isMeasured }) {
  if (isMeasured) return _('测法不同');
  if (isCounted) return _('口径不同');
  if (changed === 'up') return `▲ ${_('上升')}`;
  return changed === 'down' ? `▼ ${_('下降')}` : `＝ ${_('无显著变化')}`;
}

/** `+24 个百分点（区间 +8 至 +40）`. @param {any} change */
function changeText({ difference, low, high, counted_differently: isCounted, measured_differently: isMeasured }) {
  if (isMeasured) return _('平台的模型、参数或测量方式变了，不能当作品牌的变化');
  if (isCounted) return _('两次的别名、更正、评估或识别规则不同，不能直接比较');
  if (difference === null) return _('没有共同的有效回答，无法比较');
  return _('{d} 个百分点（区间 {low} 至 {high}）', { d: toPoints(difference), low: toPoints(low), high: toPoints(high) });
}

/** `DeepSeek：请求的模型 a → b`, for each way in which a platform was asked differently. @param {any[]} breaks */
function breakTexts(breaks) {
  /** @type {{[what: string]: string}} */
  const aspects = { surface: _('测量方式'), protocol: _('协议'), requested_model: _('请求的模型'), model: _('平台回复中的模型') };
  return breaks.map(({ name, what, before, after }) => {
    if (what === 'parameters') return _('{platform}：参数变了', { platform: name });
    const show = (/** @type {string[]} */ values) => values.map((value) => (what === 'surface' ? surfaceLabel(value) : value)).join('、');
    return _('{platform}：{what} {before} → {after}', { platform: name, what: aspects[what], before: show(before), after: show(after) });
  });
}

module.exports = { bar, breakTexts, changeLabel, changeText, isMissing, mentionCount };
