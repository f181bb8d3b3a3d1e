/** One diagnosis: followed while it runs, then its report in the same place. */
'use strict';

const { createClient } = require('../../services/webSocketClient');
const { createPresenter } = require('../../services/reportPresenter');
const { about, duration, isRunning, moment, number, statusName } = require('../../presentation/format');
const { createPainter } = require('../../presentation/painter');
const { _, learn, translated } = require('../../presentation/words');
const { createAnswers } = require('./answers');
const { byPlatform, charts, counted, coverage, doubts, feelings, headline, heat, lost } = require('./figures');
const { markedPieces } = require('./marks');
const TEXTS = require('./texts');

learn(require('./english'));

const NEARLY_DONE = 90;
const TICK_MS = 1000;

const CONNECTIONS = () => ({
  connecting: _('连接中'),
  live: _('实时'),
  polling: _('轮询'),
  suspended: _('已暂停'),
  offline: _('离线'),
  reconnecting: _('重连中'),
});

Page({
  data: {
    t: TEXTS,
    state: 'loading',
    id: '',
    brand: '',
    status: '',
    statusName: '',
    facts: [],
    carriedOver: '',
    previous: '',
    isDemo: false,
    connection: '',
    connectionName: '',
    stageName: '',
    percent: 0,
    done: 0,
    planned: 0,
    failed: 0,
    filtered: 0,
    timeLeft: '',
    isCancelling: false,
    notices: [],
    report: null,
    charts: null,
    platform: '',
    coverage: '',
    isMethodOpen: false,
    questions: [],
    slots: [],
    brands: [],
    results: [],
    doneOf: [],
    details: {},
    isRetrying: false,
  },

  onLoad({ id }) {
    this.painter = createPainter(this);
    this.painter.paint({ t: translated(TEXTS), id });
    this.id = id;
    this.percent = 0;
    this.network = ({ isConnected }) => this.client && this.client.networkChanged(isConnected);
    wx.onNetworkStatusChange(this.network);
    this.open();
  },

  onShow() {
    this.isHidden = false;
    this.painter.show();
    if (this.client) this.client.show();
    this.tick();
  },

  onHide() {
    this.isHidden = true;
    if (this.client) this.client.hide();
    this.painter.hide();
    clearTimeout(this.ticking);
  },

  onUnload() {
    this.onHide();
    if (this.client) this.client.close();
    if (wx.canIUse('offNetworkStatusChange')) wx.offNetworkStatusChange(this.network);
  },

  problemAt(selector) {
    return this.selectComponent(selector);
  },

  // ---- Opening

  open() {
    return getApp().api.getDiagnosis(this.id).then((diagnosis) => {
      this.diagnosis = diagnosis;
      this.answers = createAnswers(diagnosis);
      this.showHead();
      this.showPlaces();
      return isRunning(diagnosis.status) ? this.watch() : this.ended();
    }).catch((error) => this.problemAt('#errors').show(error, { actions: { retry: () => this.open() } }));
  },

  showHead() {
    const { brand, brands, created_at: createdAt, planned, status, retry_of: previous, carried_over: carried, demo } = this.diagnosis;
    const rivals = brands.filter((one) => !one.is_own).length;
    wx.setNavigationBarTitle({ title: brand });
    this.painter.paint({
      brand,
      status,
      statusName: statusName(status),
      isDemo: demo,
      facts: [moment(createdAt), _('{n} 次调用', { n: number(planned) })].concat(rivals ? _('竞品 {n} 个', { n: rivals }) : []),
      previous: previous || '',
      carriedOver: previous ? _('这是一次补问：沿用了 {n} 条已有的回答，只重新询问失败的。', { n: number(carried) }) : '',
    });
  },

  showPlaces() {
    const { questions, repeats } = this.diagnosis;
    const { slots, names } = this.answers;
    this.painter.paint({
      questions: questions.map(({ text }) => text),
      slots: slots.map(({ platform, repeat }) => ({
        key: `${platform.id}/${repeat}`, id: platform.id, name: platform.name, demo: platform.demo, again: repeats > 1 ? _('第 {n} 次', { n: repeat }) : '',
      })),
      brands: names,
      results: this.answers.results(),
      doneOf: this.answers.doneOfAll(),
    });
  },

  // ---- While it runs

  watch() {
    const carried = this.diagnosis.carried_over ? this.answers.readAll() : Promise.resolve({});
    return carried.then((changes) => {
      this.painter.paint(Object.assign({ state: 'live' }, changes));
      this.follow();
    });
  },

  follow() {
    const { session, transport } = getApp();
    this.presenter = createPresenter();
    this.showProgress(this.diagnosis);
    this.client = createClient({
      stream: this.diagnosis.stream,
      transport,
      getToken: session.getToken,
      onEvents: (events) => this.take(events),
      onState: (state) => this.showConnection(state),
      onReset: () => this.readAgain(),
      onFatal: (failure) => this.lose(failure),
    });
    if (this.isHidden) this.client.hide();
    this.client.start();
  },

  take(events) {
    const changes = this.presenter.apply(events);
    events.forEach(([, kind, data]) => {
      if (kind === 'result') this.painter.paint(this.answers.take(data, data.mentioned || []));
    });
    this.showProgress(this.presenter.view());
    if (changes.notices) this.showNotices(changes.notices);
    if (events.some(([, kind]) => kind === 'complete')) this.ended();
  },

  /** A view of the presenter, or a diagnosis as it is stored; the bar never goes back. */
  showProgress(view) {
    const counts = this.answers.counts();
    const stage = view.stage || this.diagnosis.status;
    this.percent = Math.max(this.percent, Math.floor(view.percent || 0));
    this.painter.paint({
      status: stage,
      statusName: statusName(stage),
      percent: this.percent,
      done: counts.valid + counts.failed + counts.filtered,
      planned: this.answers.total,
      failed: counts.failed,
      filtered: counts.filtered,
    });
    if (Number.isFinite(view.etaSeconds)) this.endsAt = Date.now() + view.etaSeconds * 1000;
    this.tick();
  },

  /** Between two events the time left runs down by itself. */
  tick() {
    clearTimeout(this.ticking);
    if (this.isHidden || !this.endsAt || this.hasReport) return;
    const seconds = (this.endsAt - Date.now()) / 1000;
    const soon = this.percent >= NEARLY_DONE ? _('即将完成') : _('还需要一会儿');
    this.painter.paint({ timeLeft: seconds > 1 ? _('还需约 {time}', { time: about(seconds) }) : soon });
    this.ticking = setTimeout(() => this.tick(), TICK_MS);
  },

  showConnection(state) {
    this.hasBeenLive = this.hasBeenLive || state === 'live' || state === 'polling';
    const shown = state === 'connecting' && this.hasBeenLive ? 'reconnecting' : state;
    const name = CONNECTIONS()[shown] || '';
    this.painter.paint({ connection: name ? shown : '', connectionName: name });
  },

  showNotices(problems) {
    const { errors } = getApp();
    const nameOf = (id) => (this.diagnosis.platforms.find((platform) => platform.id === id) || { name: '' }).name;
    this.painter.paint({
      notices: problems.map((problem) => {
        const { code, title, message, suggestion, severity } = errors.present(problem, { platform: nameOf(problem.platform) });
        return { key: `${code}/${problem.platform}`, platform: nameOf(problem.platform), title, message, suggestion, severity };
      }),
    });
  },

  /** The log behind the stream has been pruned: what is stored is the whole truth. */
  readAgain() {
    return Promise.all([this.answers.readAll(), getApp().api.getDiagnosis(this.id)]).then(([changes, diagnosis]) => {
      this.diagnosis = diagnosis;
      this.painter.paint(changes);
      return isRunning(diagnosis.status) ? this.showProgress(diagnosis) : this.ended();
    }).catch((error) => this.problemAt('#problem').show(error, { display: 'inline', actions: { retry: () => this.readAgain() } }));
  },

  lose({ problem }) {
    this.painter.paint({ connection: '', connectionName: '' });
    const actions = { retry: () => wx.redirectTo({ url: `/pages/report-v2/report-v2?id=${this.id}` }) };
    this.problemAt('#problem').show(problem || { code: 'UNKNOWN_ERROR' }, { display: 'inline', actions });
  },

  cancel() {
    wx.showModal({
      title: _('取消这次诊断？'),
      content: _('已经得到的回答会保留，没有问完的不再询问。'),
      confirmText: _('取消诊断'),
      cancelText: _('继续诊断'),
      success: ({ confirm }) => confirm && this.cancelNow(),
    });
  },

  cancelNow() {
    this.painter.paint({ isCancelling: true });
    return getApp().api.cancelDiagnosis(this.id)
      .then(() => this.readAgain(), (error) => this.problemAt('#errors').show(error, { actions: { retry: () => this.cancelNow() } }))
      .then(() => this.painter.paint({ isCancelling: false }));
  },

  // ---- When it has ended

  /** What is stored replaces what was streamed, in place. */
  ended() {
    if (this.hasReport) return undefined;
    this.hasReport = true;
    clearTimeout(this.ticking);
    if (this.client) this.client.close();
    const { api } = getApp();
    const states = this.answers.isWhole() ? Promise.resolve({}) : this.answers.readAll();
    return Promise.all([api.getDiagnosis(this.id), api.getReport(this.id), states]).then(([diagnosis, report, changes]) => {
      this.diagnosis = diagnosis;
      this.problemAt('#problem').hide();
      this.painter.paint(changes);
      this.showReport(report);
    }).catch((error) => {
      this.hasReport = false;
      this.problemAt('#problem').show(error, { display: 'inline', actions: { retry: () => this.ended() } });
    });
  },

  showReport(report) {
    this.report = report;
    this.showHead();
    this.painter.paint({
      state: 'ended',
      connection: '',
      notices: [],
      isDemo: report.demo,
      report: {
        headline: headline(report),
        aiLabel: report.ai_label,
        hasFigures: report.valid > 0,
        doubts: doubts(report),
        platforms: this.choices(report),
        byPlatform: byPlatform(report),
        names: report.platforms.map(({ name }) => name),
        heat: heat(report),
        lost: lost(report),
        others: counted(report.others),
        feelings: feelings(report),
        failures: this.failures(report),
        canRetry: report.failed > 0,
        retryWhy: this.whatRetryDoes(report.valid + report.filtered, report.failed),
        method: _('来源：各平台的 API；每个问题问 {n} 次；模型：{models}', { n: report.method.repeats, models: report.method.models.join('、') || '–' }),
      },
    }, () => this.showEnd()); // its place is there only then
    this.choose(this.data.platform);
  },

  /** A partial success is a success: its figures say what is missing. */
  showEnd() {
    const { status, error } = this.diagnosis;
    if (['completed', 'partial'].includes(status) || !error) return;
    const openReport = () => wx.pageScrollTo({ selector: '#answers', duration: 200 });
    this.problemAt('#end-problem').show(error, { display: 'inline', actions: { retry: () => this.retry(), open_report: openReport } });
  },

  choices(report) {
    if (report.platforms.length < 2) return [];
    const of = ({ valid, planned }) => `${number(valid)} / ${number(planned)}`;
    const each = report.platforms.map((platform) => ({ id: platform.id, name: platform.name, count: of(platform) }));
    return [{ id: '', name: _('全部平台'), count: of(report) }].concat(each);
  },

  failures(report) {
    const nameOf = (id) => (report.platforms.find((platform) => platform.id === id) || { name: id }).name;
    return report.failures.map(({ platform, code, title, suggestion, count }) => (
      { key: `${platform}/${code}`, platform: nameOf(platform), title, suggestion, count: _('{n} 条', { n: number(count) }) }
    ));
  },

  whatRetryDoes(kept, failed) {
    if (!kept) return _('会重新询问全部 {failed} 条。', { failed: number(failed) });
    return _('已有的 {kept} 条回答会原样沿用，只重新询问失败的 {failed} 条。', { kept: number(kept), failed: number(failed) });
  },

  /** Looks at one platform, or with an empty id at all. @param {string} platform */
  choose(platform) {
    const part = platform ? this.report.platforms.find(({ id }) => id === platform) : this.report;
    this.painter.paint({ platform, charts: charts(this.report, platform), coverage: coverage(part) });
  },

  choosePlatform({ currentTarget: { dataset: { id } } }) {
    this.choose(id);
  },

  toggleMethod() {
    this.painter.paint({ isMethodOpen: !this.data.isMethodOpen });
  },

  retry() {
    const { api } = getApp();
    this.retryKey = this.retryKey || api.newKey();
    this.painter.paint({ isRetrying: true });
    return api.retryDiagnosis(this.id, this.retryKey).then(
      ({ id }) => wx.redirectTo({ url: `/pages/report-v2/report-v2?id=${id}` }),
      (error) => {
        this.painter.paint({ isRetrying: false });
        this.problemAt('#errors').show(error, { actions: { retry: () => this.retry() } });
      },
    );
  },

  startAgain() {
    getApp().wishes = { from: this.id };
    wx.switchTab({ url: '/pages/index/index' });
  },

  openPrevious() {
    wx.redirectTo({ url: `/pages/report-v2/report-v2?id=${this.data.previous}` });
  },

  /** The form as it was, with another brand to compare with. */
  compare({ currentTarget: { dataset: { name } } }) {
    getApp().wishes = { from: this.id, rival: name };
    wx.switchTab({ url: '/pages/index/index' });
  },

  // ---- One answer

  toggleAnswer({ currentTarget: { dataset: { place } } }) {
    if (!this.data.results[place]) return;
    const known = this.data.details[`a${place}`];
    if (known && !known.isFailed) this.painter.paint({ [`details.a${place}.isOpen`]: !known.isOpen });
    else this.openAnswer(place);
  },

  /** @param {number} place */
  openAnswer(place) {
    const path = `details.a${place}`;
    const known = this.data.details[`a${place}`];
    // What is open stays as it is until the new is there.
    if (!known || known.isFailed) this.painter.paint({ [path]: { isOpen: true, isLoading: true } });
    return this.answers.read(place).then((answer) => this.painter.paint({ [path]: this.detail(answer) }), (error) => {
      const { title, suggestion } = getApp().errors.present(error);
      this.painter.paint({ [path]: { isOpen: true, isFailed: true, title, suggestion } });
    });
  },

  /** From a cell of the heat map, or from a quote, to the answer that it is made of. */
  openCell({ currentTarget: { dataset: { question, platform, answer } } }) {
    const first = this.answers.placeAt(question, platform);
    if (first === undefined) return;
    if (this.data.platform && this.data.platform !== platform) this.choose('');
    const open = () => {
      const at = this.answers.placeAt(question, platform, answer);
      return this.openAnswer(at).then(() => wx.pageScrollTo({ selector: `#a${at}`, offsetTop: -8, duration: 200 }));
    };
    this.answers.read(first).then(open, open); // only what was read has its id
  },

  /** Is this the brand, or a word that is spelt like it? */
  judge({ currentTarget: { dataset: { place, hit } } }) {
    if (hit === undefined || !this.report) return;
    this.answers.read(place).then((answer) => {
      const { brand, start, end } = answer.mentions[hit];
      const kinds = ['confirm', 'reject'];
      wx.showActionSheet({
        itemList: [_('是“{brand}”', { brand }), _('不是“{brand}”', { brand })],
        success: ({ tapIndex }) => this.say(place, { kind: kinds[tapIndex], answer: answer.id, brand, start, end }),
      });
    });
  },

  /** @type {(place: number, hit: any) => Promise<void>} */
  say(place, hit) {
    const { api } = getApp();
    return api.judgeHit(this.id, hit)
      .then(() => Promise.all([api.getReport(this.id), this.answers.readAgain(place)]))
      .then(([report, changes]) => {
        this.painter.paint(changes);
        this.showReport(report);
        return this.openAnswer(place);
      })
      .catch((error) => this.problemAt('#errors').show(error, { actions: { retry: () => this.say(place, hit) } }));
  },

  detail(answer) {
    if (!answer || answer.state === 'pending') return { isOpen: true, isFailed: true, title: _('回答正在入库，请稍后再打开。') };
    if (answer.state === 'valid') {
      const source = [answer.model, answer.ms ? duration(answer.ms / 1000) : '', answer.answered_at ? moment(answer.answered_at) : ''];
      return { isOpen: true, pieces: markedPieces(answer.text, answer.mentions, this.diagnosis.brand), source: source.filter(Boolean).join(' · ') };
    }
    const { title, message, suggestion } = getApp().errors.present(answer.error || { code: answer.code });
    return { isOpen: true, title, message, suggestion };
  },
});
