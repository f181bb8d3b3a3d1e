/** Changes of the page above what the user reads. No anchoring on iOS: the page itself has to scroll by what was inserted. */
'use strict';

/** @type {(selector: string) => Promise<{top: number, scrollTop: number} | null>} */
const measure = (selector) => new Promise((resolve) => {
  wx.createSelectorQuery().select(selector).boundingClientRect().selectViewport().scrollOffset()
    .exec(([box, viewport]) => resolve(box && viewport ? { top: box.top, scrollTop: viewport.scrollTop } : null));
});

const getWindowHeight = () => (wx.canIUse('getWindowInfo') ? wx.getWindowInfo() : wx.getSystemInfoSync()).windowHeight;

/**
 * Change the page and keep an element where it is on the screen, if the user has scrolled to it. `change` calls back when the
 * view has followed. Resolves to whether the page was moved.
 * @type {(selector: string, change: (done: () => void) => void) => Promise<boolean>}
 */
function keepInPlace(selector, change) {
  return measure(selector).then((before) => new Promise((resolve) => { change(() => resolve(before)); })).then((before) => {
    if (!before || before.top > getWindowHeight() / 2) return false;
    return measure(selector).then((after) => {
      if (!after) return false;
      const inserted = after.top + after.scrollTop - before.top - before.scrollTop;
      wx.pageScrollTo({ scrollTop: after.scrollTop + inserted, duration: 0 });
      return inserted > 0;
    });
  });
}

module.exports = { keepInPlace };
