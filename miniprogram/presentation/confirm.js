/** A question with two buttons. WeChat refuses button texts of more than four characters, also in English. */
'use strict';

/**
 * Resolves to whether the user agreed; false when the dialog cannot be shown.
 * @param {{title: string, content: string, yes: string, no: string}} question
 * @returns {Promise<boolean>}
 */
function confirm({ title, content, yes, no }) {
  return new Promise((resolve) => {
    wx.showModal({
      title,
      content,
      confirmText: yes,
      cancelText: no,
      success: ({ confirm: isConfirmed }) => resolve(isConfirmed),
      fail: () => resolve(false),
    });
  });
}

module.exports = { confirm };
