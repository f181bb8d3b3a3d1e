/** The data of the report's charts and lists: bars with their intervals, the heat map, competitors and quotes. */
'use strict';

const { sentimentLabels } = require('../../presentation/diagnosisText');
const { interval, joinNames, number, percent } = require('../../presentation/format');
const { _ } = require('../../presentation/i18n');

const HEATMAP_LEVELS = 4;
const MAX_QUOTES = 5;

/** @type {(brand: any, platform: string) => any} the figures on one platform; an empty platform means all */
const getFigures = (brand, platform) => (platform ? brand.by_platform[platform] : brand.figures) || {};

/** @param {any} report */
const findOwnBrand = (report) => report.brands.find((/** @type {any} */ brand) => brand.is_own);

/** @type {(value: any) => boolean} */
const isMissing = (value) => value === null || value === undefined;

/** A note on mentions that are not counted until the user confirms them. @param {any} report */
function uncertainNote(report) {
  const sum = report.brands.reduce((/** @type {number} */ total, /** @type {any} */ brand) => total + brand.figures.uncertain, 0);
  return sum ? _('{n} 处可能是品牌名，也可能是普通词，没有计入。点开回答里的虚线标记可以确认。', { n: number(sum) }) : '';
}

/** A rate as a width in percent with two decimals. @param {number} rate */
const toWidth = (rate) => Math.round(rate * 10000) / 100;

/** @type {(low: any, high: any) => string} */
const optionalInterval = (low, high) => (isMissing(low) ? '' : interval(low, high));

/** @param {any} figures */
const mentionCount = ({ mentions, valid }) => (valid ? _('{n} / {valid} 条回答', { n: number(mentions), valid: number(valid) }) : '');

/** A bar with its interval. `rate` is the name of the rate in `figures`. @type {(figures: any, rate: string, extra: any) => any} */
function bar(figures, rate, extra) {
  const [value, low, high] = [figures[rate], figures[`${rate}_low`], figures[`${rate}_high`]];
  const known = isMissing(value) ? {} : { isKnown: true, value: toWidth(value), low: toWidth(low), span: toWidth(high - low), range: interval(low, high) };
  return Object.assign({ rate: percent(value), isKnown: false }, known, extra);
}

/** `1.8（12 条）`: the mean position and the number of answers behind it. @param {any} figures */
function meanPosition({ mean_position: mean, mentions }) {
  return isMissing(mean) ? '–' : _('{position}（{n} 条）', { position: mean.toFixed(1), n: number(mentions) });
}

/** @type {(list: any[] | null | undefined) => any[]} */
const toCounts = (list) => (list || []).map((item) => ({
  name: item.name || item.domain, label: item.is_guess ? _('{name}（推测）', { name: item.name }) : item.name || item.domain, count: number(item.answers),
}));

/** The charts of one platform, or with an empty id of all. @type {(report: any, platform: string) => any} */
function buildCharts(report, platform) {
  const getRate = (/** @type {any} */ brand) => (isMissing(getFigures(brand, platform).mention_rate) ? -1 : getFigures(brand, platform).mention_rate);
  const rows = report.brands.slice()
    .sort((/** @type {any} */ a, /** @type {any} */ b) => Number(b.is_own) - Number(a.is_own) || getRate(b) - getRate(a))
    .map((/** @type {any} */ brand) => ({ figures: getFigures(brand, platform), brand: { name: brand.name, isOwn: brand.is_own } }));
  const { scope, voice_scope: voiceScope } = rows[0].figures;
  const scopes = report.method.scope;
  return {
    mention: rows.map(({ figures, brand }) => bar(figures, 'mention_rate', Object.assign({ count: mentionCount(figures) }, brand))),
    first: rows.map(({ figures, brand }) => bar(figures, 'first_mention_rate', brand)),
    recommended: rows.filter(({ figures }) => figures.judged).map(({ figures, brand }) => (
      bar(figures, 'recommendation_rate', Object.assign({ count: _('{n} / {judged} 条推荐它', { n: number(figures.recommendations), judged: number(figures.judged) }) }, brand))
    )),
    voice: rows.map(({ figures, brand }) => Object.assign({
      rate: percent(figures.share_of_voice),
      value: toWidth(figures.share_of_voice || 0),
      range: optionalInterval(figures.share_of_voice_low, figures.share_of_voice_high),
      position: meanPosition(figures),
    }, brand)),
    scope: scopes[scope] || '',
    voiceScope: scopes[voiceScope] || '',
    domains: toCounts(platform ? report.domains_by_platform[platform] : report.domains),
  };
}

/** The own brand's mention rate on each platform; nothing to compare with a single platform. @param {any} report */
function ownRateByPlatform(report) {
  if (report.platforms.length < 2) return [];
  return report.platforms.map((/** @type {any} */ { id, name }) => {
    const figures = getFigures(findOwnBrand(report), id);
    return bar(figures, 'mention_rate', { name, isOwn: true, count: mentionCount(figures) });
  });
}

/**
 * Question x platform: how many answers mention the own brand, with a level from 0 to 4; no level without a valid answer.
 * @param {any} report
 */
function buildHeatmap(report) {
  const own = findOwnBrand(report).name;
  /** @type {{[questionAndPlatform: string]: any}} */
  const cells = {};
  report.cells.forEach((/** @type {any} */ cell) => { cells[`${cell.question}/${cell.platform}`] = cell; });
  return report.questions.map((/** @type {any} */ question) => ({
    key: question.id,
    cells: report.platforms.map((/** @type {any} */ platform) => {
      const { valid, mentions } = cells[`${question.id}/${platform.id}`] || { valid: 0 };
      if (!valid) return { id: platform.id, level: '', text: '–' };
      return { id: platform.id, level: Math.ceil((mentions[own] / valid) * HEATMAP_LEVELS), text: `${mentions[own]}/${valid}` };
    }),
  }));
}

/** Questions at which competitors are mentioned in more answers than the own brand. @param {any} report */
function listLostQuestions(report) {
  const own = findOwnBrand(report).name;
  return report.lost.map((/** @type {any} */ lost) => {
    const index = report.questions.findIndex((/** @type {any} */ { id }) => id === lost.question);
    const count = (/** @type {string} */ name, /** @type {number} */ n) => `${name} ${n} / ${lost.valid}`;
    return {
      key: lost.question,
      number: index + 1,
      text: report.questions[index].text,
      own: count(own, lost.mentions),
      winners: count(joinNames(lost.winners), lost.winners_mentions),
    };
  });
}

/** The sentiment of the answers by brand, and quotes about the own brand; no brands when nothing was judged. @param {any} report */
function buildSentiment(report) {
  const labels = sentimentLabels();
  const getPlatformName = (/** @type {string} */ id) => report.platforms.find((/** @type {any} */ platform) => platform.id === id).name;
  const own = findOwnBrand(report).sentiment;
  return {
    brands: !report.judged ? [] : report.brands.map((/** @type {any} */ { name, sentiment }) => ({
      name, text: sentiment ? Object.keys(labels).map((kind) => `${labels[kind]} ${number(sentiment[kind])}`).join(' · ') : _('未评估'),
    })),
    quotes: (own ? own.quotes : []).slice(0, MAX_QUOTES).map((/** @type {any} */ { answer, question, platform, sentiment, text }) => (
      { key: `${answer}/${text}`, answer, question, platform, text, source: `${labels[sentiment]} · ${getPlatformName(platform)}` }
    )),
  };
}

module.exports = { uncertainNote, buildCharts, ownRateByPlatform, buildHeatmap, listLostQuestions, buildSentiment, toCounts };
