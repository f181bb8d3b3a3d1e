/**
 * The answers of one diagnosis: a place for each from the beginning, numbered in the order of questions, platforms and
 * repeats, so that an event changes one short path and nothing on the screen moves.
 */
'use strict';

const PAGE = 100;

/** @param {any} diagnosis */
function createAnswers(diagnosis) {
  const { questions, platforms, brands, repeats } = diagnosis;
  const names = brands.map((/** @type {any} */ brand) => brand.name);
  /** One for each answer that a question gets. @type {Array<{platform: any, repeat: number}>} */
  const slots = [];
  platforms.forEach((/** @type {any} */ platform) => {
    for (let repeat = 1; repeat <= repeats; repeat += 1) slots.push({ platform, repeat });
  });
  /** @type {Map<string, number>} */
  const places = new Map();
  questions.forEach((/** @type {any} */ question, /** @type {number} */ q) => {
    slots.forEach(({ platform, repeat }, s) => places.set(`${question.id}/${platform.id}/${repeat}`, q * slots.length + s));
  });
  /** @type {any[]} */
  const results = [];
  /** @type {any[]} */
  const stored = [];
  let isWhole = false;

  /** @param {any} answer */
  const placeOf = (answer) => places.get(`${answer.question}/${answer.platform}/${answer.repeat}`);

  /** What a place shows: brands by their number, since a name costs more. @type {(answer: any, mentioned: string[]) => any} */
  function shown(answer, mentioned) {
    /** @type {any} */
    const result = { state: answer.state };
    const found = mentioned.map((name) => names.indexOf(name)).filter((at) => at >= 0);
    if (found.length) result.brands = found;
    if (answer.carried_over) result.carried = true;
    if (answer.code) result.why = getApp().errors.present(answer.error || { code: answer.code }).title;
    return result;
  }

  /** What an answer surely names, each brand once. @param {any} answer */
  const namedIn = ({ mentions }) => mentions
    .filter((/** @type {any} */ { state }) => state !== 'uncertain')
    .map((/** @type {any} */ { brand }) => brand)
    .filter((/** @type {string} */ name, /** @type {number} */ at, /** @type {string[]} */ all) => all.indexOf(name) === at);

  /** Takes one result; returns what changed as paths, or nothing. @type {(answer: any, mentioned: string[]) => {[path: string]: any}} */
  function take(answer, mentioned) {
    const place = placeOf(answer);
    if (place === undefined || answer.state === 'pending') return {};
    if (results[place] && results[place].state === answer.state) return {};
    results[place] = shown(answer, mentioned);
    const q = Math.floor(place / slots.length);
    return { [`results[${place}]`]: results[place], [`doneOf[${q}]`]: doneOf(q) };
  }

  /** @param {number} q */
  const doneOf = (q) => slots.filter((slot, s) => results[q * slots.length + s]).length;

  function counts() {
    /** @type {{[state: string]: number}} */
    const sums = { valid: 0, failed: 0, filtered: 0 };
    results.forEach(({ state }) => { sums[state] += 1; });
    return sums;
  }

  /** @type {(cursor: number) => Promise<any>} */
  function readPage(cursor) {
    return getApp().api.listAnswers(diagnosis.id, cursor ? String(cursor) : null).then(({ items, next }) => {
      items.forEach((/** @type {any} */ answer) => {
        const place = placeOf(answer);
        if (place !== undefined) stored[place] = answer;
      });
      return next;
    });
  }

  /** Every stored answer, page by page; returns what changed. @type {(cursor?: number) => Promise<{[path: string]: any}>} */
  function readAll(cursor = 0) {
    return readPage(cursor).then((next) => {
      if (next) return readAll(Number(next));
      isWhole = true;
      return stored.reduce((changes, answer) => Object.assign(changes, take(answer, namedIn(answer))), {});
    });
  }

  /** One answer with its text: from memory, else the page of the list that holds it. @type {(place: number) => Promise<any>} */
  function read(place) {
    const known = stored[place];
    if (known && known.state !== 'pending') return Promise.resolve(known);
    return readPage(Math.floor(place / PAGE) * PAGE).then(() => stored[place]);
  }

  /** Reads an answer anew whose marks have been judged; returns what changed. @type {(place: number) => Promise<{[path: string]: any}>} */
  function readAgain(place) {
    return readPage(Math.floor(place / PAGE) * PAGE).then(() => {
      results[place] = shown(stored[place], namedIn(stored[place]));
      return { [`results[${place}]`]: results[place] };
    });
  }

  /**
   * The place of the answer to look at for a question on a platform: the one with that id, else the first that names
   * the own brand, else the first valid one; undefined where nothing was answered.
   * @type {(questionId: string, platformId: string, answerId?: string) => number | undefined}
   */
  function placeAt(questionId, platformId, answerId) {
    const valid = slots.filter(({ platform }) => platform.id === platformId)
      .map(({ repeat }) => places.get(`${questionId}/${platformId}/${repeat}`) || 0)
      .filter((place) => results[place] && results[place].state === 'valid');
    const isOf = (/** @type {number} */ place) => answerId && stored[place] && stored[place].id === answerId;
    const isOwn = (/** @type {number} */ place) => (results[place].brands || []).includes(0);
    return [isOf, isOwn, () => true].map((test) => valid.find(test)).find((place) => place !== undefined);
  }

  return {
    readAgain,
    placeAt,
    slots,
    names,
    take,
    counts,
    readAll,
    read,
    results: () => Array.from(results, (result) => result || null),
    doneOfAll: () => questions.map((/** @type {any} */ question, /** @type {number} */ q) => doneOf(q)),
    isWhole: () => isWhole || results.filter(Boolean).length === places.size,
    total: places.size,
  };
}

module.exports = { createAnswers };
