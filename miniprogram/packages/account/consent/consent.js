/** The consent before the first diagnosis: opened by the form when the server asks for it. */
'use strict';

const { _, addTranslations, translateAll } = require('../../../presentation/i18n');
const { createViewUpdates } = require('../../../presentation/viewUpdates');

addTranslations(require('../english'));

const TEXTS = {
  why: '开始前需要您同意用户协议和隐私政策，您填写的内容都已保留。',
  agreement: '用户服务协议',
  privacy: '隐私政策',
  agree: '我已阅读并同意以上协议和政策',
  accept: '同意并开始诊断',
};

Page({
  data: { t: TEXTS, isTicked: false, isBusy: false, error: '' },

  onLoad() {
    this.view = createViewUpdates(this);
    this.view.update({ t: translateAll(TEXTS) });
    wx.setNavigationBarTitle({ title: _('请先同意协议') });
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

  open({ currentTarget: { dataset: { url } } }) {
    wx.navigateTo({ url });
  },

  toggle() {
    this.view.update({ isTicked: !this.data.isTicked, error: '' });
  },

  /** Record the consent to the version that is current now, then continue where the form was. */
  accept() {
    if (!this.data.isTicked) {
      this.view.update({ error: _('请先阅读并同意。') });
      return;
    }
    const app = getApp();
    this.view.update({ isBusy: true });
    app.api.get('/api/consent').then(({ version }) => app.api.send('POST', '/api/consent', { version })).then(() => {
      wx.navigateBack({ success: () => app.continueAfterConsent && app.continueAfterConsent() });
    }, (error) => {
      this.view.update({ isBusy: false });
      this.selectComponent('#errors').show(error, { actions: { retry: () => this.accept() } });
    });
  },
});
