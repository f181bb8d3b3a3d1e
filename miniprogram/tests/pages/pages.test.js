'use strict';

const test = require('node:test');
const { startPages, whyNoPages } = require('./device');
const { diagnosisPages } = require('./diagnosis');
const { errorPages } = require('./errors');
const { formPages } = require('./start');

const PAGES = {
  'a diagnosis': diagnosisPages,
  'the form, the history and the settings': formPages,
  'the error dialog shows every form and does what its button says': errorPages,
};

/** One site and one browser for all; each test has a phone, and so an account, of its own. */
test('the pages, on the real site', { skip: whyNoPages() || false, concurrency: Object.keys(PAGES).length }, async (t) => {
  const pages = await startPages();
  t.after(() => pages.stop());
  await Promise.all(Object.entries(PAGES).map(([name, run]) => t.test(name, (own) => run(own, pages))));
});
