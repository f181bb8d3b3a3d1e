/** The text of an answer, split at the mentions of brands. */
'use strict';

/**
 * Offsets count code points, while JavaScript counts UTF-16 units; of overlapping mentions the first is shown.
 * @param {string} text
 * @param {Array<{brand: string, start: number, end: number, state: string}>} mentions
 * @param {string} ownBrand
 * @returns spans; the span of a mention has `mention`, its index in `mentions`, and `mark`, its CSS classes
 */
function splitAtMentions(text, mentions, ownBrand) {
  const points = Array.from(text);
  /** @type {Array<{text: string, mark: string, mention?: number}>} */
  const spans = [];
  let position = 0;
  const addSpan = (/** @type {number} */ end, /** @type {string} */ mark, /** @type {object} */ extra) => {
    if (end > position) spans.push(Object.assign({ text: points.slice(position, end).join(''), mark }, extra));
    position = Math.max(position, end);
  };
  mentions.map((mention, index) => Object.assign({ index }, mention)).sort((a, b) => a.start - b.start)
    .forEach(({ brand, start, end, state, index }) => {
      if (start < position || end > points.length) return;
      addSpan(start, '', {});
      addSpan(end, `${brand === ownBrand ? 'own' : 'rival'}${state === 'uncertain' ? ' uncertain' : ''}`, { mention: index });
    });
  addSpan(points.length, '', {});
  return spans.map((span, key) => Object.assign({ key }, span));
}

module.exports = { splitAtMentions };
