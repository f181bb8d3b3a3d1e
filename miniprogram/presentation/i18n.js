/** Translation of the pages' texts: Chinese in the code, looked up in `english.js` for English. */
'use strict';

const english = require('./english');

const STORAGE_KEY = 'diag.language';
const SETTINGS = ['auto', 'zh-hans', 'en'];

// Read once: every text asks for the language, and a call of WeChat is slow.
/** @type {string | undefined} */
let setting;
/** @type {string | undefined} */
let current;

/** @returns {string} the user's setting: `auto` (follow WeChat), `zh-hans` or `en` */
function languageSetting() {
  if (setting === undefined) {
    const stored = wx.getStorageSync(STORAGE_KEY);
    setting = SETTINGS.includes(stored) ? stored : 'auto';
  }
  return setting;
}

/** @param {string} next */
function setLanguage(next) {
  wx.setStorageSync(STORAGE_KEY, next);
  setting = current = undefined;
}

/** WeChat restarts the mini-program when its own language changes. */
function systemLanguage() {
  const { language: system = 'zh' } = wx.canIUse('getAppBaseInfo') ? wx.getAppBaseInfo() : wx.getSystemInfoSync();
  return /^zh/i.test(system) ? 'zh-hans' : 'en';
}

/** @returns {string} the current language, named as the server does: `zh-hans` or `en` */
function language() {
  if (current === undefined) current = languageSetting() === 'auto' ? systemLanguage() : languageSetting();
  return current;
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
