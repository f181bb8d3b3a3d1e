'use strict';

/**
 * Measures the boxes of the page on the screen: texts that are cut, that lie on each other, that leave the screen, and words
 * that are broken into single characters. Returned as sentences; run inside the page.
 */
function findFaultyBoxes() {
  const TOLERANCE = 1.5;
  const page = document.querySelector('.host-page:not(.is-behind)');
  const root = page.parentElement;
  const faults = [];
  const isHidden = (element) => {
    const { display, visibility, opacity } = getComputedStyle(element);
    return display === 'none' || visibility === 'hidden' || opacity === '0';
  };
  const describe = (element, text) => `${element.className || element.tagName} “${text.trim().slice(0, 30)}”`;
  /** Elements that scroll sideways by themselves: what is outside them can be reached. */
  const isInScroller = (element) => Boolean(element.closest('wx-scroll-view[scroll-x]'));
  const hides = (overflow) => overflow === 'hidden' || overflow === 'clip';
  /** The part of a text that its ancestors leave visible; what scrolls can be reached. */
  function clip(element) {
    const box = { left: -Infinity, right: Infinity, top: -Infinity, bottom: Infinity };
    for (let parent = element; parent && parent !== root; parent = parent.parentElement) {
      const { overflowX, overflowY } = getComputedStyle(parent);
      const outer = parent.getBoundingClientRect();
      if (hides(overflowX)) {
        box.left = Math.max(box.left, outer.left);
        box.right = Math.min(box.right, outer.right);
      }
      if (hides(overflowY)) {
        box.top = Math.max(box.top, outer.top);
        box.bottom = Math.min(box.bottom, outer.bottom);
      }
    }
    return box;
  }
  function listLines(node) {
    const range = document.createRange();
    range.selectNodeContents(node);
    return Array.from(range.getClientRects()).filter(({ width, height }) => width > 0 && height > 0);
  }

  const texts = [];
  const walker = document.createTreeWalker(root, window.NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    let isShown = node.textContent.trim() !== '' && !['STYLE', 'SCRIPT'].includes(element.tagName);
    for (let parent = element; isShown && parent && parent !== root; parent = parent.parentElement) isShown = !isHidden(parent);
    if (isShown) texts.push({ node, element, lines: listLines(node) });
  }

  for (const { node, element, lines } of texts) {
    const name = describe(element, node.textContent);
    if (!lines.length) {
      faults.push(`no room: ${name}`);
      continue;
    }
    const box = clip(element);
    const isCut = lines.some((line) => line.left < box.left - TOLERANCE || line.right > box.right + TOLERANCE || line.top < box.top - 3 || line.bottom > box.bottom + 3);
    if (isCut) faults.push(`cut: ${name}`);
    const isOutside = lines.some((line) => line.left < -TOLERANCE || line.right > innerWidth + TOLERANCE);
    if (isOutside && !isInScroller(element)) faults.push(`off the screen: ${name}`);
    const font = parseFloat(getComputedStyle(element).fontSize);
    const isColumn = lines.length > 2 && Array.from(node.textContent.trim()).length > 2 && lines.every(({ width }) => width < 1.6 * font);
    if (isColumn) faults.push(`broken into characters: ${name}`);
  }

  // Fixed layers cover the page on purpose, so only texts of one layer are compared.
  const getLayer = (element) => {
    for (let parent = element; parent && parent !== root; parent = parent.parentElement) {
      if (getComputedStyle(parent).position === 'fixed') return parent;
    }
    return page;
  };
  const boxes = texts.flatMap(({ node, element, lines }) => lines.map((line) => ({ node, element, line, layer: getLayer(element) })))
    .sort((a, b) => a.line.top - b.line.top);
  for (let i = 0; i < boxes.length; i += 1) {
    for (let j = i + 1; j < boxes.length && boxes[j].line.top < boxes[i].line.bottom - 4; j += 1) {
      const [one, other] = [boxes[i], boxes[j]];
      if (one.node === other.node || one.layer !== other.layer) continue;
      const width = Math.min(one.line.right, other.line.right) - Math.max(one.line.left, other.line.left);
      const height = Math.min(one.line.bottom, other.line.bottom) - Math.max(one.line.top, other.line.top);
      // Lines of one paragraph overlap a little: their boxes are higher than the line.
      if (width > 3 && height > 0.45 * Math.min(one.line.height, other.line.height)) {
        faults.push(`overlap: ${describe(one.element, one.node.textContent)} and ${describe(other.element, other.node.textContent)}`);
      }
    }
  }

  // The text of a field is no text of the page: its field must be as high as a line.
  for (const field of root.querySelectorAll('input, textarea')) {
    const { height } = field.getBoundingClientRect();
    const box = clip(field);
    const seen = Math.min(height, box.bottom - field.getBoundingClientRect().top);
    if (height > 0 && seen < 1.35 * parseFloat(getComputedStyle(field).fontSize)) faults.push(`a field lower than its text: ${field.placeholder || field.value}`);
  }

  // What is fixed to the screen does not scroll, so its buttons must be on it.
  for (const button of root.querySelectorAll('.dialog wx-button, .toast wx-button')) {
    const { top, bottom, width } = button.getBoundingClientRect();
    if (width < 20 || top < 0 || bottom > innerHeight + TOLERANCE) faults.push(`a button off the screen: ${button.textContent}`);
  }
  return Array.from(new Set(faults));
}

module.exports = { findFaultyBoxes };
