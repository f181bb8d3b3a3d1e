/** The trend of a diagnosis that was repeated: the mention rate of a brand in each, with its change since the one before. */
'use strict';

const { dateTime } = require('../../presentation/dates');
const { bar, breakTexts, changeLabel, changeText } = require('../../presentation/figures');
const { number, surfaceLabel } = require('../../presentation/format');
const { _ } = require('../../presentation/i18n');

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
