/**
 * The answers of one diagnosis. Each has a fixed index from the beginning, in the order of questions, platforms and
 * repeats, so that an event changes one short path and nothing on the screen moves.
 */
'use strict';

const { _ } = require('../../presentation/i18n');
const { createFit } = require('./chips');
const TEXTS = require('./texts');

const PAGE_SIZE = 100; // of the list of answers in the API

/** @param {any} diagnosis */
function createAnswers(diagnosis) {
  const { questions, platforms, brands, repeats } = diagnosis;
  const brandNames = brands.map((/** @type {any} */ brand) => brand.name);
  /** One per answer to a question. @type {Array<{platform: any, repeat: number}>} */
  const slots = [];
  platforms.forEach((/** @type {any} */ platform) => {
    for (let repeat = 1; repeat <= repeats; repeat += 1) slots.push({ platform, repeat });
  });
  /** `question/platform/repeat` -> index. @type {Map<string, number>} */
  const indexes = new Map();
  questions.forEach((/** @type {any} */ question, /** @type {number} */ q) => {
    slots.forEach(({ platform, repeat }, s) => indexes.set(`${question.id}/${platform.id}/${repeat}`, q * slots.length + s));
  });
  /** What the page shows of each answer. @type {any[]} */
  const results = [];
  /** The answers as the API returns them. @type {any[]} */
  const stored = [];
  let isComplete = false;
  const fits = createFit();

  /** @param {any} answer */
  const getIndex = (answer) => indexes.get(`${answer.question}/${answer.platform}/${answer.repeat}`);

  /** Brands are shown by index, because names would make `setData` larger. @type {(answer: any, mentioned: string[]) => any} */
  function toResult(answer, mentioned) {
    /** @type {any} */
    const result = { state: answer.state };
    if (answer.truncated || answer.without_search) {
      result.flag = answer.truncated ? _(TEXTS.truncatedShort) : _(TEXTS.withoutSearchShort);
      return result;
    }
    const found = mentioned.map((name) => brandNames.indexOf(name)).filter((index) => index >= 0);
    if (found.length && fits(found.map((index) => brandNames[index]))) result.brands = found;
    else if (found.length) Object.assign(result, summarizeBrands(found));
    if (answer.carried_over && result.brands && fits(found.map((index) => brandNames[index]).concat(_(TEXTS.carriedOver)), found.length)) result.isCarriedOver = true;
    if (answer.code) result.reason = describeReason(answer);
    return result;
  }

  /** What is shown when not all names fit: the number of competitors, and of the own brand as much as fits. @param {number[]} found  0 is the own brand */
  function summarizeBrands(found) {
    const count = found.filter((index) => index > 0).length;
    const rivals = count ? _('{n} 个竞品', { n: count }) : '';
    const own = [brandNames[0], _(TEXTS.own)].find((text) => fits([text, rivals].filter(Boolean))) || '';
    return Object.assign(found.includes(0) ? { own: `★ ${own}`.trim() } : {}, rivals ? { rivals: `◦ ${rivals}` } : {});
  }

  /** @param {any} answer */
  function describeReason(answer) {
    const { title } = getApp().errors.present(answer.error || { code: answer.code });
    return fits([title], 0) ? title : _(TEXTS.openForReason);
  }

  /** The brands that an answer certainly mentions, each once. @param {any} answer */
  const findMentioned = ({ mentions }) => mentions
    .filter((/** @type {any} */ { state }) => state !== 'uncertain')
    .map((/** @type {any} */ { brand }) => brand)
    .filter((/** @type {string} */ name, /** @type {number} */ index, /** @type {string[]} */ all) => all.indexOf(name) === index);

  /** Apply one answer; return the changed paths. @type {(answer: any, mentioned: string[]) => {[path: string]: any}} */
  function apply(answer, mentioned) {
    const index = getIndex(answer);
    if (index === undefined || answer.state === 'pending') return {};
    if (results[index] && results[index].state === answer.state) return {};
    results[index] = toResult(answer, mentioned);
    const q = Math.floor(index / slots.length);
    return { [`results[${index}]`]: results[index], [`doneCounts[${q}]`]: countDone(q) };
  }

  /** @param {number} q  index of a question */
  const countDone = (q) => slots.filter((slot, s) => results[q * slots.length + s]).length;

  function countStates() {
    /** @type {{[state: string]: number}} */
    const counts = { valid: 0, failed: 0, filtered: 0 };
    results.forEach(({ state }) => { counts[state] += 1; });
    return counts;
  }

  /** @type {(cursor: number) => Promise<any>} */
  function loadPage(cursor) {
    return getApp().api.listAnswers(diagnosis.id, cursor ? String(cursor) : null).then(({ items, next }) => {
      items.forEach((/** @type {any} */ answer) => {
        const index = getIndex(answer);
        if (index !== undefined) stored[index] = answer;
      });
      return next;
    });
  }

  /** @param {number} index */
  const loadPageWith = (index) => loadPage(Math.floor(index / PAGE_SIZE) * PAGE_SIZE);

  /** Load every stored answer, page by page; return the changed paths. @type {(cursor?: number) => Promise<{[path: string]: any}>} */
  function loadAll(cursor = 0) {
    return loadPage(cursor).then((next) => {
      if (next) return loadAll(Number(next));
      isComplete = true;
      return stored.reduce((changes, answer) => Object.assign(changes, apply(answer, findMentioned(answer))), {});
    });
  }

  /** Load one answer with its text, if it is not loaded yet. @type {(index: number) => Promise<any>} */
  function load(index) {
    const known = stored[index];
    if (known && known.state !== 'pending') return Promise.resolve(known);
    return loadPageWith(index).then(() => stored[index]);
  }

  /** The stored answer with an id, and its index. @type {(id: string) => {answer: any, index: number}} */
  function findById(id) {
    const index = stored.findIndex((answer) => answer && answer.id === id);
    return { index, answer: stored[index] };
  }

  /** The index of the first answer with a mention of a brand that the user has to confirm; -1 without one. @param {string} brand */
  const findUncertain = (brand) => stored.findIndex((answer) => answer && answer.mentions.some((/** @type {any} */ mention) => mention.brand === brand && mention.state === 'uncertain'));

  /**
   * Find the answer to open for a question on a platform: the one with `answerId`, else the first that mentions the own
   * brand, else the first valid one; undefined without a valid answer.
   * @type {(questionId: string, platformId: string, answerId?: string) => number | undefined}
   */
  function findIndex(questionId, platformId, answerId) {
    const valid = slots.filter(({ platform }) => platform.id === platformId)
      .map(({ repeat }) => indexes.get(`${questionId}/${platformId}/${repeat}`) || 0)
      .filter((index) => results[index] && results[index].state === 'valid');
    const hasId = (/** @type {number} */ index) => answerId && stored[index] && stored[index].id === answerId;
    const mentionsOwnBrand = (/** @type {number} */ index) => Boolean(results[index].own) || (results[index].brands || []).includes(0);
    return [hasId, mentionsOwnBrand, () => true].map((test) => valid.find(test)).find((index) => index !== undefined);
  }

  return {
    slots,
    brandNames,
    total: indexes.size,
    apply,
    countStates,
    findIndex,
    findById,
    findUncertain,
    load,
    loadAll,
    listResults: () => Array.from(results, (result) => result || null),
    listDoneCounts: () => questions.map((/** @type {any} */ question, /** @type {number} */ q) => countDone(q)),
    isComplete: () => isComplete || results.filter(Boolean).length === indexes.size,
  };
}

module.exports = { createAnswers };
