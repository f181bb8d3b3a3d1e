/** Numbers, durations, lists and intervals as text, for the mini-program and the web page. Not every WeChat has Intl. */
(function (/** @type {any} */ root, /** @type {(i18n: Diag.I18n, labels: any) => Diag.Format} */ factory) {
  if (typeof module === 'object' && module.exports) module.exports = factory(require('./i18n'), require('./labels'));
  else {
    root.diag = root.diag || {};
    root.diag.createFormat = (/** @type {Diag.I18n} */ i18n) => factory(i18n, root.diag.labels);
  }
})(this, function (i18n, labels) {
  'use strict';

  const { _, language } = i18n;

  const HOUR_SECONDS = 3600;
  const DAY_SECONDS = 24 * HOUR_SECONDS;
  const RUNNING = ['queued', 'asking', 'analysing'];
  const isEnglish = () => language() === 'en';

  /** `0.78` -> `78%`; a missing rate is a dash. @param {number | null | undefined} rate */
  const percent = (rate) => (rate === null || rate === undefined ? '–' : `${Math.round(rate * 100)}%`);

  /** @type {(low: number, high: number) => string} */
  const interval = (low, high) => _('区间 {low}–{high}', { low: percent(low), high: percent(high) });

  /** `1234` -> `1,234`. @param {number} value */
  const number = (value) => String(value).replace(/\B(?=(\d{3})+$)/g, ',');

  /** In yuan, with two to four decimals. @param {number} value */
  function money(value) {
    const [whole, decimals] = value.toFixed(4).split('.');
    return `${isEnglish() ? 'CN¥' : '¥'}${number(Number(whole))}.${decimals.replace(/0{1,2}$/, '')}`;
  }

  /** What a diagnosis is expected to cost, and once it has ended also what it did cost; empty if neither is known. @type {Diag.Format['costText']} */
  function costText({ status, demo, estimated_cost: estimated, cost }) {
    if (demo) return '';
    const isKnown = (/** @type {any} */ value) => value !== null && value !== undefined;
    const expected = isKnown(estimated) ? _('约 {price}', { price: money(Number(estimated)) }) : '';
    if (RUNNING.includes(status) || !isKnown(cost)) return expected;
    const actual = _('实际 {price}', { price: money(Number(cost)) });
    return expected ? `${expected} → ${actual}` : actual;
  }

  /** @param {string[]} names */
  function joinNames(names) {
    if (names.length < 2) return names.join('');
    const last = names[names.length - 1];
    const others = names.slice(0, -1);
    if (!isEnglish()) return `${others.join('、')}和${last}`;
    return names.length === 2 ? `${others[0]} and ${last}` : `${others.join(', ')}, and ${last}`;
  }

  /** `95` -> `1 分 35 秒`. @param {number} seconds */
  function duration(seconds) {
    const whole = Math.max(1, Math.round(seconds));
    if (whole < 60) return _('{s} 秒', { s: whole });
    if (whole >= 2 * DAY_SECONDS) return _('{d} 天', { d: Math.ceil(whole / DAY_SECONDS) });
    if (whole >= HOUR_SECONDS) {
      return _('{h} 小时 {m} 分', { h: Math.floor(whole / HOUR_SECONDS), m: Math.floor((whole % HOUR_SECONDS) / 60) });
    }
    const minutes = Math.floor(whole / 60);
    const rest = whole % 60;
    return rest ? _('{m} 分 {s} 秒', { m: minutes, s: rest }) : _('{m} 分钟', { m: minutes });
  }

  /** An estimate: rounded up to 5 s beyond 10 s, to 15 s beyond a minute, to 5 min beyond an hour. @param {number} seconds */
  function roundedDuration(seconds) {
    if (seconds > HOUR_SECONDS) return duration(Math.ceil(seconds / 300) * 300);
    const step = seconds < 60 ? 5 : 15;
    return duration(seconds <= 10 ? Math.ceil(seconds) : Math.ceil(seconds / step) * step);
  }

  /** @type {(table: string) => (value: string) => string} a value without a label is shown as it is */
  const labelFrom = (table) => (value) => labels[language()][table][value] || value;

  return {
    percent,
    interval,
    number,
    money,
    costText,
    joinNames,
    duration,
    roundedDuration,
    isRunning: (status) => RUNNING.includes(status),
    statusLabel: labelFrom('statuses'),
    answerStateLabel: labelFrom('answerStates'),
    skipReasonLabel: labelFrom('skipReasons'),
    surfaceLabel: labelFrom('surfaces'),
  };
});
