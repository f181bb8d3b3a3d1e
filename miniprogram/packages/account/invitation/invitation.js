/** Invite someone to the brand `?workspace=` by a card, or join the brand of the card that was opened: `?token=`. */
'use strict';

const { _, addTranslations } = require('../../../presentation/i18n');
const { createViewUpdates } = require('../../../presentation/viewUpdates');

addTranslations(require('../english'));

Page({
  data: { workspace: '', token: '', role: 'viewer', roles: [], text: '', createText: '', send: '', joinText: '', isBusy: false },

  onLoad({ workspace = '', token = '' }) {
    this.view = createViewUpdates(this);
    wx.setNavigationBarTitle({ title: _('邀请成员') });
    this.view.update({
      workspace,
      token,
      text: workspace
        ? _('把卡片发给一个人：第一个点“加入”的人成为这个品牌的成员，7 天内有效。')
        : _('您受邀加入一个品牌，加入后能看到它的全部诊断。'),
      roles: [{ id: 'viewer', name: _('只看') }, { id: 'editor', name: _('可编辑') }],
      createText: _('生成邀请卡片'),
      send: _('发给微信好友'),
      joinText: _('加入'),
    });
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

  onShareAppMessage() {
    const { token } = this.data;
    return { title: _('邀请您一起看品牌的 AI 可见度'), path: `/packages/account/invitation/invitation?token=${token}` };
  },

  selectRole({ currentTarget: { dataset: { id } } }) {
    this.view.update({ role: id, token: '' });
  },

  create() {
    const { workspace, role } = this.data;
    return this.send(`/api/workspaces/${workspace}/invitations`, { role }, ({ token }) => this.view.update({ token }));
  },

  join() {
    return this.send('/api/invitations/accept', { token: this.data.token }, ({ id }) => {
      wx.setStorageSync('diag.workspace', id);
      wx.switchTab({ url: '/pages/overview/overview' });
    });
  },

  /** @type {(path: string, body: any, use: (answer: any) => void) => Promise<void>} */
  send(path, body, use) {
    this.view.update({ isBusy: true });
    return getApp().api.send('POST', path, body).then(use, (error) => this.selectComponent('#errors').show(error))
      .then(() => this.view.update({ isBusy: false }));
  },
});
