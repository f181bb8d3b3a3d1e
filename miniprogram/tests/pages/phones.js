'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { compile } = require('../host/compile');
const { startSite, whyNoSite } = require('../support/site');

const ROOT = path.join(__dirname, '..', '..');
const BROWSERS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
// The test itself answers the request for the page, so Chromium cannot tell that the page is local.
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-features=LocalNetworkAccessChecks'];
// The bound of every wait of the page tests: generous, because everything is slow on a busy machine.
const TIMEOUT_MS = 180000;

const FORM = 'pages/index/index';

const findBrowser = () => BROWSERS.find((file) => fs.existsSync(file));

/** The reason why the pages cannot run here, or null. With REQUIRE_SERVICES=1 a missing browser is an error instead. */
function whyNoPages() {
  if (process.env.REQUIRE_SERVICES === '1') return null;
  return findBrowser() ? whyNoSite() : 'Chromium is not installed';
}

/** Start the real site, and a browser that runs the compiled mini-program against it. */
async function startPages(environment = {}) {
  const executablePath = findBrowser();
  if (!executablePath) throw new Error('Chromium is required (REQUIRE_SERVICES=1) and not installed');
  const { chromium } = require('playwright-core');
  const site = await startSite({ DEMO_LATENCY: '0.2', ...environment });
  const browser = await chromium.launch({ executablePath, args: FLAGS });
  const body = compile(ROOT);
  const idlePages = [];
  return {
    site,
    /** A phone with storage of its own, on the form or on the page that `open` names. Closed phones are reused. */
    openPhone: async (options = {}) => preparePhone(idlePages.pop() || await createPage(browser, site), idlePages, site, body, options),
    async stop() {
      await browser.close();
      await site.stop();
    },
  };
}

/** Opening a browser context is slower than loading the page in it, so contexts are reused. */
async function createPage(browser, site) {
  const context = await browser.newContext({ hasTouch: true, viewport: { width: 375, height: 812 } });
  context.setDefaultTimeout(TIMEOUT_MS);
  const page = await context.newPage();
  await page.addInitScript(`if (location.origin === ${JSON.stringify(site.url)}) localStorage.setItem("diag.server", JSON.stringify(location.origin))`);
  return page;
}

async function preparePhone(page, idlePages, site, body, { width = 375, height = 812, dark = false, font = 16, language = 'zh_CN', open = FORM, replace = [], ...host }) {
  await page.setViewportSize({ width, height });
  await page.emulateMedia({ colorScheme: dark ? 'dark' : 'light' });
  const violations = [];
  page.on('pageerror', (error) => violations.push(error.stack));
  page.on('console', (message) => {
    const isExpected = /^Failed to load resource|WebSocket connection to/.test(message.text());
    if (['error', 'warning'].includes(message.type()) && !isExpected) violations.push(message.text());
  });
  await page.route(`${site.url}/miniprogram*`, (route) => route.fulfill({ contentType: 'text/html; charset=utf-8', body: replace.reduce((text, [from, to]) => text.replace(from, to), body) }));
  const query = new URLSearchParams({ font: String(font), language, open, ...host });
  await page.goto(`${site.url}/miniprogram?${query}`);
  return Object.assign(page, {
    hide: () => page.evaluate('__host.hide()'),
    show: () => page.evaluate('__host.show()'),
    /** @param {'overview' | 'history' | 'config'} name */
    openTab: (name) => page.evaluate((url) => { window.wx.switchTab({ url }); }, `/pages/${name}/${name}`),
    openForm: () => page.evaluate((url) => { window.wx.navigateTo({ url }); }, `/${FORM}`),
    getMeasurements: () => page.evaluate('({ ...__host.measurements, sockets: __host.wx.sockets, opened: __host.wx.opened })'),
    resetMeasurements: () => page.evaluate('Object.assign(__host.measurements, { calls: 0, bytes: 0, largest: 0, hidden: 0, times: [], log: [] }); undefined'),
    /** Return the errors of the app and the engine, and the violations of the platform's rules; leave an empty phone. */
    async closePhone() {
      const found = violations.concat(await page.evaluate('__host.violations'));
      await page.unrouteAll({ behavior: 'wait' });
      await page.evaluate('localStorage.clear()');
      await page.goto('about:blank');
      page.removeAllListeners('pageerror');
      page.removeAllListeners('console');
      idlePages.push(page);
      return found;
    },
  });
}

module.exports = { startPages, whyNoPages };
