/** Translation of the pages' texts: Chinese in the code, looked up in `english.js` for English. */
'use strict';

const english = require('./english');

const STORAGE_KEY = 'diag.language';
const SETTINGS = ['auto', 'zh-hans', 'en'];

/** @returns {string} the user's setting: `auto` (follow WeChat), `zh-hans` or `en` */
function languageSetting() {
  const stored = wx.getStorageSync(STORAGE_KEY);
  return SETTINGS.includes(stored) ? stored : 'auto';
}

/** @param {string} setting */
function setLanguage(setting) {
  wx.setStorageSync(STORAGE_KEY, setting);
}

/** @returns {string} the current language, named as the server does: `zh-hans` or `en` */
function language() {
  const setting = languageSetting();
  if (setting !== 'auto') return setting;
  const { language: system = 'zh' } = wx.canIUse('getAppBaseInfo') ? wx.getAppBaseInfo() : wx.getSystemInfoSync();
  return /^zh/i.test(system) ? 'zh-hans' : 'en';
}

/**
 * Translate a Chinese text into the current language and fill in its `{name}` placeholders.
 * @param {string} text
 * @param {{[name: string]: any}} [values]
 */
function _(text, values = {}) {
  const translated = language() === 'en' ? english[text] || text : text;
  return translated.replace(/\{(\w+)\}/g, (match, name) => (name in values ? String(values[name]) : match));
}

/**
 * Translate a table of fixed texts.
 * @param {{[name: string]: string}} texts
 */
function translateAll(texts) {
  /** @type {{[name: string]: string}} */
  const translated = {};
  Object.keys(texts).forEach((name) => { translated[name] = _(texts[name]); });
  return translated;
}

/** Add the English texts of a subpackage. @param {{[text: string]: string}} texts */
const addTranslations = (texts) => Object.assign(english, texts);

module.exports = { _, addTranslations, translateAll, language, languageSetting, setLanguage };
