/** The report of a finished diagnosis: its headline and its sections. */
'use strict';

const { coverage, retryExplanation } = require('./stream/diagnosisText');
const { number, surfaceLabel } = require('../../presentation/format');
const { _ } = require('../../presentation/i18n');
const brandFigures = require('./brandFigures');
const evidence = require('./evidence');
const { findOwnBrand, listSections } = require('./figures');
const { keepInPlace } = require('./place');
const { buildTrend } = require('./trend');

// The others open by a tap: a page of more than a thousand nodes is slow.
const OPEN_AT_FIRST = ['surfaces', 'platforms', 'figures', 'heatmap', 'lost-questions', 'failures'];

/** `other-brands` -> `otherBrands`, the name in the data. @param {string} id */
const toKey = (id) => id.replace(/-(\w)/g, (match, letter) => letter.toUpperCase());

/** The data of a section; null when it has nothing to show. @type {{[id: string]: (page: any) => any}} */
const BUILDERS = {
  surfaces: ({ report }) => brandFigures.buildSurfaces(report),
  platforms: ({ report }) => brandFigures.buildPlatforms(report),
  figures: ({ report, data, diagnosis, openBrands }) => brandFigures.buildBrands(report, { platform: data.platform, requested: diagnosis.brands, opened: openBrands }),
  corrections: ({ corrections, answers }) => evidence.listCorrections(corrections, (id) => answers.findById(id).answer),
  'other-brands': ({ report }) => evidence.listOtherBrands(report),
  heatmap: ({ report, heatmapBrand }) => (report.unbranded.valid && findOwnBrand(report) ? brandFigures.buildHeatmap(report, report.cells, heatmapBrand) : null),
  'lost-questions': ({ report }) => brandFigures.listLostQuestions(report),
  recognition: ({ report }) => brandFigures.buildRecognition(report),
  quotes: ({ report, openQuotes }) => evidence.buildQuotes(report, openQuotes),
  sources: ({ report, diagnosis, openSources }) => {
    const own = diagnosis.brands.find((/** @type {any} */ brand) => brand.is_own);
    return evidence.buildSources(report, { hasSite: own.sites.length > 0, opened: openSources });
  },
  domains: ({ report }) => evidence.buildDomains(report),
  failures: ({ report }) => evidence.listFailures(report),
  method: ({ report }) => evidence.buildMethod(report),
  trend: ({ trend, trendBrand, id }) => (trend ? buildTrend(trend, { brand: trendBrand, id }) : {}),
};

/** The lines below the headline. @type {(report: any, diagnosis: any) => any} */
function buildHead(report, diagnosis) {
  const own = findOwnBrand(report);
  const hasFigures = Boolean(own && own.figures.valid);
  const { recognition } = report;
  return {
    headline: report.verdict.text,
    aiLabel: report.ai_label,
    coverage: coverage(report),
    scope: hasFigures ? report.method.scope[own.figures.scope] : '',
    surface: hasFigures ? _('测量的是：{surface}', { surface: surfaceLabel(report.surface) }) : '',
    recognition: recognition
      ? _('其中 {valid} / {planned} 条回答的问题写了品牌名，单独计为“认知”，不在提及率里。', { valid: number(recognition.valid), planned: number(recognition.planned) }) : '',
    uncertainNote: brandFigures.uncertainNote(report),
    canRetry: report.failed > 0 && !diagnosis.retry_blocked,
    retryBlocked: diagnosis.retry_blocked || '',
    retryExplanation: report.failed > 0 ? retryExplanation(report.planned - report.failed, report.failed) : '',
  };
}

module.exports = {
  /** Show a report for the first time, without moving the answer that the user reads. */
  showReport(report) {
    this.openSections = this.openSections || new Set(OPEN_AT_FIRST);
    this.openBrands = this.openBrands || new Set([this.diagnosis.brand]);
    this.openQuotes = this.openQuotes || new Set();
    this.openSources = this.openSources || new Set();
    return keepInPlace('#q0', (done) => this.drawReport(report, done)).then((isMoved) => this.view.update({ isReportAbove: isMoved }));
  },

  /** @type {(report: any, done: () => void) => void} */
  drawReport(report, done) {
    const own = findOwnBrand(report);
    if (!report.brands.some(({ name }) => name === this.heatmapBrand)) this.heatmapBrand = own ? own.name : '';
    this.report = report;
    this.showHead();
    this.view.update({ state: 'ended', connection: '', notices: [], isDemo: report.demo, report: buildHead(report, this.diagnosis) });
    this.showSections();
    this.view.afterUpdate(() => {
      this.showEndProblem(); // its component exists only now
      done();
    });
  },

  /** Explain why the diagnosis ended early. A partial success needs no explanation: its figures say what is missing. */
  showEndProblem() {
    const { status, error } = this.diagnosis;
    if (['completed', 'partial'].includes(status) || !error) return;
    this.selectComponent('#end-problem').show(error, { display: 'inline', actions: { retry: () => this.retry(), open_report: () => this.openReport() } });
  },

  /** Scroll to the answers: the report of this diagnosis is already on the screen. */
  openReport() {
    this.scrollTo('#answers');
  },

  showSections() {
    listSections().forEach(({ id }) => this.showSection(id));
    this.view.update({ heatmapBrand: this.heatmapBrand, heatmapBrands: this.report.brands.length > 1 ? this.report.brands.map(({ name }) => name) : [] });
  },

  /** @param {string} id */
  showSection(id) {
    const { title, hint } = listSections().find((section) => section.id === id);
    const data = BUILDERS[id](this);
    const isOpen = this.openSections.has(id);
    const key = toKey(id);
    this.view.update({ [`sec.${key}`]: { id, title, hint, isShown: data !== null, isOpen } });
    if (isOpen && data !== null) this.view.update({ [`d.${key}`]: data });
  },

  toggleSection({ currentTarget: { dataset: { id } } }) {
    if (!this.openSections.delete(id)) this.openSections.add(id);
    this.showSection(id);
    if (id === 'trend' && this.openSections.has(id) && !this.trend) this.loadTrend('');
  },

  /** Show the figures and the answers of one platform, or with an empty id of all. @param {string} platform */
  showPlatform(platform) {
    this.view.update({ platform });
    this.view.afterUpdate(() => this.showSection('figures'));
  },

  selectPlatform({ currentTarget: { dataset: { id } } }) {
    this.showPlatform(id);
  },

  toggleBrand({ currentTarget: { dataset: { name } } }) {
    if (!this.openBrands.delete(name)) this.openBrands.add(name);
    this.showSection('figures');
  },

  selectHeatmapBrand({ currentTarget: { dataset: { name } } }) {
    this.heatmapBrand = name;
    this.view.update({ heatmapBrand: name });
    this.showSection('heatmap');
  },

  showAllQuotes({ currentTarget: { dataset: { name } } }) {
    this.openQuotes.add(name);
    this.showSection('quotes');
  },

  showAllSources({ currentTarget: { dataset: { surface } } }) {
    this.openSources.add(surface);
    this.showSection('sources');
  },

  toggleMethod() {
    this.view.update({ isMethodOpen: !this.data.isMethodOpen });
  },

  goToTop() {
    this.view.update({ isReportAbove: false });
    wx.pageScrollTo({ scrollTop: 0, duration: 200 });
  },
};
