/** An answer's text in pieces, those that name a brand marked. */
'use strict';

/**
 * Offsets count code points, JavaScript counts UTF-16 units; of two that overlap the first is shown.
 * @param {string} text
 * @param {Array<{brand: string, start: number, end: number}>} mentions
 * @param {string} own  the diagnosed brand
 */
function markedPieces(text, mentions, own) {
  const points = Array.from(text);
  /** @type {(from: number, to?: number) => string} */
  const slice = (from, to) => points.slice(from, to).join('');
  const pieces = [];
  let at = 0;
  mentions.slice().sort((a, b) => a.start - b.start).forEach(({ brand, start, end }) => {
    if (start < at || end > points.length) return;
    if (start > at) pieces.push({ text: slice(at, start), mark: '' });
    pieces.push({ text: slice(start, end), mark: brand === own ? 'own' : 'rival' });
    at = end;
  });
  if (at < points.length) pieces.push({ text: slice(at), mark: '' });
  return pieces.map((piece, key) => Object.assign({ key }, piece));
}

module.exports = { markedPieces };
