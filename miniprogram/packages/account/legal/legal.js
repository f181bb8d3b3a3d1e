/** The user agreement or the privacy policy, as the server has it. */
'use strict';

const { _, addTranslations } = require('../../../presentation/i18n');
const { createViewUpdates } = require('../../../presentation/viewUpdates');

addTranslations(require('../english'));

Page({
  data: { reading: '', version: '', sections: [] },

  onLoad({ name }) {
    this.view = createViewUpdates(this);
    this.view.update({ reading: _('正在读取…') });
    this.load(name === 'privacy' ? 'privacy' : 'agreement');
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

  /** @param {string} name */
  load(name) {
    getApp().api.get(`/api/legal/${name}`).then(({ title, version, sections }) => {
      wx.setNavigationBarTitle({ title });
      this.view.update({ version: _('版本 {version}', { version }), sections });
    }, (error) => this.selectComponent('#errors').show(error, { actions: { retry: () => this.load(name) } }));
  },
});
