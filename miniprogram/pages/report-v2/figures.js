/** What the report needs to find and name figures, platforms and sections. */
'use strict';

const { number } = require('../../presentation/format');
const { _, language } = require('../../presentation/i18n');
const reportLabels = require('./reportLabels');

/** @type {(brand: any, platform: string) => any} the figures on one platform; an empty platform means all */
const getFigures = (brand, platform) => (platform ? brand.by_platform[platform] : brand.figures) || {};

/** @param {any} report */
const findOwnBrand = (report) => report.brands.find((/** @type {any} */ brand) => brand.is_own);

/** `3 / 20 条回答`. @type {(count: number, valid: number) => string} */
const answerCount = (count, valid) => _('{n} / {valid} 条回答', { n: number(count), valid: number(valid) });

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

module.exports = { answerCount, createNames, findOwnBrand, getFigures, listSections, siteKindLabel };
