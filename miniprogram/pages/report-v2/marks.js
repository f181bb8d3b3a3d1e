/** An answer's text in pieces, those that name a brand marked. */
'use strict';

/**
 * Offsets count code points, JavaScript counts UTF-16 units; of two that overlap the first is shown.
 * @param {string} text
 * @param {Array<{brand: string, start: number, end: number, state: string}>} mentions
 * @param {string} own  the diagnosed brand
 * @returns pieces; a marked one has `hit`, its place among the mentions
 */
function markedPieces(text, mentions, own) {
  const points = Array.from(text);
  /** @type {Array<{text: string, mark: string, hit?: number}>} */
  const pieces = [];
  let at = 0;
  const put = (/** @type {number} */ end, /** @type {string} */ mark, /** @type {object} */ more) => {
    if (end > at) pieces.push(Object.assign({ text: points.slice(at, end).join(''), mark }, more));
    at = Math.max(at, end);
  };
  mentions.map((mention, hit) => Object.assign({ hit }, mention)).sort((a, b) => a.start - b.start)
    .forEach(({ brand, start, end, state, hit }) => {
      if (start < at || end > points.length) return;
      put(start, '', {});
      put(end, `${brand === own ? 'own' : 'rival'}${state === 'uncertain' ? ' maybe' : ''}`, { hit });
    });
  put(points.length, '', {});
  return pieces.map((piece, key) => Object.assign({ key }, piece));
}

module.exports = { markedPieces };
