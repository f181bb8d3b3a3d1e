/** Figures as text and bars: rates with their intervals and the number of answers behind them. */
'use strict';

const { interval, number, percent } = require('../../presentation/format');
const { _, language } = require('../../presentation/i18n');
const reportLabels = require('./reportLabels');

/** @type {(brand: any, platform: string) => any} the figures on one platform; an empty platform means all */
const getFigures = (brand, platform) => (platform ? brand.by_platform[platform] : brand.figures) || {};

/** @param {any} report */
const findOwnBrand = (report) => report.brands.find((/** @type {any} */ brand) => brand.is_own);

/** @type {(value: any) => boolean} */
const isMissing = (value) => value === null || value === undefined;

/** A rate as a width in percent with two decimals. @param {number} rate */
const toWidth = (rate) => Math.round(rate * 10000) / 100;

/** `12 / 20 条回答提到`. @type {(count: number, valid: number) => string} */
const mentionCount = (count, valid) => (valid ? _('{n} / {valid} 条回答提到', { n: number(count), valid: number(valid) }) : '');

/** `3 / 20 条回答`. @type {(count: number, valid: number) => string} */
const answerCount = (count, valid) => _('{n} / {valid} 条回答', { n: number(count), valid: number(valid) });

/** A bar with its interval. `rate` is the name of the rate in `figures`. @type {(figures: any, rate: string, extra: any) => any} */
function bar(figures, rate, extra) {
  const [value, low, high] = [figures[rate], figures[`${rate}_low`], figures[`${rate}_high`]];
  const hasInterval = !isMissing(value) && !isMissing(low) && !isMissing(high);
  const known = hasInterval ? { isKnown: true, value: toWidth(value), low: toWidth(low), span: toWidth(high - low), range: interval(low, high) } : {};
  return Object.assign({ rate: percent(value), isKnown: false }, known, extra);
}

/** @param {string} id */
const surfaceLabel = (id) => reportLabels[language()].surfaces[id] || id;
/** @param {string | null} kind */
const siteKindLabel = (kind) => (kind === null ? _('未归类') : reportLabels[language()].siteKinds[kind] || kind);
const listSections = () => reportLabels[language()].sections;

/** Names of platforms and numbers of questions by id. @param {any} report */
function createNames(report) {
  const platforms = new Map(report.platforms.map((/** @type {any} */ { id, name }) => [id, name]));
  const numbers = new Map(report.questions.map((/** @type {any} */ { id }, /** @type {number} */ index) => [id, index + 1]));
  return {
    platform: (/** @type {string} */ id) => platforms.get(id) || id,
    /** `DeepSeek · 问题 3` */
    place: (/** @type {string} */ platform, /** @type {string} */ question) => _('{platform} · 问题 {n}', { platform: platforms.get(platform) || platform, n: numbers.get(question) || '–' }),
  };
}

module.exports = { answerCount, bar, createNames, findOwnBrand, getFigures, isMissing, listSections, mentionCount, siteKindLabel, surfaceLabel };
