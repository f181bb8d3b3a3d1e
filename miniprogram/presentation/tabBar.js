/** The texts of the tab bar, which app.json has in Chinese. */
'use strict';

const { _, language } = require('./i18n');

const TABS = ['概览', '历史记录', '设置'];
let shownLanguage = 'zh-hans';

/** Show the tab bar in the current language; WeChat refuses this while no tab is shown. */
function translateTabBar() {
  if (language() === shownLanguage) return;
  shownLanguage = language();
  TABS.forEach((text, index) => wx.setTabBarItem({ index, text: _(text), fail: () => { shownLanguage = ''; } }));
}

module.exports = { translateTabBar };
