/** The history: the list of past diagnoses, with search and a filter by status. */
'use strict';

const { diagnosisItem } = require('../../presentation/diagnosisItem');
const { statusLabel } = require('../../presentation/format');
const { _, translateAll } = require('../../presentation/i18n');
const { translateTabBar } = require('../../presentation/tabBar');
const { createViewUpdates } = require('../../presentation/viewUpdates');

const SEARCH_DELAY_MS = 300;
const STATUSES = ['', 'queued', 'asking', 'analysing', 'completed', 'partial', 'failed', 'timed_out', 'cancelled'];
const TEXTS = {
  search: '搜索品牌',
  none: '还没有诊断。',
  noMatch: '没有符合条件的诊断。',
  start: '新建诊断',
  more: '正在读取…',
  end: '没有更多了',
};

Page({
  data: { t: TEXTS, state: 'loading', items: [], statuses: [], status: '', q: '', isFiltered: false, hasMore: false },

  onLoad() {
    this.view = createViewUpdates(this);
    this.status = '';
    this.q = '';
    this.items = [];
    this.requestNumber = 0;
  },

  onShow() {
    this.view.resume();
    translateTabBar();
    wx.setNavigationBarTitle({ title: _('历史记录') });
    this.view.update({
      t: translateAll(TEXTS),
      statuses: STATUSES.map((id) => ({ id, name: id ? statusLabel(id) : _('全部') })),
    });
    // Refresh the running diagnoses without emptying the list.
    this.load({ isFirst: true });
  },

  onHide() {
    this.view.pause();
  },

  onUnload() {
    clearTimeout(this.searchTimer);
    this.view.pause();
  },

  onPullDownRefresh() {
    this.load({ isFirst: true }).then(() => wx.stopPullDownRefresh());
  },

  onReachBottom() {
    if (this.next && !this.isLoading) this.load({ isFirst: false });
  },

  /** Load the first or the next page; a late response of an earlier request is dropped. @param {{isFirst: boolean}} page */
  load({ isFirst }) {
    this.requestNumber += 1;
    const requestNumber = this.requestNumber;
    this.isLoading = true;
    if (isFirst && !this.items.length) this.view.update({ state: 'loading' });
    const filters = { status: this.status, q: this.q.trim(), cursor: isFirst ? '' : this.next };
    return getApp().api.listDiagnoses(filters).then((page) => {
      if (requestNumber === this.requestNumber) this.showPage(page, isFirst);
    }, (error) => {
      if (requestNumber === this.requestNumber) this.handleError(error, isFirst);
    });
  },

  showPage({ items, next }, isFirst) {
    const added = items.map(diagnosisItem);
    const shown = this.items;
    // The first page again, as after a return, refreshes and prepends; what was loaded below it stays.
    const isNew = ({ id }) => !added.some((item) => item.id === id);
    const isRefreshed = isFirst && shown.length > added.length;
    this.isLoading = false;
    if (!isRefreshed) this.next = next;
    this.items = isFirst ? added.concat(isRefreshed ? shown.filter(isNew) : []) : shown.concat(added);
    this.selectComponent('#problem').hide();
    /** @type {{[path: string]: any}} */
    const changes = { hasMore: Boolean(this.next), state: this.items.length ? 'ready' : 'empty', isFiltered: Boolean(this.status || this.q.trim()) };
    if (isFirst) changes.items = this.items;
    else added.forEach((item, index) => { changes[`items[${shown.length + index}]`] = item; });
    this.view.update(changes);
  },

  handleError(error, isFirst) {
    this.isLoading = false;
    const actions = { retry: () => this.load({ isFirst }) };
    if (this.items.length) this.selectComponent('#errors').show(error, { display: 'toast', actions });
    else {
      this.view.update({ state: 'failed' });
      this.selectComponent('#problem').show(error, { display: 'inline', actions });
    }
  },

  refresh() {
    this.items = [];
    this.load({ isFirst: true });
  },

  onSearchInput({ detail: { value } }) {
    this.q = value;
    clearTimeout(this.searchTimer);
    this.searchTimer = setTimeout(() => this.refresh(), SEARCH_DELAY_MS);
  },

  selectStatus({ currentTarget: { dataset: { id } } }) {
    this.status = id;
    this.view.update({ status: id });
    this.refresh();
  },

  start() {
    wx.navigateTo({ url: '/pages/index/index' });
  },
});
