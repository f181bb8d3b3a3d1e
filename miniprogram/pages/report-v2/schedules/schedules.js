/** Diagnoses that repeat: the form of a new one, which repeats the diagnosis of `?from=`, and the list of all. */
'use strict';

const { confirm } = require('../../../presentation/confirm');
const { joinNames, number } = require('../../../presentation/format');
const { _, addTranslations, translateAll } = require('../../../presentation/i18n');
const { createViewUpdates } = require('../../../presentation/viewUpdates');
const { createReportApi } = require('../reportApi');
const { buildEstimate, buildSchedule, weekdayNames } = require('./scheduleText');

addTranslations(require('../english'));

const ESTIMATE_DELAY_MS = 300;
const LAST_DAY = 31;
const TEXTS = {
  title: '新的定期诊断',
  every: '多久一次',
  weekday: '星期几',
  day: '几号',
  time: '几点',
  budgetCalls: '每月最多调用次数',
  budgetMoney: '每月最多费用（元）',
  start: '开始定期诊断',
  all: '正在进行的',
  empty: '还没有定期诊断。打开一份报告，在“趋势”里选“定期重复”。',
  paused: '已暂停',
  demo: '演示',
  pause: '暂停',
  resume: '恢复',
  remove: '删除',
  report: '查看报告',
  reading: '正在读取…',
};

/** @type {any} */
const page = {
  data: {
    t: TEXTS, summary: '', everyChoices: [], weekdays: [], days: [], every: 'weekly', weekday: 0, day: 1, time: '09:00', budgetFields: [], errors: {},
    estimate: null, hasForm: false, isBusy: false, items: [], count: '', isLoaded: false, status: '',
  },

  onLoad({ from = '' }) {
    this.view = createViewUpdates(this);
    this.from = from;
    this.api = createReportApi(getApp().api);
    this.form = { every: 'weekly', weekday: 0, day: 1, time: '09:00', budget_calls: '', budget_money: '' };
    this.fillsBudget = true; // with the cost of a month, until the user changes it
    wx.setNavigationBarTitle({ title: _('定期诊断') });
    this.view.update({
      t: translateAll(TEXTS),
      everyChoices: [{ id: 'daily', name: _('每天') }, { id: 'weekly', name: _('每周') }, { id: 'monthly', name: _('每月') }],
      weekdays: weekdayNames(),
      days: Array.from({ length: LAST_DAY }, (nothing, index) => String(index + 1)),
    });
    this.load();
    if (from) this.loadForm();
  },

  onShow() {
    this.view.resume();
  },

  onHide() {
    this.view.pause();
  },

  onUnload() {
    clearTimeout(this.estimateTimer);
    this.view.pause();
  },

  onPullDownRefresh() {
    this.load().then(() => wx.stopPullDownRefresh());
  },

  load() {
    return this.api.listSchedules().then(({ items, most: max }) => {
      this.selectComponent('#problem').hide();
      this.view.update({ isLoaded: true, items: items.map(buildSchedule), count: `${items.length} / ${max}` });
    }, (error) => this.showProblem(error, () => this.load()));
  },

  showProblem(error, retry) {
    this.selectComponent('#problem').show(error, { display: 'inline', actions: { retry } });
  },

  // ---- The form

  loadForm() {
    return getApp().api.getDiagnosis(this.from).then(({ brand, questions, platforms, repeats }) => {
      const values = { brand, q: number(questions.length), platforms: joinNames(platforms.map(({ name }) => name)), r: repeats };
      this.view.update({ hasForm: true, summary: _('{brand}：{q} 个问题，问 {platforms}，每个问 {r} 次。', values) });
      return this.updateEstimate();
    }).catch((error) => this.showProblem(error, () => this.loadForm()));
  },

  readRecurrence() {
    const { every, weekday, day, time } = this.form;
    const days = { daily: {}, weekly: { weekday }, monthly: { day } };
    return Object.assign({ every, time }, days[every]);
  },

  readBudget() {
    return { budget_calls: Number(this.form.budget_calls), budget_money: this.form.budget_money };
  },

  /** Also whether the budget covers the runs, once there is one. */
  updateEstimate() {
    this.requestNumber = (this.requestNumber || 0) + 1;
    const { requestNumber } = this;
    const budget = !this.fillsBudget && this.form.budget_calls !== '' && this.form.budget_money !== '' ? this.readBudget() : {};
    return this.api.estimateSchedule(Object.assign({ diagnosis: this.from }, this.readRecurrence(), budget)).then((estimate) => {
      if (requestNumber !== this.requestNumber) return;
      if (this.fillsBudget) this.fillBudget(estimate.month);
      this.isDuplicate = estimate.is_duplicate;
      this.view.update({ estimate: buildEstimate(estimate), errors: {} });
    }, (error) => { if (requestNumber === this.requestNumber) this.showRejection(error); });
  },

  /** The inputs get new keys, because WeChat shows a changed value late. @param {any} month */
  fillBudget(month) {
    this.fillsBudget = false;
    this.form.budget_calls = String(month.calls);
    this.form.budget_money = (Math.ceil(Number(month.money) * 100) / 100).toFixed(2);
    this.view.update({
      budgetFields: ['budget_calls', 'budget_money'].map((name) => ({ key: `${name}${this.requestNumber}`, name, value: this.form[name] })),
    });
  },

  showRejection(error) {
    const { fields } = getApp().errors.present(error);
    const known = Object.keys(fields).filter((name) => name in this.form);
    /** @type {{[name: string]: string}} */
    const errors = {};
    known.forEach((name) => { errors[name] = fields[name]; });
    this.view.update({ errors });
    if (!known.length) this.selectComponent('#form-problem').show(error, { display: 'inline', prefix: Object.keys(fields).map((name) => fields[name]).join(' '), actions: { retry: () => this.updateEstimate() } });
  },

  changeForm(changes) {
    Object.assign(this.form, changes);
    this.view.update(changes);
    clearTimeout(this.estimateTimer);
    this.estimateTimer = setTimeout(() => this.updateEstimate(), ESTIMATE_DELAY_MS);
  },

  selectEvery({ currentTarget: { dataset: { id } } }) {
    this.fillsBudget = true;
    this.changeForm({ every: id });
  },

  selectWeekday({ currentTarget: { dataset: { index } } }) {
    this.changeForm({ weekday: index });
  },

  selectDay({ detail: { value } }) {
    this.changeForm({ day: Number(value) + 1 });
  },

  selectTime({ detail: { value } }) {
    this.changeForm({ time: value });
  },

  onBudgetInput({ currentTarget: { dataset: { name } }, detail: { value } }) {
    this.form[name] = value;
    this.view.update({ [`errors.${name}`]: '' });
    clearTimeout(this.estimateTimer);
    this.estimateTimer = setTimeout(() => this.updateEstimate(), ESTIMATE_DELAY_MS);
  },

  confirmDuplicate() {
    if (!this.isDuplicate) return Promise.resolve({});
    return confirm({
      title: _('再建一个同样的定期诊断？'),
      content: _('已有同样的品牌、问题、平台和时间的定期诊断，再建一个会重复付费。'),
      yes: _('是，新建'),
      no: _('不新建'),
    }).then((isConfirmed) => (isConfirmed ? { confirm_duplicate: true } : null));
  },

  start() {
    if (this.data.isBusy) return;
    this.view.update({ isBusy: true });
    this.confirmDuplicate().then((duplicate) => {
      if (!duplicate) return undefined;
      return this.api.createSchedule(Object.assign({ diagnosis: this.from }, this.readRecurrence(), this.readBudget(), duplicate)).then((created) => {
        this.view.update({ hasForm: false, status: _('已开始，第一次在 {when}。', { when: buildSchedule(created).facts[1].value }) });
        return this.load();
      });
    }).catch((error) => this.showRejection(error)).then(() => this.view.update({ isBusy: false }));
  },

  // ---- The list

  /** Send a change of a schedule and load the list again. @param {() => Promise<any>} send */
  change(send) {
    if (this.data.isBusy) return;
    this.view.update({ isBusy: true });
    send().then(() => this.load()).catch((error) => this.selectComponent('#errors').show(error, { display: 'toast', actions: { retry: () => this.change(send) } }))
      .then(() => this.view.update({ isBusy: false }));
  },

  toggle({ currentTarget: { dataset: { id, paused } } }) {
    this.change(() => this.api.changeSchedule(id, paused ? 'resume' : 'pause'));
  },

  remove({ currentTarget: { dataset: { id, brand } } }) {
    const question = { title: _('删除 {brand} 的定期诊断？', { brand }), content: _('不会再自动运行，已有的诊断会保留。'), yes: _('是，删除'), no: _('不删除') };
    confirm(question).then((isConfirmed) => isConfirmed && this.change(() => this.api.deleteSchedule(id)));
  },

  openDiagnosis({ currentTarget: { dataset: { id } } }) {
    wx.navigateTo({ url: `/pages/report-v2/report-v2?id=${id}` });
  },
};

Page(page);
