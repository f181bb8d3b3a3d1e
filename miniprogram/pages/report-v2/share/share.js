/** The ways out of the mini-program: share links, and links that print or download a report in a browser. */
'use strict';

const { dateTime } = require('../../../presentation/dates');
const { number } = require('../../../presentation/format');
const { _, addTranslations, translateAll } = require('../../../presentation/i18n');
const { createViewUpdates } = require('../../../presentation/viewUpdates');
const { createReportApi } = require('../reportApi');

addTranslations(require('../english'));

const TEXTS = {
  title: '分享这份报告',
  description: '拿到链接的人不用登录就能看报告和全部回答，看不到您是谁。到期或撤销后，链接打不开。',
  validFor: '有效期',
  create: '生成链接',
  copy: '复制',
  revoke: '撤销',
  print: '打印 / PDF',
  files: '导出',
  fileHint: '在浏览器里打开链接，就能打印或下载。链接 5 分钟内有效。',
  prepare: '生成链接',
  manualCopy: '长按链接可以复制。',
};
const DAYS = [1, 7, 30, 90];
const FILES = [
  { name: '打印 / PDF', path: 'print/' },
  { name: 'Excel', path: 'export.xlsx' },
  { name: 'CSV', path: 'export.csv' },
  { name: 'JSON', path: 'export.json' },
];

/** @type {any} */
const page = {
  data: { t: TEXTS, days: 7, dayChoices: [], links: [], files: [], status: '', isBusy: false },

  onLoad({ id }) {
    this.view = createViewUpdates(this);
    this.id = id;
    this.api = createReportApi(getApp().api);
    wx.setNavigationBarTitle({ title: _('导出与分享') });
    this.view.update({ t: translateAll(TEXTS), dayChoices: DAYS.map((n) => ({ n, name: _('{n} 天', { n }) })) });
    this.loadFirst();
  },

  onShow() {
    this.view.resume();
  },

  onHide() {
    this.view.pause();
  },

  onUnload() {
    this.view.pause();
  },

  showProblem(error, retry) {
    const { fields } = getApp().errors.present(error);
    const prefix = Object.keys(fields).map((name) => fields[name]).join(' ');
    this.selectComponent('#problem').show(error, { display: 'inline', prefix, actions: { retry } });
  },

  /** Run `work` with the buttons disabled, and show why it failed. @param {() => Promise<any>} work */
  attempt(work) {
    this.view.update({ isBusy: true });
    return work().catch((error) => this.showProblem(error, () => this.attempt(work))).then(() => this.view.update({ isBusy: false }));
  },

  /** Without disabling the buttons: a link can be made before the list is there. */
  loadFirst() {
    return this.load().catch((error) => this.showProblem(error, () => this.loadFirst()));
  },

  load() {
    return this.api.listShares(this.id).then((links) => {
      this.selectComponent('#problem').hide();
      this.view.update({
        links: links.map((link) => ({
          id: link.id, url: link.url, note: `${_('有效至')} ${dateTime(link.expires_at)} · ${_('打开过 {n} 次', { n: number(link.opens) })}`,
        })),
      });
    });
  },

  selectDays({ currentTarget: { dataset: { n } } }) {
    this.view.update({ days: n });
  },

  create() {
    if (this.data.isBusy) return;
    this.attempt(() => this.api.createShare(this.id, this.data.days).then(() => this.load()));
  },

  revoke({ currentTarget: { dataset: { id } } }) {
    if (this.data.isBusy) return;
    this.attempt(() => this.api.revokeShare(this.id, id).then(() => this.load())
      .then(() => this.view.update({ status: _('链接已撤销，再也打不开了。') })));
  },

  /** A ticket opens the printable page and the files, which a browser could not ask for with a token. */
  prepareFiles() {
    if (this.data.isBusy) return;
    this.attempt(() => this.api.preparePrint(this.id).then(({ url }) => {
      const ticket = url.split('?')[1];
      const toUrl = (/** @type {string} */ path) => `${getApp().server}/diagnoses/${this.id}/${path}?${ticket}`;
      this.view.update({ files: FILES.map(({ name, path }) => ({ name: _(name), url: toUrl(path) })) });
    }));
  },

  /** Without the consent that WeChat asks for, the link can be copied by hand. */
  copy({ currentTarget: { dataset: { url } } }) {
    wx.setClipboardData({
      data: url,
      success: () => this.view.update({ status: _('链接已复制。') }),
      fail: () => this.view.update({ status: _('长按链接可以复制。') }),
    });
  },
};

Page(page);
