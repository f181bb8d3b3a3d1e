'use strict';

const test = require('node:test');
const { startPages, whyNoPages } = require('./phones');
const { testAccountPages } = require('./accountPages');
const { testDiagnosisPage } = require('./diagnosisPage');
const { testErrorDialog } = require('./errorDialog');
const { testFormAndHistory } = require('./formAndHistory');
const { testOverviewPage } = require('./overviewPage');
const { testRealPhones } = require('./realPhones');

const SUITES = {
  'the pages of the account': testAccountPages,
  'the page of a diagnosis': testDiagnosisPage,
  'the form, the history and the settings': testFormAndHistory,
  'the error dialog': testErrorDialog,
  'the overview': testOverviewPage,
};

/**
 * All suites share one site and one browser; each test has a phone, and so an account, of its own. `real phones` comes
 * after the others: it and the page of a diagnosis hold the calls of the same platform.
 */
test('the pages against the real site', { skip: whyNoPages() || false, concurrency: Object.keys(SUITES).length }, async (t) => {
  const pages = await startPages();
  t.after(() => pages.stop());
  await Promise.all(Object.entries(SUITES).map(([name, run]) => t.test(name, (own) => run(own, pages))));
  await t.test('real phones', (own) => testRealPhones(own, pages));
});
