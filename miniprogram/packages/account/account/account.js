/** Account and privacy: the documents, support, the models in use with their filings, and the deletion of the account. */
'use strict';

const { confirm } = require('../../../presentation/confirm');
const { _, addTranslations, translateAll } = require('../../../presentation/i18n');
const { createViewUpdates } = require('../../../presentation/viewUpdates');

addTranslations(require('../english'));

const TEXTS = {
  agreement: '用户服务协议',
  privacy: '隐私政策',
  feedback: '反馈与投诉',
  contact: '联系客服',
  tellWeChat: '向微信反馈',
  models: '使用的模型与备案',
  modelsHint: '带有“AI”标识的文字由这些平台的模型生成。',
  reading: '正在读取…',
  deletion: '删除账号',
  deletionHint: '账号、诊断、报告、定期诊断、分享链接和反馈会立即永久删除，不能恢复；正在进行的诊断会停止。',
  deleteAll: '删除账号和全部数据',
};

/** @param {any} platform */
function describeModel({ id, name, model, filing_number: number }) {
  const facts = [model, number && _('备案号 {number}', { number })].filter(Boolean).join(' · ');
  return { id, name, facts };
}

Page({
  data: { t: TEXTS, models: [], deleted: '', isBusy: false },

  onLoad() {
    this.view = createViewUpdates(this);
    this.view.update({ t: translateAll(TEXTS) });
    wx.setNavigationBarTitle({ title: _('账号与隐私') });
    this.loadModels();
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

  loadModels() {
    getApp().api.listPlatforms().then(
      (platforms) => this.view.update({ models: platforms.map(describeModel) }),
      (error) => this.selectComponent('#errors').show(error, { actions: { retry: () => this.loadModels() } }),
    );
  },

  open({ currentTarget: { dataset: { url } } }) {
    wx.navigateTo({ url });
  },

  confirmDeletion() {
    const question = { title: _('删除账号和全部数据？'), content: _('立即永久删除，不能恢复。'), yes: _('确认删除'), no: _('保留') };
    confirm(question).then((isConfirmed) => isConfirmed && this.deleteAccount());
  },

  /** The token is of no use afterwards: the next call signs in to a new account. */
  deleteAccount() {
    const app = getApp();
    this.view.update({ isBusy: true });
    app.api.send('DELETE', '/api/account', { confirm: 'DELETE' }).then(() => {
      app.session.signOut();
      this.view.update({ isBusy: false, deleted: _('账号和全部数据已经删除。') });
    }, (error) => {
      this.view.update({ isBusy: false });
      this.selectComponent('#errors').show(error, { actions: { retry: () => this.deleteAccount() } });
    });
  },
});
