/** The report of a finished diagnosis: what is shown, and the actions on it. */
'use strict';

const { coverage, retryExplanation } = require('../../presentation/diagnosisText');
const { number } = require('../../presentation/format');
const { _ } = require('../../presentation/i18n');
const { buildCharts, buildHeatmap, buildSentiment, listLostQuestions, ownRateByPlatform, toCounts, uncertainNote } = require('./charts');

/** @param {any} report */
function listPlatformChoices(report) {
  if (report.platforms.length < 2) return [];
  const count = ({ valid, planned }) => `${number(valid)} / ${number(planned)}`;
  const choices = report.platforms.map((platform) => ({ id: platform.id, name: platform.name, count: count(platform) }));
  return [{ id: '', name: _('全部平台'), count: count(report) }].concat(choices);
}

/** @param {any} report */
function listFailures(report) {
  const getName = (id) => (report.platforms.find((platform) => platform.id === id) || { name: id }).name;
  return report.failures.map(({ platform, code, title, suggestion, count }) => (
    { key: `${platform}/${code}`, platform: getName(platform), title, suggestion, count: _('{n} 条', { n: number(count) }) }
  ));
}

module.exports = {
  showReport(report) {
    this.report = report;
    this.showHead();
    this.view.update({
      state: 'ended',
      connection: '',
      notices: [],
      isDemo: report.demo,
      report: {
        headline: report.verdict.text,
        aiLabel: report.ai_label,
        hasFigures: report.valid > 0,
        uncertainNote: uncertainNote(report),
        platforms: listPlatformChoices(report),
        platformNames: report.platforms.map(({ name }) => name),
        ownByPlatform: ownRateByPlatform(report),
        heatmap: buildHeatmap(report),
        lostQuestions: listLostQuestions(report),
        otherBrands: toCounts(report.others),
        sentiment: buildSentiment(report),
        failures: listFailures(report),
        canRetry: report.failed > 0 && !this.diagnosis.retry_blocked,
        retryBlocked: this.diagnosis.retry_blocked || '',
        retryExplanation: retryExplanation(report.valid + report.filtered, report.failed),
        method: _('来源：各平台的 API；每个问题问 {n} 次；模型：{models}', { n: report.method.repeats, models: report.method.models.join('、') || '–' }),
      },
    }, () => this.showEndProblem()); // its component exists only after this update
    this.showPlatform(this.data.platform);
  },

  /** Explain why the diagnosis ended early. A partial success needs no explanation: its figures say what is missing. */
  showEndProblem() {
    const { status, error } = this.diagnosis;
    if (['completed', 'partial'].includes(status) || !error) return;
    const openReport = () => wx.pageScrollTo({ selector: '#answers', duration: 200 });
    this.selectComponent('#end-problem').show(error, { display: 'inline', actions: { retry: () => this.retry(), open_report: openReport } });
  },

  /** Show the figures of one platform, or with an empty id of all. @param {string} platform */
  showPlatform(platform) {
    const counts = platform ? this.report.platforms.find(({ id }) => id === platform) : this.report;
    this.view.update({ platform, charts: buildCharts(this.report, platform), coverage: coverage(counts) });
  },

  selectPlatform({ currentTarget: { dataset: { id } } }) {
    this.showPlatform(id);
  },

  toggleMethod() {
    this.view.update({ isMethodOpen: !this.data.isMethodOpen });
  },

  /** Ask the failed questions again, as a new diagnosis. */
  retry() {
    const { api } = getApp();
    this.retryKey = this.retryKey || api.createKey();
    this.view.update({ isRetrying: true });
    return api.retryDiagnosis(this.id, this.retryKey).then(
      ({ id }) => wx.redirectTo({ url: `/pages/report-v2/report-v2?id=${id}` }),
      (error) => {
        this.view.update({ isRetrying: false });
        this.selectComponent('#errors').show(error, { actions: { retry: () => this.retry() } });
      },
    );
  },

  openPrevious() {
    wx.redirectTo({ url: `/pages/report-v2/report-v2?id=${this.data.previous}` });
  },

  /** Open the form with a copy of this diagnosis. */
  copyToForm() {
    getApp().formRequest = { from: this.id };
    wx.switchTab({ url: '/pages/index/index' });
  },

  /** Open the form with a copy of this diagnosis and one more competitor. */
  addCompetitor({ currentTarget: { dataset: { name } } }) {
    getApp().formRequest = { from: this.id, competitor: name };
    wx.switchTab({ url: '/pages/index/index' });
  },
};
