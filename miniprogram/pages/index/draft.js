/** The draft of a new diagnosis: stored while the form is filled in, and turned into the request body. */
'use strict';

const DRAFT_KEY = 'diag.draft';
const SUBMISSION_KEY = 'diag.submission';
const LAST_PLATFORMS_KEY = 'diag.platforms';

/** `A、B, A` -> `['A', 'B']`. @param {string} text */
function splitNames(text) {
  const parts = text.split(/[,，、;；\n]/).map((part) => part.trim()).filter(Boolean);
  return parts.filter((part, index) => parts.indexOf(part) === index);
}

/** Hosts have no spaces, so a space ends one too. @param {string} text */
const splitSites = (text) => splitNames(text.replace(/\s+/g, ','));

const emptyDraft = () => ({
  brand: '',
  aliases: '',
  sites: '',
  competitors: [{ name: '', aliases: '' }],
  questions: ['', '', ''],
  platforms: wx.getStorageSync(LAST_PLATFORMS_KEY) || [],
  repeats: 1,
});

/** An example with fictional brands that the demo platform mentions in its answers. */
const sampleDraft = () => ({
  brand: '山岚',
  aliases: 'Shanlan',
  sites: '',
  competitors: [{ name: '云栖壶', aliases: '云栖' }, { name: '木石坊', aliases: '' }],
  questions: ['入门手冲咖啡壶推荐哪个牌子？', '三百元左右的手冲咖啡壶，送朋友买哪款好？', '细口手冲壶哪个品牌出水最稳？'],
  platforms: [],
  repeats: 2,
});

/** Copy a stored diagnosis into a draft of a new one. @param {any} diagnosis */
function draftFromDiagnosis(diagnosis) {
  const own = diagnosis.brands.find((/** @type {any} */ brand) => brand.is_own);
  const competitors = diagnosis.brands.filter((/** @type {any} */ brand) => !brand.is_own);
  return {
    brand: diagnosis.brand,
    aliases: own ? own.aliases.join('、') : '',
    sites: own ? own.sites.join('、') : '',
    competitors: competitors.map((/** @type {any} */ brand) => ({ name: brand.name, aliases: brand.aliases.join('、') })),
    questions: diagnosis.questions.map((/** @type {any} */ question) => question.text),
    platforms: diagnosis.platforms.map((/** @type {any} */ platform) => platform.id),
    repeats: diagnosis.repeats,
  };
}

/** Whether a draft has texts that a copy of a diagnosis or the example would replace. @param {any} draft */
const hasTexts = ({ brand, aliases, competitors, questions }) => (
  [brand, aliases, ...questions, ...competitors.map((/** @type {any} */ { name }) => name)].some((text) => text.trim())
);

const loadDraft = () => wx.getStorageSync(DRAFT_KEY) || null;

/** @param {any} draft */
const saveDraft = (draft) => wx.setStorageSync(DRAFT_KEY, draft);

/** Delete the draft of a submitted diagnosis and remember its platforms for the next one. @param {any} body */
function clearDraft(body) {
  wx.removeStorageSync(DRAFT_KEY);
  clearSubmissionKey();
  wx.setStorageSync(LAST_PLATFORMS_KEY, body.platforms);
}

/**
 * Return the request body, and for each sent competitor and question the index of its row: empty rows are left out.
 * @param {any} draft
 */
function buildRequest(draft) {
  const competitors = draft.competitors
    .map((/** @type {any} */ { name, aliases }, /** @type {number} */ row) => ({ row, name: name.trim(), aliases: splitNames(aliases) }))
    .filter((/** @type {any} */ { name, aliases }) => name || aliases.length);
  const questions = draft.questions
    .map((/** @type {string} */ text, /** @type {number} */ row) => ({ row, text: text.trim() }))
    .filter((/** @type {any} */ { text }) => text);
  const getRow = (/** @type {any} */ { row }) => row;
  return {
    rows: { competitors: competitors.map(getRow), questions: questions.map(getRow) },
    body: {
      brand: draft.brand.trim(),
      aliases: splitNames(draft.aliases),
      sites: splitSites(draft.sites || ''),
      competitors: competitors.map((/** @type {any} */ { name, aliases }) => ({ name, aliases })),
      questions: questions.map((/** @type {any} */ { text }) => text),
      platforms: draft.platforms,
      repeats: draft.repeats,
    },
  };
}

/**
 * Return the idempotency key of this request body: the same after a network failure or a restart, a new one after a change.
 * @type {(body: any, createKey: () => string) => string}
 */
function getSubmissionKey(body, createKey) {
  const filled = JSON.stringify(body);
  const last = wx.getStorageSync(SUBMISSION_KEY);
  if (last && last.filled === filled) return last.key;
  const key = createKey();
  wx.setStorageSync(SUBMISSION_KEY, { filled, key });
  return key;
}

function clearSubmissionKey() {
  wx.removeStorageSync(SUBMISSION_KEY);
}

module.exports = {
  emptyDraft, sampleDraft, draftFromDiagnosis, hasTexts, loadDraft, saveDraft, clearDraft, buildRequest, getSubmissionKey, clearSubmissionKey,
};
