/** The form as data: what was typed, the request it makes, kept until it is sent. */
'use strict';

const DRAFT = 'diag.draft';
const SUBMISSION = 'diag.submission';
const LAST_PLATFORMS = 'diag.platforms';

/** @param {string} text */
function names(text) {
  const parts = text.split(/[,，、;；\n]/).map((part) => part.trim()).filter(Boolean);
  return parts.filter((part, index) => parts.indexOf(part) === index);
}

const emptyDraft = () => ({
  brand: '',
  aliases: '',
  competitors: [{ name: '', aliases: '' }],
  questions: ['', '', ''],
  platforms: wx.getStorageSync(LAST_PLATFORMS) || [],
  repeats: 1,
});

/** The demo platform knows these fictional brands, and no real one is judged. */
const sampleDraft = () => ({
  brand: '山岚',
  aliases: 'Shanlan',
  competitors: [{ name: '云栖壶', aliases: '云栖' }, { name: '木石坊', aliases: '' }],
  questions: ['入门手冲咖啡壶推荐哪个牌子？', '三百元左右的手冲咖啡壶，送朋友买哪款好？', '细口手冲壶哪个品牌出水最稳？'],
  platforms: [],
  repeats: 2,
});

/** A stored diagnosis as a draft for another one. @param {any} diagnosis */
function draftFrom(diagnosis) {
  const own = diagnosis.brands.find((/** @type {any} */ brand) => brand.is_own);
  const rivals = diagnosis.brands.filter((/** @type {any} */ brand) => !brand.is_own);
  return {
    brand: diagnosis.brand,
    aliases: own ? own.aliases.join('、') : '',
    competitors: rivals.map((/** @type {any} */ brand) => ({ name: brand.name, aliases: brand.aliases.join('、') })),
    questions: diagnosis.questions.map((/** @type {any} */ question) => question.text),
    platforms: diagnosis.platforms.map((/** @type {any} */ platform) => platform.id),
    repeats: diagnosis.repeats,
  };
}

const loadDraft = () => wx.getStorageSync(DRAFT) || null;

/** @param {any} draft */
const saveDraft = (draft) => wx.setStorageSync(DRAFT, draft);

/** The order was taken: the form begins anew, with the same platforms. @param {any} body */
function clearDraft(body) {
  wx.removeStorageSync(DRAFT);
  wx.removeStorageSync(SUBMISSION);
  wx.setStorageSync(LAST_PLATFORMS, body.platforms);
}

/** The request body, and for each part of it the row it came from (empty rows are not sent). @param {any} draft */
function bodyOf(draft) {
  const competitors = draft.competitors
    .map((/** @type {any} */ { name, aliases }, /** @type {number} */ row) => ({ row, name: name.trim(), aliases: names(aliases) }))
    .filter((/** @type {any} */ { name, aliases }) => name || aliases.length);
  const questions = draft.questions
    .map((/** @type {string} */ text, /** @type {number} */ row) => ({ row, text: text.trim() }))
    .filter((/** @type {any} */ { text }) => text);
  const rowOf = (/** @type {any} */ { row }) => row;
  return {
    rows: { competitors: competitors.map(rowOf), questions: questions.map(rowOf) },
    body: {
      brand: draft.brand.trim(),
      aliases: names(draft.aliases),
      competitors: competitors.map((/** @type {any} */ { name, aliases }) => ({ name, aliases })),
      questions: questions.map((/** @type {any} */ { text }) => text),
      platforms: draft.platforms,
      repeats: draft.repeats,
    },
  };
}

/** The key of this very form: the same after a network failure or a restart, a new one after a change. @type {(body: any, newKey: () => string) => string} */
function submissionKey(body, newKey) {
  const filled = JSON.stringify(body);
  const last = wx.getStorageSync(SUBMISSION);
  if (last && last.filled === filled) return last.key;
  const key = newKey();
  wx.setStorageSync(SUBMISSION, { filled, key });
  return key;
}

const forgetSubmission = () => wx.removeStorageSync(SUBMISSION);

module.exports = { emptyDraft, sampleDraft, draftFrom, loadDraft, saveDraft, clearDraft, bodyOf, submissionKey, forgetSubmission };
