/** The settings: account, server, language, and information about the mini-program. */
'use strict';

const { VERSION } = require('../../config');
const { confirm } = require('../../presentation/confirm');
const { _, languageSetting, setLanguage, translateAll } = require('../../presentation/i18n');
const { translateTabBar } = require('../../presentation/tabBar');
const { createViewUpdates } = require('../../presentation/viewUpdates');

const TEXTS = {
  account: '账号',
  user: '当前账号',
  signedOut: '尚未登录',
  signOut: '退出登录',
  privacy: '账号与隐私',
  server: '服务器',
  serverHint: '只有开发版可以修改。',
  language: '语言',
  reading: '阅读',
  textSize: '文字大小',
  textSizeHint: '跟随微信的设置：我 › 设置 › 通用 › 字体大小。',
  dark: '深色模式',
  darkHint: '跟随微信的设置：我 › 设置 › 通用 › 深色模式。',
  about: '关于',
  description: '把买家会问的问题交给多个 AI 平台，看看谁被提到、谁排在第一、各占多少声量。',
  promise: '我们不会把您的品牌名加进问题里。',
  aiTitle: 'AI 生成内容',
  aiExplanation: '带有“AI”标识的文字是各 AI 平台生成的原文，我们没有改写，仅供参考，不代表我们的观点，也可能不准确。标题、数字和图表由我们按这些回答计算得出。',
  demoTitle: '演示数据',
  demoExplanation: '带有“演示”标识的平台和品牌都是虚构的，用来试用，不计入统计。',
  version: '版本',
};

Page({
  data: { t: TEXTS, user: '', server: '', isDevelopment: false, languages: [], language: 'auto', version: VERSION },

  onLoad() {
    this.view = createViewUpdates(this);
  },

  onShow() {
    this.view.resume();
    this.render();
  },

  onHide() {
    this.view.pause();
  },

  onUnload() {
    this.view.pause();
  },

  render() {
    const { server, isDevelopment, session } = getApp();
    const user = session.user();
    translateTabBar();
    wx.setNavigationBarTitle({ title: _('设置') });
    this.view.update({
      t: translateAll(TEXTS),
      user: user ? user.name : '',
      server,
      isDevelopment,
      language: languageSetting(),
      languages: [{ id: 'auto', name: _('跟随微信') }, { id: 'zh-hans', name: '简体中文' }, { id: 'en', name: 'English' }],
    });
  },

  selectLanguage({ currentTarget: { dataset: { id } } }) {
    setLanguage(id);
    getApp().connect();
    this.render();
  },

  changeServer({ detail: { value } }) {
    const address = value.trim().replace(/\/+$/, '');
    if (!/^https?:\/\/[^/]+$/.test(address) || address === getApp().server) return;
    getApp().setServer(address);
    this.render();
  },

  openAccount() {
    wx.navigateTo({ url: '/packages/account/account/account' });
  },

  signOut() {
    const question = { title: _('退出登录？'), content: _('正在进行的诊断会继续，重新登录后可以在历史记录里找到。'), yes: _('退出'), no: _('不退出') };
    confirm(question).then((isConfirmed) => isConfirmed && getApp().session.signOut().then(() => this.render()));
  },
});
