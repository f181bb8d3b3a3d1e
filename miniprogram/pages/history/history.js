/** The list of past diagnoses: search, filter, more. */
'use strict';

const { statusName } = require('../../presentation/format');
const { diagnosisItem } = require('../../presentation/items');
const { createPainter } = require('../../presentation/painter');
const { _, translated } = require('../../presentation/words');

const TYPING_MS = 300;
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
    this.painter = createPainter(this);
    this.status = '';
    this.q = '';
    this.items = [];
    this.round = 0;
  },

  onShow() {
    this.painter.show();
    wx.setNavigationBarTitle({ title: _('历史记录') });
    this.painter.paint({
      t: translated(TEXTS),
      statuses: STATUSES.map((id) => ({ id, name: id ? statusName(id) : _('全部') })),
    });
    // What runs has moved on meanwhile; the place in the list stays.
    this.load({ isFirst: true, most: this.items.length });
  },

  onHide() {
    this.painter.hide();
  },

  onUnload() {
    clearTimeout(this.typing);
    this.painter.hide();
  },

  onPullDownRefresh() {
    this.load({ isFirst: true }).then(() => wx.stopPullDownRefresh());
  },

  onReachBottom() {
    if (this.next && !this.isLoading) this.load({ isFirst: false });
  },

  /** Only the newest question is answered. @param {{isFirst: boolean}} part */
  load({ isFirst }) {
    this.round += 1;
    const round = this.round;
    this.isLoading = true;
    if (isFirst && !this.items.length) this.painter.paint({ state: 'loading' });
    const filters = { status: this.status, q: this.q.trim(), cursor: isFirst ? '' : this.next };
    return getApp().api.listDiagnoses(filters).then((page) => {
      if (round === this.round) this.take(page, isFirst);
    }, (error) => {
      if (round === this.round) this.failed(error, isFirst);
    });
  },

  take({ items, next }, isFirst) {
    const shown = items.map(diagnosisItem);
    const from = isFirst ? 0 : this.items.length;
    this.isLoading = false;
    this.next = next;
    this.items = this.items.slice(0, from).concat(shown);
    this.selectComponent('#problem').hide();
    /** @type {{[path: string]: any}} */
    const changes = { hasMore: Boolean(next), state: this.items.length ? 'ready' : 'empty', isFiltered: Boolean(this.status || this.q.trim()) };
    if (isFirst) changes.items = shown;
    else shown.forEach((item, index) => { changes[`items[${from + index}]`] = item; });
    this.painter.paint(changes);
  },

  failed(error, isFirst) {
    this.isLoading = false;
    const actions = { retry: () => this.load({ isFirst }) };
    if (this.items.length) this.selectComponent('#errors').show(error, { display: 'toast', actions });
    else {
      this.painter.paint({ state: 'failed' });
      this.selectComponent('#problem').show(error, { display: 'inline', actions });
    }
  },

  refresh() {
    this.items = [];
    this.load({ isFirst: true });
  },

  typed({ detail: { value } }) {
    this.q = value;
    clearTimeout(this.typing);
    this.typing = setTimeout(() => this.refresh(), TYPING_MS);
  },

  chooseStatus({ currentTarget: { dataset: { id } } }) {
    this.status = id;
    this.painter.paint({ status: id });
    this.refresh();
  },

  start() {
    wx.switchTab({ url: '/pages/index/index' });
  },
});
