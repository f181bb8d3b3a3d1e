/** The actions on a report: retry, corrections, sources, trend, and the pages that share and repeat it. */
'use strict';

const { confirm } = require('../../presentation/confirm');
const { _ } = require('../../presentation/i18n');
const { createAnswers } = require('./answers');
const { buildSourcePages } = require('./evidence');
const { keepInPlace } = require('./place');
const { createReportApi } = require('./reportApi');

const REPORT_POLL_MS = 500;
const MAX_REPORT_POLLS = 120;
const SHOWN_PAGES = 10;

/** @param {number} ms */
const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

module.exports = {
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
    const url = `/pages/index/index?from=${this.id}`;
    wx.navigateTo({ url, fail: () => wx.redirectTo({ url }) }); // WeChat opens at most ten pages on each other
  },

  openSharing() {
    wx.navigateTo({ url: `/pages/report-v2/share/share?id=${this.id}` });
  },

  openSchedules() {
    wx.navigateTo({ url: `/pages/report-v2/schedules/schedules?from=${this.id}` });
  },

  // ---- Corrections

  /** Resolve to the diagnosis once the report includes the latest correction. @type {(polls?: number) => Promise<any>} */
  waitForReport(polls = MAX_REPORT_POLLS) {
    return getApp().api.getDiagnosis(this.id).then((diagnosis) => {
      if (!diagnosis.report_pending || !polls) return diagnosis;
      return pause(REPORT_POLL_MS).then(() => this.waitForReport(polls - 1));
    });
  },

  /** Send a change, then show the new figures, or why it failed. @param {(api: any) => Promise<any>} send */
  change(send) {
    if (this.isChanging) return Promise.resolve();
    this.isChanging = true;
    this.view.update({ isChanging: true });
    const reportApi = createReportApi(getApp().api);
    return send(reportApi).then(() => this.reloadReport()).catch((error) => {
      const { fields } = getApp().errors.present(error);
      const message = Object.keys(fields).map((name) => fields[name]).join(' ');
      this.selectComponent('#errors').show(error, { display: 'toast', prefix: message, actions: { retry: () => this.change(send) } });
    }).then(() => {
      this.isChanging = false;
      this.view.update({ isChanging: false });
    });
  },

  /** Load the report again without moving the answers on the screen. */
  reloadReport() {
    return this.waitForReport().then((diagnosis) => {
      this.diagnosis = diagnosis;
      this.answers = createAnswers(diagnosis);
      return Promise.all([getApp().api.getReport(this.id), this.loadCorrections(), this.reloadAnswers()]);
    }).then(([report, , changes]) => {
      this.trend = null;
      return keepInPlace('#q0', (done) => {
        this.view.update(Object.assign({ brands: this.answers.brandNames }, changes));
        this.drawReport(report, done);
      });
    });
  },

  loadCorrections() {
    const { revision } = this.diagnosis;
    const load = revision ? createReportApi(getApp().api).listCorrections(this.id) : Promise.resolve([]);
    return load.then((corrections) => { this.corrections = corrections; });
  },

  undoCorrection({ currentTarget: { dataset: { id } } }) {
    this.change((api) => api.undoCorrection(this.id, id));
  },

  addAlias({ currentTarget: { dataset: { name } } }) {
    wx.showModal({
      title: _('“{brand}”的另一种写法', { brand: name }),
      editable: true,
      placeholderText: _('英文名、简称'),
      confirmText: _('添加'),
      cancelText: _('不添加'),
      success: ({ confirm: isConfirmed, content }) => {
        const alias = (content || '').trim();
        if (isConfirmed && alias) this.change((api) => api.correct(this.id, { kind: 'alias', brand: name, alias }));
      },
    });
  },

  addCompetitor({ currentTarget: { dataset: { name } } }) {
    this.change((api) => api.addCompetitor(this.id, name));
  },

  removeCompetitor({ currentTarget: { dataset: { name } } }) {
    const question = { title: _('移除竞品“{brand}”', { brand: name }), content: _('它的数字会从这份报告里去掉，回答不变。'), yes: _('是，移除'), no: _('不移除') };
    confirm(question).then((isConfirmed) => isConfirmed && this.change((api) => api.removeCompetitor(this.id, name)));
  },

  // ---- Sources and trend

  /** Open or close the pages of a host. */
  toggleHost({ currentTarget: { dataset: { surface, host } } }) {
    const key = `${surface}/${host}`;
    const isSame = this.data.host.key === key;
    this.view.update({ host: isSame ? { key: '' } : { key, isLoading: true } });
    if (isSame) return;
    createReportApi(getApp().api).listSources(this.id, { surface, host }).then(({ items }) => {
      if (this.data.host.key === key) this.view.update({ host: { key, pages: buildSourcePages(items.slice(0, SHOWN_PAGES), this.report) } });
    }, (error) => {
      const { title, suggestion } = getApp().errors.present(error);
      if (this.data.host.key === key) this.view.update({ host: { key, problem: `${title} ${suggestion}` } });
    });
  },

  /** @param {string} surface  empty: that of the headline */
  loadTrend(surface) {
    return createReportApi(getApp().api).getTrend(this.id, surface).then((trend) => {
      this.trend = trend;
      this.view.update({ trendProblem: '' });
      this.showSection('trend');
    }, (error) => {
      const { title, suggestion } = getApp().errors.present(error);
      this.view.update({ trendProblem: `${title} ${suggestion}` });
    });
  },

  selectTrendSurface({ currentTarget: { dataset: { id } } }) {
    this.loadTrend(id);
  },

  selectTrendBrand({ currentTarget: { dataset: { name } } }) {
    this.trendBrand = name;
    this.showSection('trend');
  },

  openPoint({ currentTarget: { dataset: { id } } }) {
    if (id !== this.id) wx.redirectTo({ url: `/pages/report-v2/report-v2?id=${id}` });
  },
};
