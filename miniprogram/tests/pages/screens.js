'use strict';

/** Measurements of whole screens, for the benchmark and the page tests: boxes, sections, and what opening a report costs. */
const fs = require('node:fs');
const path = require('node:path');
const { findFaultyBoxes } = require('./boxes');
const { buildRichOverview } = require('./overviewData');
const { PROFILES } = require('../support/deviceProfiles');

const BRAND = '山岚手作精品咖啡器具旗舰店';
const RIVALS = Array.from({ length: 10 }, (nothing, index) => `云栖山房手冲咖啡壶专门店${'甲乙丙丁戊己庚辛壬癸'[index]}`);
const ANSWER = `第一推荐${BRAND}，做工细致，出水稳定。其次是${RIVALS[0]}和${RIVALS[1]}，价格便宜一些；${RIVALS[2]}口碑一般。松间集也可以看看。详见 https://coffee.example/guide 。`;
/** The windows of all kinds of clients, each with usual and with the largest text. */
const SIZES = Array.from(new Set(Object.values(PROFILES).flatMap(({ widths, maxFont }) => (
  widths.flatMap((width) => [`${width}-16`, `${width}-${maxFont}`])
))), (size) => ({ width: Number(size.split('-')[0]), font: Number(size.split('-')[1]) }));
const ACCOUNT_PAGES = ['account/account', 'legal/legal?name=agreement', 'feedback/feedback?answer=1', 'consent/consent', 'invitation/invitation?workspace=1'];
const LANGUAGES = ['zh_CN', 'en'];
const SETTLE_MS = 700;
// A view update, with the pause before it.
const SCREEN_SETTLE_MS = 450;
const PHONES = 2;

/** The order of a report with long names; `questions` of it in number, and one that names the brand. */
const buildOrder = (questions, repeats = 1) => ({
  brand: BRAND,
  aliases: ['Shanlan Handmade Coffee Equipment'],
  sites: [],
  competitors: RIVALS.map((name) => ({ name, aliases: [] })),
  questions: Array.from({ length: questions }, (nothing, index) => (
    index === 1 ? `${BRAND}的手冲壶怎么样？` : `${index + 1}：第一次买手冲咖啡壶的新手，预算三百元左右，选哪个牌子不容易踩坑？`
  )),
  platforms: ['p1', 'p2', 'p3'],
  repeats,
});

/** Create a diagnosis of the phone's user and wait for its end; return its id. */
async function runDiagnosis(phone, site, order) {
  await phone.locator('.platform-name').first().waitFor();
  const { token } = await phone.evaluate('wx.getStorageSync("diag.session")');
  const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json', 'Idempotency-Key': Math.random().toString(36).slice(2).padEnd(16, 'x') };
  const created = await (await fetch(`${site.url}/api/diagnoses`, { method: 'POST', headers, body: JSON.stringify(order) })).json();
  for (;;) {
    const { finished_at: finishedAt } = await (await fetch(`${site.url}/api/diagnoses/${created.id}`, { headers })).json();
    if (finishedAt) return created.id;
    await new Promise((resolve) => { setTimeout(resolve, 200); });
  }
}

const PROBLEM = (display) => ({
  code: 'SERVER_ERROR',
  request_id: '0123456789abcdef',
  copy: { title: '诊断已完成，部分平台未答复', message: '报告按已得到的回答计算，未答复的已单独列出。您填写的内容都已保留。', suggestion: '可以直接查看报告，或只重试未答复的部分；如果反复出现，请联系客服。', display, action: { kind: 'retry', label: '只重试未答复的', params: {} } },
});

/** Each screen, by what brings a phone there from the page before. */
function listScreens(id) {
  const show = (display) => (phone) => phone.evaluate((problem) => window.__host.page().selectComponent('#errors').show(problem, { actions: { retry() {} } }), PROBLEM(display));
  const hide = (phone) => phone.evaluate('__host.page().selectComponent("#errors").hide()');
  const openPage = (page) => (phone) => phone.evaluate((url) => window.wx.navigateTo({ url }), page);
  return [
    ['index', async (phone) => phone.locator('.platform-name').first().waitFor()],
    ['index-empty', async (phone) => {
      await phone.evaluate('__host.page().start()');
      await phone.locator('.field-error').first().waitFor();
    }],
    ['index-filled', async (phone) => {
      const order = buildOrder(20);
      await phone.evaluate((draft) => window.__host.page().fillForm(draft), { ...order, aliases: order.aliases.join('、'), sites: '', competitors: order.competitors.map(({ name }) => ({ name, aliases: '' })) });
      await phone.locator('.remark').first().waitFor();
    }],
    ['templates', async (phone) => phone.evaluate('__host.page().openTemplates()')],
    ['modal', async (phone) => {
      await phone.evaluate('__host.page().closeTemplates()');
      await show('modal')(phone);
    }],
    ['toast', show('toast')],
    ['page', show('page')],
    ['inline', show('inline')],
    ['history', async (phone) => {
      await hide(phone);
      await phone.evaluate('wx.switchTab({ url: "/pages/history/history" })');
      await phone.locator('.host-page:not(.is-behind) .item').first().waitFor();
    }],
    ['config', async (phone) => phone.evaluate('wx.switchTab({ url: "/pages/config/config" })')],
    ['overview', async (phone) => {
      const overview = buildRichOverview();
      await phone.route('**/api/workspaces', (route) => route.fulfill({ json: { items: [overview.workspace, { ...overview.workspace, id: 'b' }], deleted: [], most: 20 } }));
      await phone.route('**/overview*', (route) => route.fulfill({ json: overview }));
      await phone.openTab('overview');
      await phone.locator('.tile').first().waitFor();
    }],
    ['report', async (phone) => {
      await openPage(`/pages/report-v2/report-v2?id=${id}`)(phone);
      await phone.locator('#headline').waitFor();
    }],
    ['report-open', async (phone) => {
      const closed = phone.locator('.section-toggle[aria-expanded="false"]');
      for (let left = await closed.count(); left > 0; left -= 1) {
        await closed.first().tap();
        await phone.waitForFunction((count) => document.querySelectorAll('.section-toggle[aria-expanded="false"]').length < count, left);
      }
      await phone.locator('.brand-row .figure-name').nth(1).tap();
      await phone.locator('.answer.valid').first().tap();
      await phone.locator('.detail .answer-text').waitFor();
    }],
    ['share', async (phone) => {
      await openPage(`/pages/report-v2/share/share?id=${id}`)(phone);
      await phone.locator('#prepare').tap();
      await phone.locator('#files .row').nth(3).waitFor();
    }],
    ['schedules', async (phone) => {
      await openPage(`/pages/report-v2/schedules/schedules?from=${id}`)(phone);
      await phone.locator('#form .fact').first().waitFor();
    }],
    ...ACCOUNT_PAGES.map((page) => [page.split('/')[0], async (phone) => {
      await openPage(`/packages/account/${page}`)(phone);
      await phone.locator('.host-page:not(.is-behind) .card').first().waitFor();
    }]),
  ];
}

async function measureScreens(phone, options, { id, pictures, faults }) {
  const { width, font, language, dark } = options;
  for (const [name, go] of listScreens(id)) {
    const screen = `${name} ${width} px ${font} px ${language}`;
    try {
      await go(phone);
      await phone.waitForTimeout(SCREEN_SETTLE_MS);
      faults.push(...(await phone.evaluate(findFaultyBoxes)).map((fault) => `${screen}: ${fault}`));
      if (pictures) await takePicture(phone, path.join(pictures, `${name}-${width}-${font}-${language}${dark ? '-dark' : ''}.png`));
    } catch (error) {
      faults.push(`${screen}: ${error.message.split('\n')[0]}`);
    }
  }
}

/** The whole page, not only what is on the screen. */
async function takePicture(phone, file) {
  fs.mkdirSync(path.dirname(file), { recursive: true });
  const { width } = phone.viewportSize();
  const height = await phone.evaluate('document.querySelector(".host-page:not(.is-behind)").scrollHeight');
  const isFixed = /(modal|toast|page|templates)-/.test(path.basename(file));
  if (!isFixed) await phone.setViewportSize({ width, height: Math.min(height + 100, 9000) });
  await phone.screenshot({ path: file });
  if (!isFixed) await phone.setViewportSize({ width, height: 812 });
}

/** All screens in all sizes, fonts and languages, on two phones at once: their number, and the faulty boxes on them. */
async function measureBoxes(pages, { report = () => {}, pictures = '', sizes = SIZES, languages = LANGUAGES, dark = false, answer = ANSWER } = {}) {
  if (answer) await pages.site.send('answer', { text: answer });
  const faults = [];
  let screens = 0;
  const first = await pages.openPhone();
  const id = await runDiagnosis(first, pages.site, buildOrder(4));
  const storage = await first.evaluate('JSON.stringify(localStorage)');
  await first.closePhone();
  const variants = languages.flatMap((language) => sizes.map((size) => ({ ...size, language, dark })));
  async function measureVariants() {
    for (let options = variants.shift(); options; options = variants.shift()) {
      const phone = await pages.openPhone(options);
      await phone.locator('.platform-name').first().waitFor(); // signed in: its session is replaced
      await phone.evaluate((text) => Object.assign(localStorage, JSON.parse(text)), storage);
      await phone.reload();
      await measureScreens(phone, options, { id, pictures, faults });
      faults.push(...(await phone.closePhone()).map((violation) => `${options.width} px ${options.font} px ${options.language}: ${violation}`));
      screens += listScreens(id).length;
      report(`${screens} screens`);
    }
  }
  await Promise.all(Array.from({ length: PHONES }, measureVariants));
  return { screens, faults };
}

/** The names of the shown sections on both pages, in their order. */
async function listSectionNames(phone, site, id) {
  const web = await phone.context().newPage();
  await web.setExtraHTTPHeaders({ 'Accept-Language': 'zh-CN' });
  const device = await phone.evaluate('wx.getStorageSync("diag.device")');
  await web.goto(`${site.url}/diagnoses/${id}/#device=${device}`);
  await web.locator('#headline').waitFor();
  await web.locator('#trend-summary:not(:empty)').waitFor();
  const read = (page, selector) => page.locator(selector).allTextContents().then((texts) => texts.map((text) => text.trim()));
  const names = await read(web, '#report section:not([hidden]) h2:not(#headline), #trend-section h2');
  await web.close();
  return { web: names, miniprogram: await read(phone, '.section-toggle .card-title') };
}

/** A report with every section that the demo platforms can fill: each name of the web page, and what the mini-program lacks. */
async function measureParity(pages) {
  const phone = await pages.openPhone();
  await phone.locator('.platform-name').first().waitFor();
  const platforms = await phone.evaluate('__host.page().platforms.filter(({ demo, healthy }) => demo && healthy).map(({ id }) => id).slice(0, 8)');
  const order = { brand: '山岚', aliases: [], sites: [], competitors: [{ name: '云栖壶', aliases: ['云栖'] }], questions: ['入门手冲咖啡壶推荐哪个牌子？', '山岚的手冲壶怎么样？'], platforms, repeats: 1 };
  const id = await runDiagnosis(phone, pages.site, order);
  await phone.evaluate((page) => window.wx.navigateTo({ url: page }), `/pages/report-v2/report-v2?id=${id}`);
  await phone.locator('#headline').waitFor();
  await phone.waitForTimeout(SETTLE_MS);
  const { web, miniprogram } = await listSectionNames(phone, pages.site, id);
  const missing = web.filter((name, index) => miniprogram[index] !== name).concat(miniprogram.slice(web.length), await phone.closePhone());
  return { rows: web, missing };
}

/** Open a report of 60 answers in a new mini-program. */
async function measureReport(pages) {
  await pages.site.send('answer', { text: ANSWER });
  const phone = await pages.openPhone();
  const id = await runDiagnosis(phone, pages.site, buildOrder(10, 2));
  const countCalls = () => phone.evaluate('Object.values(__host.wx.calls).reduce((sum, count) => sum + count, 0) + __host.measurements.calls');
  await phone.waitForTimeout(SETTLE_MS);
  await phone.resetMeasurements();
  const before = await phone.evaluate('Object.values(__host.wx.calls).reduce((sum, count) => sum + count, 0)');
  await phone.evaluate((page) => window.wx.navigateTo({ url: page }), `/pages/report-v2/report-v2?id=${id}`);
  await phone.locator('#headline').waitFor();
  await phone.waitForTimeout(2 * SETTLE_MS);
  const calls = await countCalls() - before;
  const { largest } = await phone.getMeasurements();
  const nodes = await phone.evaluate('document.querySelectorAll(".host-page:not(.is-behind) *").length');
  const violations = await phone.closePhone();
  return { calls, largest, nodes, violations };
}

module.exports = { listSectionNames, measureBoxes, measureParity, measureReport };

if (require.main === module) {
  const { startPages } = require('./phones');
  const [pictures, only = ''] = process.argv.slice(2);
  startPages().then(async (pages) => {
    const sizes = only ? SIZES.filter(({ width, font }) => `${width}-${font}` === only) : SIZES;
    const { faults } = await measureBoxes(pages, { pictures, sizes, dark: process.env.DARK === '1', languages: (process.env.LANGUAGES || 'zh_CN,en').split(',') });
    process.stdout.write(`${faults.join('\n')}\n`);
    await pages.stop();
  });
}
