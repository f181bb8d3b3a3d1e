'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { compile } = require('../host/compile');
const { startSite, whyNoSite } = require('../support/site');

const ROOT = path.join(__dirname, '..', '..');
const BROWSERS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
// The page is handed to the browser by the test, so the browser does not know that it is local, too.
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-features=LocalNetworkAccessChecks'];
const PATIENCE_MS = 90000; // a busy machine is late with everything

const findBrowser = () => BROWSERS.find((file) => fs.existsSync(file));

/** Why the pages cannot be run here, or null. Under REQUIRE_SERVICES=1 they must be. */
function whyNoPages() {
  if (process.env.REQUIRE_SERVICES === '1') return null;
  return findBrowser() ? whyNoSite() : 'Chromium is not installed';
}

/** The real site and a browser that runs the compiled mini-program in front of it. */
async function startPages(environment = {}) {
  const executablePath = findBrowser();
  if (!executablePath) throw new Error('Chromium is required (REQUIRE_SERVICES=1) and not installed');
  const { chromium } = require('playwright-core');
  const site = await startSite({ DEMO_LATENCY: '0.2', ...environment });
  const browser = await chromium.launch({ executablePath, args: FLAGS });
  const body = compile(ROOT);
  const drawer = [];
  return {
    site,
    /** A phone of its own, on the first page or the one that `open` names; one that was put away is as new. */
    phone: async (options = {}) => unpack(drawer.pop() || await buy(browser, site), drawer, site, body, options),
    async stop() {
      await browser.close();
      await site.stop();
    },
  };
}

/** A window of a browser costs more than the page in it. */
async function buy(browser, site) {
  const context = await browser.newContext({ hasTouch: true, viewport: { width: 375, height: 812 } });
  context.setDefaultTimeout(PATIENCE_MS);
  const page = await context.newPage();
  await page.addInitScript(`if (location.origin === ${JSON.stringify(site.url)}) localStorage.setItem("diag.server", JSON.stringify(location.origin))`);
  return page;
}

async function unpack(page, drawer, site, body, { width = 375, height = 812, dark = false, font = 16, language = 'zh_CN', open = '' }) {
  await page.setViewportSize({ width, height });
  await page.emulateMedia({ colorScheme: dark ? 'dark' : 'light' });
  const complaints = [];
  page.on('pageerror', (error) => complaints.push(error.stack));
  page.on('console', (message) => {
    const isOurs = !/^Failed to load resource|WebSocket connection to/.test(message.text());
    if (['error', 'warning'].includes(message.type()) && isOurs) complaints.push(message.text());
  });
  await page.route(`${site.url}/miniprogram*`, (route) => route.fulfill({ contentType: 'text/html; charset=utf-8', body }));
  const query = new URLSearchParams({ font: String(font), language, ...(open ? { open } : {}) });
  await page.goto(`${site.url}/miniprogram?${query}`);
  return Object.assign(page, {
    hide: () => page.evaluate('__host.hide()'),
    comeBack: () => page.evaluate('__host.show()'),
    measured: () => page.evaluate('({ ...__host.measured, sockets: __host.wx.sockets, opened: __host.wx.opened })'),
    forget: () => page.evaluate('Object.assign(__host.measured, { calls: 0, bytes: 0, hidden: 0, times: [], log: [] }); undefined'),
    here: () => page.evaluate('getCurrentPages().slice(-1)[0].route'),
    /** Whatever the app, the engine or the platform's rules complained about. */
    complaints: async () => complaints.concat(await page.evaluate('__host.complaints')),
    async putAway() {
      const found = await this.complaints();
      await page.unrouteAll({ behavior: 'wait' });
      await page.evaluate('localStorage.clear()');
      await page.goto('about:blank');
      page.removeAllListeners('pageerror');
      page.removeAllListeners('console');
      drawer.push(page);
      return found;
    },
  });
}

module.exports = { startPages, whyNoPages };
