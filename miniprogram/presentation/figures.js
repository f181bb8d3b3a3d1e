/** The report: one sentence, then the figures of each brand, each with how sure they are. */
'use strict';

const { _ } = require('./words');
const { listed, number, percent } = require('./format');

/** @type {(brand: any, platform: string) => any} an empty platform is all of them */
const figuresOf = (brand, platform) => (platform ? brand.by_platform[platform] : brand.figures);

/** @type {(a: any, b: any) => boolean} */
const overlaps = (a, b) => a.mention_rate_low <= b.mention_rate_high && b.mention_rate_low <= a.mention_rate_high;

/** @type {(own: any, rivals: any[]) => string} */
function comparison(own, rivals) {
  const rate = own.figures.mention_rate;
  const best = Math.max(...rivals.map((rival) => rival.figures.mention_rate));
  const leaders = rivals.filter((rival) => rival.figures.mention_rate === best);
  const values = { rivals: listed(leaders.map((rival) => rival.name)), rate: percent(best) };
  if (best === 0 && rate > 0) return _('竞品都没有被提到');
  if (rate === best) return _('与{rivals}持平', values);
  if (leaders.some((rival) => overlaps(own.figures, rival.figures))) {
    return rate > best
      ? _('略高于{rivals}（{rate}），但样本还不足以分出高下', values)
      : _('略低于{rivals}（{rate}），但样本还不足以分出高下', values);
  }
  return rate > best ? _('明显高于{rivals}（{rate}）', values) : _('明显低于{rivals}（{rate}）', values);
}

/** The report in one sentence. @param {any} report */
function headline(report) {
  const own = report.brands.find((/** @type {any} */ brand) => brand.is_own);
  const rivals = report.brands.filter((/** @type {any} */ brand) => !brand.is_own);
  if (!own.figures.valid && report.recognition && report.recognition.planned === report.planned) {
    return _('每个问题都写了品牌名，测不出提及率。');
  }
  if (!own.figures.valid) return _('这一次没有得到可用的回答，还不能下结论。');
  const values = { brand: own.name, rate: percent(own.figures.mention_rate), valid: number(own.figures.valid) };
  if (!own.figures.mentions && !rivals.some((/** @type {any} */ rival) => rival.figures.mentions)) {
    return _('{valid} 条有效回答里，没有一条提到“{brand}”，也没有提到竞品。', values);
  }
  if (!rivals.length) return _('“{brand}”出现在 {rate} 的 AI 回答里。', values);
  return _('“{brand}”出现在 {rate} 的 AI 回答里，{comparison}。', Object.assign({ comparison: comparison(own, rivals) }, values));
}

/** `18 / 20 有效 · 1 条失败 · 1 条被过滤`. @param {any} counts */
function coverage({ valid, planned, failed, filtered }) {
  const parts = [_('{valid} / {planned} 有效', { valid: number(valid), planned: number(planned) })];
  if (failed) parts.push(_('{n} 条失败', { n: number(failed) }));
  if (filtered) parts.push(_('{n} 条被过滤', { n: number(filtered) }));
  return parts.join(' · ');
}

/** @param {number} rate  in hundredths, for a width */
const width = (rate) => Math.round(rate * 10000) / 100;

/** One bar with its whiskers; `rate` alone where nothing was asked. @type {(brand: any, rate: any, low: any, high: any) => any} */
function bar(brand, rate, low, high) {
  const own = { name: brand.name, isOwn: brand.is_own, rate: percent(rate) };
  if (rate === null || rate === undefined) return Object.assign({ isKnown: false }, own);
  const range = _('区间 {low}–{high}', { low: percent(low), high: percent(high) });
  return Object.assign({ isKnown: true, value: width(rate), low: width(low), high: width(high), range }, own);
}

/** What the charts show, for one platform or, with an empty id, for all. @type {(report: any, platform: string) => any} */
function charts(report, platform) {
  const rateOf = (/** @type {any} */ brand) => {
    const { mention_rate: rate } = figuresOf(brand, platform) || {};
    return rate === null || rate === undefined ? -1 : rate;
  };
  const brands = report.brands.slice().sort((/** @type {any} */ a, /** @type {any} */ b) => Number(b.is_own) - Number(a.is_own) || rateOf(b) - rateOf(a));
  const rows = brands.map((/** @type {any} */ brand) => ({ brand, f: figuresOf(brand, platform) || {} }));
  return {
    mention: rows.map(({ brand, f }) => Object.assign(bar(brand, f.mention_rate, f.mention_rate_low, f.mention_rate_high), {
      count: f.valid ? _('{n} / {valid} 条回答', { n: number(f.mentions), valid: number(f.valid) }) : '',
    })),
    first: rows.map(({ brand, f }) => bar(brand, f.first_mention_rate, f.first_mention_rate_low, f.first_mention_rate_high)),
    voice: rows.map(({ brand, f }) => ({ name: brand.name, isOwn: brand.is_own, rate: percent(f.share_of_voice), value: width(f.share_of_voice || 0) })),
  };
}

module.exports = { headline, coverage, charts };
