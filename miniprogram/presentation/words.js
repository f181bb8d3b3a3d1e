/** The words of the pages: written in Chinese, looked up for readers of English. */
'use strict';

const english = require('./english');

const KEY = 'diag.language';
const LANGUAGES = ['auto', 'zh-hans', 'en'];

/** @returns {string} what the person chose here: `auto`, `zh-hans` or `en` */
function chosenLanguage() {
  const chosen = wx.getStorageSync(KEY);
  return LANGUAGES.includes(chosen) ? chosen : 'auto';
}

function languageOfWeChat() {
  const about = wx.canIUse('getAppBaseInfo') ? wx.getAppBaseInfo() : wx.getSystemInfoSync();
  return /^zh/i.test(about.language || 'zh') ? 'zh-hans' : 'en';
}

/** @returns {string} the language to speak now, as the server names it */
function language() {
  const chosen = chosenLanguage();
  return chosen === 'auto' ? languageOfWeChat() : chosen;
}

/** @param {string} chosen */
function chooseLanguage(chosen) {
  wx.setStorageSync(KEY, chosen);
}

/**
 * The Chinese text in the language of now, `{name}` filled in.
 * @param {string} text
 * @param {{[name: string]: any}} [values]
 */
function _(text, values) {
  const given = values || {};
  const own = language() === 'en' ? english[text] || text : text;
  return own.replace(/\{(\w+)\}/g, (whole, name) => (name in given ? String(given[name]) : whole));
}

/**
 * A page's fixed texts in the language of now.
 * @param {{[name: string]: string}} texts
 */
function translated(texts) {
  /** @type {{[name: string]: string}} */
  const own = {};
  Object.keys(texts).forEach((name) => { own[name] = _(texts[name]); });
  return own;
}

/** Adds the English of a package that is loaded later. @param {{[text: string]: string}} more */
const learn = (more) => Object.assign(english, more);

module.exports = { _, learn, translated, language, chosenLanguage, chooseLanguage };
