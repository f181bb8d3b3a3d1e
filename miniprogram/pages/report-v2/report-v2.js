/** The page of one diagnosis: its progress while it runs, then its report in the same place. */
'use strict';

const { createClient } = require('./stream/webSocketClient');
const { createPresenter } = require('./stream/reportPresenter');
const { dateTime } = require('../../presentation/dates');
const { connectionStatus, timeLeft, updateEnd } = require('./stream/diagnosisText');
const { answerStateLabel, costText, isRunning, number, statusLabel } = require('../../presentation/format');
const { confirm } = require('../../presentation/confirm');
const { _, addTranslations, translateAll } = require('../../presentation/i18n');
const { createViewUpdates } = require('../../presentation/viewUpdates');
const { createAnswers } = require('./answers');
const answerMethods = require('./openAnswers');
const actionMethods = require('./reportActions');
const reportMethods = require('./reportView');
const TEXTS = require('./texts');

addTranslations(require('./english'));

const TICK_MS = 1000;
// More answers are shown by question, opened by a tap.
const MAX_OPEN_ANSWERS = 60;
const ANSWER_STATES = ['pending', 'valid', 'failed', 'filtered'];

/** @type {any} */
const page = {
  data: {
    t: TEXTS,
    state: 'loading',
    id: '',
    brand: '',
    status: '',
    statusLabel: '',
    facts: [],
    carriedOver: '',
    filings: '',
    previous: '',
    isDemo: false,
    connection: '',
    connectionLabel: '',
    percent: 0,
    done: 0,
    planned: 0,
    failed: 0,
    filtered: 0,
    timeLeft: '',
    isCancelling: false,
    notices: [],
    report: null,
    sec: {},
    d: {},
    platform: '',
    heatmapBrand: '',
    heatmapBrands: [],
    host: { key: '' },
    trendProblem: '',
    isMethodOpen: false,
    isEnding: false,
    isReportAbove: false,
    isChanging: false,
    hasGroups: false,
    openGroups: {},
    questions: [],
    slots: [],
    brands: [],
    results: [],
    doneCounts: [],
    details: {},
    isRetrying: false,
  },

  onLoad({ id }) {
    this.view = createViewUpdates(this);
    const texts = translateAll(TEXTS);
    ANSWER_STATES.forEach((state) => { texts[state] = answerStateLabel(state); });
    this.view.update({ t: texts, id });
    this.id = id;
    this.percent = 0;
    this.onNetworkChange = ({ isConnected }) => this.client && this.client.networkChanged(isConnected);
    wx.onNetworkStatusChange(this.onNetworkChange);
    this.open();
  },

  onShow() {
    this.isHidden = false;
    this.view.resume();
    if (this.client) this.client.show();
    this.updateTimeLeft();
    if (this.data.isEnding && !this.hasReport) this.handleEnd();
  },

  onHide() {
    this.isHidden = true;
    if (this.client) this.client.hide();
    this.view.pause();
    clearTimeout(this.timeLeftTimer);
  },

  onShareAppMessage() {
    return { title: this.report ? this.report.verdict.text : _('AI 会推荐您的品牌吗？'), path: '/pages/index/index' };
  },

  onUnload() {
    this.onHide();
    if (this.client) this.client.close();
    if (wx.canIUse('offNetworkStatusChange')) wx.offNetworkStatusChange(this.onNetworkChange);
  },

  open() {
    return getApp().api.getDiagnosis(this.id).then((diagnosis) => {
      this.diagnosis = diagnosis;
      this.answers = createAnswers(diagnosis);
      this.showHead();
      this.showAnswers();
      return isRunning(diagnosis.status) ? this.watch() : this.handleEnd();
    }).catch((error) => this.selectComponent('#errors').show(error, { actions: { retry: () => this.open() } }));
  },

  showHead() {
    const { brand, brands, created_at: createdAt, planned, platforms, status, retry_of: previous, carried_over: carried, demo } = this.diagnosis;
    const filed = platforms.filter((platform) => platform.filing_number);
    const competitors = brands.filter((one) => !one.is_own).length;
    wx.setNavigationBarTitle({ title: brand });
    this.view.update({
      brand,
      status,
      statusLabel: statusLabel(status),
      isDemo: demo,
      facts: [
        dateTime(createdAt),
        _('{n} 次调用', { n: number(planned) }),
        competitors ? _('竞品 {n} 个', { n: competitors }) : '',
        costText(this.diagnosis),
      ].filter(Boolean),
      filings: filed.map((platform) => `${platform.name} ${_('备案号 {number}', { number: platform.filing_number })}`).join('；'),
      previous: previous || '',
      carriedOver: previous ? _('这是一次补问：沿用了 {n} 条已有的回答，只重新询问失败的。', { n: number(carried) }) : '',
    });
  },

  showAnswers() {
    const { questions, repeats } = this.diagnosis;
    const { slots, brandNames } = this.answers;
    this.view.update({
      questions: questions.map(({ text }) => text),
      slots: slots.map(({ platform: { id, name, demo }, repeat }) => (
        { key: `${id}/${repeat}`, id, name, demo, repeat: repeats > 1 ? _('第 {n} 次', { n: repeat }) : '' }
      )),
      brands: brandNames,
      hasGroups: this.answers.total > MAX_OPEN_ANSWERS,
      results: this.answers.listResults(),
      doneCounts: this.answers.listDoneCounts(),
    });
  },

  // ---- While it runs

  watch() {
    const carriedOver = this.diagnosis.carried_over ? this.answers.loadAll() : Promise.resolve({});
    return carriedOver.then((changes) => {
      this.view.update(Object.assign({ state: 'live' }, changes));
      this.subscribe();
    });
  },

  subscribe() {
    const { session, transport } = getApp();
    this.presenter = createPresenter();
    this.showProgress(this.diagnosis);
    this.client = createClient({
      stream: this.diagnosis.stream,
      transport,
      getToken: session.getToken,
      onEvents: (events) => this.handleEvents(events),
      onState: (state) => this.showConnection(state),
      onReset: () => this.reload(),
      onFatal: (failure) => this.handleFatal(failure),
    });
    if (this.isHidden) this.client.hide();
    this.client.start();
  },

  handleEvents(events) {
    const changes = this.presenter.apply(events);
    events.forEach(([, kind, data]) => {
      if (kind === 'result') this.view.update(this.answers.apply(data, data.mentioned || []));
    });
    this.showProgress(this.presenter.view());
    if (changes.notices) this.showNotices(changes.notices);
    if (events.some(([, kind]) => kind === 'complete')) this.handleEnd();
  },

  /** Show a view of the presenter, or a stored diagnosis; the bar never goes back. */
  showProgress(view) {
    const counts = this.answers.countStates();
    const stage = view.stage || this.diagnosis.status;
    this.percent = Math.max(this.percent, Math.floor(view.percent || 0));
    this.view.update({
      status: stage,
      statusLabel: statusLabel(stage),
      percent: this.percent,
      done: counts.valid + counts.failed + counts.filtered,
      planned: this.answers.total,
      failed: counts.failed,
      filtered: counts.filtered,
    });
    const seconds = view.etaSeconds === undefined ? view.eta_s : view.etaSeconds; // of a view, or of a stored diagnosis
    this.endsAt = updateEnd(this.endsAt || null, seconds, Date.now());
    this.updateTimeLeft();
  },

  /** Count the remaining time down between two events. */
  updateTimeLeft() {
    clearTimeout(this.timeLeftTimer);
    if (this.isHidden || this.hasReport) return;
    const seconds = this.endsAt ? (this.endsAt - Date.now()) / 1000 : null;
    this.view.update({ timeLeft: timeLeft(seconds, this.percent) });
    this.timeLeftTimer = setTimeout(() => this.updateTimeLeft(), TICK_MS);
  },

  showConnection(state) {
    this.wasConnected = this.wasConnected || state === 'live' || state === 'polling';
    const { id, label } = connectionStatus(state, this.wasConnected);
    this.view.update({ connection: id, connectionLabel: label });
  },

  showNotices(problems) {
    const { errors } = getApp();
    const getName = (id) => (this.diagnosis.platforms.find((platform) => platform.id === id) || { name: '' }).name;
    this.view.update({
      notices: problems.map((problem) => {
        const platform = getName(problem.platform);
        const { code, title, message, suggestion, severity } = errors.present(problem, { platform });
        return { key: `${code}/${problem.platform}`, platform, title, message, suggestion, severity };
      }),
    });
  },

  /** The log behind the stream was pruned: load the stored state instead. */
  reload() {
    return Promise.all([this.answers.loadAll(), getApp().api.getDiagnosis(this.id)]).then(([changes, diagnosis]) => {
      this.diagnosis = diagnosis;
      this.view.update(changes);
      return isRunning(diagnosis.status) ? this.showProgress(diagnosis) : this.handleEnd();
    }).catch((error) => this.selectComponent('#problem').show(error, { display: 'inline', actions: { retry: () => this.reload() } }));
  },

  /** The stream cannot be read any more. */
  handleFatal({ problem }) {
    this.view.update({ connection: '', connectionLabel: '' });
    const actions = { retry: () => wx.redirectTo({ url: `/pages/report-v2/report-v2?id=${this.id}` }) };
    this.selectComponent('#problem').show(problem || { code: 'UNKNOWN_ERROR' }, { display: 'inline', actions });
  },

  confirmCancel() {
    const question = { title: _('取消这次诊断？'), content: _('已经得到的回答会保留，没有问完的不再询问。'), yes: _('是，取消'), no: _('不取消') };
    confirm(question).then((isConfirmed) => isConfirmed && this.cancel());
  },

  cancel() {
    this.view.update({ isCancelling: true });
    return getApp().api.cancelDiagnosis(this.id)
      .then(() => this.reload(), (error) => this.selectComponent('#errors').show(error, { actions: { retry: () => this.cancel() } }))
      .then(() => this.view.update({ isCancelling: false }));
  },

  /** The diagnosis has ended: replace what was streamed by what is stored, in place. */
  handleEnd() {
    if (this.hasReport) return undefined;
    this.hasReport = true;
    clearTimeout(this.timeLeftTimer);
    if (this.client) this.client.close();
    this.view.update({ isEnding: true, connection: '', timeLeft: '' });
    return this.waitForReport().then((diagnosis) => {
      this.diagnosis = diagnosis;
      return Promise.all([getApp().api.getReport(this.id), this.answers.loadAll(), this.loadCorrections()]);
    }).then(([report, changes]) => {
      this.selectComponent('#problem').hide();
      this.view.update(changes);
      return this.showReport(report);
    }).catch((error) => {
      this.hasReport = false;
      this.selectComponent('#problem').show(error, { display: 'inline', actions: { retry: () => this.handleEnd() } });
    });
  },
};

Page(Object.assign(page, reportMethods, actionMethods, answerMethods));
