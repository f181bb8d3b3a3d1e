/** Dates and times in the user's time zone, as text. */
'use strict';

const { language } = require('./i18n');

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** @param {number} value */
const twoDigits = (value) => `0${value}`.slice(-2);

/** @param {string} iso */
function timeOfDay(iso) {
  const time = new Date(iso);
  return `${twoDigits(time.getHours())}:${twoDigits(time.getMinutes())}`;
}

/** @param {string} iso */
function dateTime(iso) {
  const time = new Date(iso);
  const [year, month, day] = [time.getFullYear(), time.getMonth(), time.getDate()];
  const date = language() === 'en' ? `${MONTHS[month]} ${day}, ${year},` : `${year}年${month + 1}月${day}日`;
  return `${date} ${timeOfDay(iso)}`;
}

module.exports = { dateTime, timeOfDay };
