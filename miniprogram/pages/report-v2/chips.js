/** Which brands fit into the one line of an answer: its height is fixed, so that an arriving answer moves nothing. */
'use strict';

const REM_OF_CHIP = 0.8125;
const PADDING_PX = 17; // of a chip, with its share of rounding
const GAP_PX = 6;
const SIGN_EM = 1.4; // the star and its space
// Of the page, the card and the answer, on both sides.
const AROUND_PX = 78;

/** Chinese characters are square, others are narrower. @param {string} text */
const widthInEm = (text) => Array.from(text).reduce((sum, character) => sum + (character > '\u2e7f' ? 1 : 0.62), 0);

/** @returns {(texts: string[], signs?: number) => boolean} whether chips with these texts fit beside each other */
function createFit() {
  const windowInfo = wx.canIUse('getWindowInfo') ? wx.getWindowInfo() : wx.getSystemInfoSync();
  const { fontSizeSetting: font = 16 } = wx.canIUse('getAppBaseInfo') ? wx.getAppBaseInfo() : wx.getSystemInfoSync();
  const em = font * REM_OF_CHIP;
  const available = windowInfo.windowWidth - AROUND_PX - font * 0.1;
  return (texts, signs = texts.length) => {
    const widths = texts.reduce((sum, text) => sum + widthInEm(text) * em + PADDING_PX, 0);
    return widths + signs * SIGN_EM * em + GAP_PX * (texts.length - 1) <= available;
  };
}

module.exports = { createFit };
