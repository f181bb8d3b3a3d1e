/** The first page: the overview of one of the user's brands, and the way to a new diagnosis. */
'use strict';

const { _, translateAll } = require('../../presentation/i18n');
const { translateTabBar } = require('../../presentation/tabBar');
const { createViewUpdates } = require('../../presentation/viewUpdates');
const { buildOverview } = require('./overviewView');

const WORKSPACE_KEY = 'diag.workspace';
const NO_FILTERS = { panel: '', surface: '' };
const TEXTS = {
  loading: '正在读取…',
  hero: 'AI 会推荐您的品牌吗？',
  lead: '把买家会问的问题交给多个 AI 平台，看看谁被提到、谁排在第一、各占多少声量。',
  start: '新诊断',
  demo: '演示',
  invite: '邀请成员',
  again: '再测一次',
  platforms: '各平台',
  actions: '该做的事',
  none: '目前没有。',
  done: '做完了',
  dismiss: '忽略',
  next: '下次诊断',
  repeat: '设为定期诊断',
};

Page({
  data: {
    t: TEXTS,
    state: 'loading',
    workspaces: [],
    workspace: { id: '' },
    panels: [],
    panel: '',
    surfaces: [],
    surface: '',
    latest: '',
    headline: '',
    notes: [],
    tiles: [],
    platforms: [],
    actions: [],
    nextRuns: [],
    changing: '',
  },

  onLoad() {
    this.view = createViewUpdates(this);
    this.filters = NO_FILTERS;
    this.requestNumber = 0;
  },

  onShow() {
    this.view.resume();
    translateTabBar();
    wx.setNavigationBarTitle({ title: _('AI 可见度诊断') });
    this.view.update({ t: translateAll(TEXTS) });
    this.load();
  },

  onHide() {
    this.view.pause();
  },

  onUnload() {
    this.view.pause();
  },

  onPullDownRefresh() {
    this.load().then(() => wx.stopPullDownRefresh());
  },

  onShareAppMessage: () => ({ title: _('AI 会推荐您的品牌吗？'), path: '/pages/overview/overview' }),

  /** Load the brands and the overview of the chosen one; a late response of an earlier request is dropped. */
  load() {
    this.requestNumber += 1;
    const requestNumber = this.requestNumber;
    const { api } = getApp();
    const show = (/** @type {any} */ changes) => {
      if (requestNumber !== this.requestNumber) return;
      this.selectComponent('#problem').hide();
      this.view.update(changes);
    };
    return api.get('/api/workspaces').then(({ items }) => {
      const chosen = items.find(({ id }) => id === wx.getStorageSync(WORKSPACE_KEY)) || items[0];
      if (!chosen) return { state: 'empty' };
      return api.get(`/api/workspaces/${chosen.id}/overview`, this.filters)
        .then((overview) => Object.assign({ state: 'ready' }, buildOverview(overview, items)));
    }).then(show, (error) => {
      if (requestNumber === this.requestNumber) this.handleError(error, () => this.load());
    });
  },

  /** @type {(error: any, retry: () => void) => void} */
  handleError(error, retry) {
    const isShown = this.data.state === 'ready';
    if (!isShown) this.view.update({ state: 'failed' });
    this.selectComponent(isShown ? '#errors' : '#problem').show(error, { display: isShown ? 'toast' : 'inline', actions: { retry } });
  },

  /** Show another brand, set of questions, or way of measuring. */
  select({ currentTarget: { dataset: { kind, id } } }) {
    if (kind === 'workspace') wx.setStorageSync(WORKSPACE_KEY, id);
    this.filters = kind === 'workspace' ? NO_FILTERS : { panel: this.data.panel, surface: '', [kind]: id };
    this.load();
  },

  start() {
    wx.navigateTo({ url: '/pages/index/index' });
  },

  startAgain() {
    wx.navigateTo({ url: `/pages/index/index?from=${this.data.latest}` });
  },

  openInvitation() {
    wx.navigateTo({ url: `/packages/account/invitation/invitation?workspace=${this.data.workspace.id}` });
  },

  openReport({ currentTarget: { dataset: { id } } }) {
    if (id) wx.navigateTo({ url: `/pages/report-v2/report-v2?id=${id}` });
  },

  openSchedules() {
    wx.navigateTo({ url: `/pages/report-v2/schedules/schedules?from=${this.data.latest}` });
  },

  changeAction({ currentTarget: { dataset: { id, state } } }) {
    this.view.update({ changing: id });
    const path = `/api/workspaces/${this.data.workspace.id}/actions/${id}`;
    getApp().api.send('POST', path, { state }).then(() => this.load(), (error) => this.handleError(error, () => this.load()))
      .then(() => this.view.update({ changing: '' }));
  },
});
