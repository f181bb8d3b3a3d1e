/** The data of the sections with figures of brands: the brands, platforms, ways of measuring, the heat map, recognition. */
'use strict';

const { coverage, sentimentLabels } = require('./stream/diagnosisText');
const { bar, isMissing, mentionCount } = require('../../presentation/figures');
const { joinNames, number, surfaceLabel } = require('../../presentation/format');
const { _ } = require('../../presentation/i18n');
const { findOwnBrand, getFigures } = require('./figures');

const HEATMAP_LEVELS = 4;
const MIN_MENTIONS_FOR_MEAN = 5;

/** A note on mentions that are not counted until the user confirms them. @param {any} report */
function uncertainNote(report) {
  const sum = report.brands.reduce((/** @type {number} */ total, /** @type {any} */ brand) => total + brand.figures.uncertain, 0);
  return sum ? _('{n} 处可能是品牌名，也可能是普通词，没有计入。点开回答里的虚线标记可以确认。', { n: number(sum) }) : '';
}

/** `正面 3 · 中性 1`, or that the sentiment was not judged. @param {any} sentiment */
function sentimentText(sentiment) {
  if (!sentiment) return _('未评估');
  const labels = sentimentLabels();
  return Object.keys(labels).filter((kind) => sentiment[kind]).map((kind) => `${labels[kind]} ${number(sentiment[kind])}`).join(' · ') || '–';
}

/** The facts of a brand below its mention rate. @type {(brand: any, figures: any) => any} */
function buildBrandDetail(brand, figures) {
  const { mean_position: mean, mean_reciprocal_rank: rank, judged } = figures;
  const advised = figures.advised_against > 0 ? _('{n} 条劝人不选', { n: number(figures.advised_against) }) : '';
  const recommended = _('{n} / {judged} 条推荐它', { n: number(figures.recommendations), judged: number(judged) });
  const bars = [
    bar(figures, 'first_mention_rate', { name: _('首位提及率') }),
    bar(figures, 'share_of_voice', { name: _('声量份额'), note: isMissing(figures.share_of_voice_low) && !isMissing(figures.share_of_voice) ? _('无法估计区间') : '' }),
  ];
  if (judged) bars.push(bar(figures, 'recommendation_rate', { name: _('推荐率'), count: [recommended, advised].filter(Boolean).join(' · ') }));
  const position = isMissing(mean) ? `– · ${_('提到的不足 {n} 条', { n: MIN_MENTIONS_FOR_MEAN })}` : `${mean.toFixed(1)} · ${_('按 {n} 条回答', { n: number(figures.mentions) })}`;
  return {
    bars,
    facts: [
      { name: _('平均位次'), value: position },
      { name: _('平均倒数排名'), value: isMissing(rank) ? '–' : rank.toFixed(2) },
      judged ? null : { name: _('推荐率'), value: _('未评估') },
      { name: _('情感'), value: sentimentText(brand.sentiment) },
    ].filter(Boolean),
  };
}

/** What the intervals generalise to; it is the same for all brands. @type {(report: any, platform: string) => string} */
function scopeText(report, platform) {
  const figures = report.brands.length ? getFigures(report.brands[0], platform) : {};
  if (!figures.valid) return '';
  const [rates, voices] = [report.method.scope[figures.scope], report.method.scope[figures.voice_scope]];
  return rates === voices ? _('区间{scope}。', { scope: rates }) : _('提及率和首位提及率的区间{rates}，声量份额的区间{voices}。', { rates, voices });
}

/** The buttons for all platforms and for each. @param {any} report */
function listPlatformChoices(report) {
  if (report.platforms.length < 2) return [];
  const count = (/** @type {any} */ { valid, planned }) => `${number(valid)} / ${number(planned)}`;
  const own = findOwnBrand(report);
  const choices = report.platforms.map((/** @type {any} */ platform) => (
    { id: platform.id, name: platform.name, count: count((own && own.by_platform[platform.id]) || platform) }
  ));
  const all = report.surfaces.length > 1 ? _('全部（{surface}）', { surface: surfaceLabel(report.surface) }) : _('全部平台');
  return [{ id: '', name: all, count: count(report.unbranded) }].concat(choices);
}

/** @type {(brand: any, figures: any, context: any) => any} */
function buildBrandRow(brand, figures, { requested, opened }) {
  const known = requested.find((/** @type {any} */ one) => one.name === brand.name) || { aliases: [] };
  const isOpen = opened.has(brand.name);
  const row = bar(figures, 'mention_rate', {
    name: brand.name,
    isOwn: brand.is_own,
    count: mentionCount(figures.mentions, figures.valid),
    uncertain: figures.uncertain > 0 ? _('另有 {n} 条待您确认', { n: number(figures.uncertain) }) : '',
    isOpen,
  });
  if (!isOpen) return row;
  return Object.assign(row, {
    aliases: known.aliases.length ? _('也叫{names}', { names: joinNames(known.aliases) }) : '',
    isRemovable: Boolean(known.is_added),
    detail: figures.planned === undefined ? null : buildBrandDetail(brand, figures),
  });
}

/** The own brand first, then by rate. @type {(report: any, context: {platform: string, requested: any[], opened: Set<string>}) => any} */
function buildBrands(report, context) {
  const own = findOwnBrand(report);
  if (!own || !report.unbranded.valid) return null;
  const { platform } = context;
  const getRate = (/** @type {any} */ brand) => (isMissing(getFigures(brand, platform).mention_rate) ? -1 : getFigures(brand, platform).mention_rate);
  const brands = report.brands.slice()
    .sort((/** @type {any} */ a, /** @type {any} */ b) => Number(b.is_own) - Number(a.is_own) || getRate(b) - getRate(a));
  return {
    choices: listPlatformChoices(report),
    scope: scopeText(report, platform),
    brands: brands.map((/** @type {any} */ brand) => buildBrandRow(brand, getFigures(brand, platform), context)),
  };
}

/** The own brand's mention rate on each platform. @param {any} report */
function buildPlatforms(report) {
  const own = findOwnBrand(report);
  if (!own || !own.figures.valid) return null;
  return report.platforms.map((/** @type {any} */ { id, name, demo }) => {
    const figures = getFigures(own, id);
    const surface = report.surfaces.length > 1 ? surfaceLabel(report.method.surfaces[id]) : '';
    return bar(figures, 'mention_rate', {
      name,
      demo: demo ? _('演示') : '',
      isOwn: true,
      surface,
      count: figures.valid ? mentionCount(figures.mentions, figures.valid) : _('没有有效的回答'),
    });
  });
}

/** Each way of measuring by itself: the figures are never added up. @param {any} report */
function buildSurfaces(report) {
  if (report.surfaces.length < 2) return null;
  return report.surfaces.map((/** @type {any} */ surface) => ({
    id: surface.surface,
    name: surfaceLabel(surface.surface),
    counts: coverage(surface),
    brands: surface.brands.map((/** @type {any} */ { name, is_own: isOwn, figures }) => (
      bar(figures, 'mention_rate', { name, isOwn, count: figures.valid ? mentionCount(figures.mentions, figures.valid) : _('没有有效的回答') })
    )),
  }));
}

/**
 * Question x platform: how many answers mention a brand, with a level from 0 to 4; no level without a valid answer.
 * @type {(report: any, cells: any[], brand: string) => any}
 */
function buildHeatmap(report, cells, brand) {
  /** @type {{[questionAndPlatform: string]: any}} */
  const byPlace = {};
  cells.forEach((cell) => { byPlace[`${cell.question}/${cell.platform}`] = cell; });
  const isAsked = (/** @type {any} */ { id }) => cells.some((cell) => cell.question === id);
  const rows = report.questions.map((/** @type {any} */ question, /** @type {number} */ index) => ({ question, number: index + 1 }));
  return {
    brand,
    platforms: report.platforms.map((/** @type {any} */ { id, name }) => ({ id, name })),
    rows: rows.filter((/** @type {any} */ { question }) => isAsked(question)).map((/** @type {any} */ row) => ({
      key: row.question.id,
      number: row.number,
      cells: report.platforms.map((/** @type {any} */ platform) => {
        const { valid, mentions } = byPlace[`${row.question.id}/${platform.id}`] || { valid: 0 };
        if (!valid) return { id: platform.id, level: '', text: '–' };
        const count = mentions[brand] || 0;
        return { id: platform.id, level: Math.ceil((count / valid) * HEATMAP_LEVELS), text: `${count}/${valid}` };
      }),
    })),
  };
}

/** The answers to questions that name a brand. @param {any} report */
function buildRecognition(report) {
  const { recognition } = report;
  if (!recognition) return null;
  return {
    coverage: coverage(recognition),
    brands: recognition.brands.map((/** @type {any} */ { name, is_own: isOwn, figures, sentiment }) => (
      bar(figures, 'mention_rate', { name, isOwn, count: mentionCount(figures.mentions, figures.valid), sentiment: sentimentText(sentiment) })
    )),
    heatmap: buildHeatmap(report, recognition.cells, recognition.brands.find((/** @type {any} */ brand) => brand.is_own).name),
  };
}

/** Questions at which competitors are mentioned in more answers than the own brand; null without competitors. @param {any} report */
function listLostQuestions(report) {
  const own = findOwnBrand(report);
  if (report.brands.length < 2 || !own || !own.figures.valid) return null;
  return report.lost.map((/** @type {any} */ lost) => {
    const index = report.questions.findIndex((/** @type {any} */ { id }) => id === lost.question);
    return {
      key: lost.question,
      number: index + 1,
      text: report.questions[index].text,
      counts: _('{winners}领先：{theirs}；本品牌：{ours}', {
        winners: joinNames(lost.winners),
        theirs: mentionCount(lost.winners_mentions, lost.valid),
        ours: mentionCount(lost.mentions, lost.valid),
      }),
    };
  });
}

module.exports = { buildBrands, buildHeatmap, buildPlatforms, buildRecognition, buildSurfaces, listLostQuestions, uncertainNote };
