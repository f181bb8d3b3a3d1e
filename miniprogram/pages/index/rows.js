'use strict';

let lastKey = 0;

/** Give a row of the form a stable key, so that adding and removing other rows moves no input. @param {object} row */
function withKey(row) {
  lastKey += 1;
  return Object.assign({ key: `row${lastKey}` }, row);
}

module.exports = { withKey };
