/**
 * The rows of the form. An input is given its value only once: WeChat shows a changed value 30 to 120 ms late, in place of what
 * was typed since. A row whose text the page changes gets a new key, and so a new input.
 */
'use strict';

let lastKey = 0;

/** Give a row a stable key, so that adding and removing other rows moves no input. @param {object} row */
function withKey(row) {
  lastKey += 1;
  return Object.assign({ key: `row${lastKey}`, initial: row }, row);
}

/** What the inputs of the rows show: the values that they began with. @param {any[]} rows */
const toInputs = (rows) => rows.map(({ key, initial }) => Object.assign({ key }, initial));

module.exports = { toInputs, withKey };
