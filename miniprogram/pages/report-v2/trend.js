/** The trend of a diagnosis that was repeated: the mention rate of a brand in each, with its change since the one before. */
'use strict';

const { dateTime } = require('../../presentation/dates');
const { number } = require('../../presentation/format');
const { _ } = require('../../presentation/i18n');
const { bar, surfaceLabel } = require('./figures');

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
  if (isCounted) return _('两次的别名、更正或评估不同，不能直接比较');
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

/** @param {any} trend */
function summary(trend) {
  if (trend.points.length < 2) return _('同样的问题只有这一次诊断。定期重复，就能看出变化。');
  const count = _('同样的问题一共诊断过 {n} 次。', { n: number(trend.points.length) });
  const change = trend.changes[trend.changes.length - 1].brands.find((/** @type {any} */ brand) => brand.is_own);
  return change ? `${count} ${_('最近一次与上一次相比：')}${changeLabel(change)} ${changeText(change)}` : count;
}

/** The steps of one brand, the latest first. @type {(trend: any, name: string, currentId: string) => any[]} */
function listSteps(trend, name, currentId) {
  const find = (/** @type {any[]} */ brands) => brands.find((brand) => brand.name === name);
  const changes = new Map(trend.changes.map((/** @type {any} */ change) => [change.after, change]));
  return trend.points.filter((/** @type {any} */ point) => find(point.brands)).map((/** @type {any} */ point) => {
    const brand = find(point.brands);
    const step = changes.get(point.id);
    const change = step && find(step.brands);
    return {
      id: point.id,
      isCurrent: point.id === currentId,
      bar: bar({ r: brand.rate, r_low: brand.low, r_high: brand.high }, 'r', { name: dateTime(point.created_at), isOwn: brand.is_own, count: _('共 {n} 条有效', { n: number(brand.valid) }) }),
      change: change ? `${changeLabel(change)} ${changeText(change)}` : '',
      breaks: step ? breakTexts(step.breaks) : [],
    };
  }).reverse();
}

/** @type {(trend: any, selected: {brand: string, id: string}) => any} */
function buildTrend(trend, { brand, id }) {
  const brands = trend.points.length ? trend.points[trend.points.length - 1].brands : [];
  const names = brands.slice().sort((/** @type {any} */ a, /** @type {any} */ b) => Number(b.is_own) - Number(a.is_own)).map((/** @type {any} */ one) => one.name);
  const shown = names.includes(brand) ? brand : names[0];
  return {
    summary: summary(trend),
    surface: trend.surface,
    surfaces: trend.surfaces.length > 1 ? trend.surfaces.map((/** @type {string} */ one) => ({ id: one, name: surfaceLabel(one) })) : [],
    brand: shown,
    brands: names.length > 1 && trend.points.length > 1 ? names : [],
    steps: trend.points.length > 1 ? listSteps(trend, shown, id) : [],
  };
}

module.exports = { buildTrend };
