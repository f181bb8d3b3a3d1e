'use strict';

/** The overview of a brand: the first page of the mini-program. */
const assert = require('node:assert/strict');
const { findFaultyBoxes } = require('./boxes');
const { buildRichOverview } = require('./overviewData');

const OVERVIEW = 'pages/overview/overview';

async function testOverviewPage(t, pages) {
  async function withPhone(options, run) {
    const phone = await pages.openPhone({ open: OVERVIEW, ...options });
    await run(phone, phone.locator('.host-page:not(.is-behind)'));
    assert.deepEqual(await phone.closePhone(), []);
  }
  const isAt = (phone, route) => phone.waitForFunction(`getCurrentPages().slice(-1)[0].route === '${route}'`);

  await t.test('the first diagnosis of a new user brings its brand, whose figures open the report', () => withPhone({}, async (phone, here) => {
    await here.locator('.hero-title').waitFor();
    await here.locator('#new').tap();
    await here.locator('.platform-name').first().waitFor();
    await here.locator('#sample').tap();
    await here.locator('#start').tap();
    await here.locator('#headline').waitFor();
    await phone.locator('.host-back').tap();
    await here.locator('#change .headline').waitFor();
    assert.equal(await here.locator('.brand').textContent(), '山岚');
    assert.equal(await here.locator('#change .headline').textContent(), '第一次诊断已完成，从第二次起能看到变化');
    assert.deepEqual(await here.locator('.tile > .hint').allTextContents(), ['提及率', '首位提及率', '声量份额', '推荐率', '引用官网的回答']);
    assert.match(await here.locator('.tile').first().textContent(), /\d+%区间 \d+%–\d+%\d+ \/ 12 条回答$/);
    assert.equal(await here.locator('#platforms .figure').count(), 2);
    assert.equal(await here.locator('.choices').count(), 0);
    await here.locator('#again').tap();
    await phone.waitForFunction('document.querySelector("#field-brand input")?.value === "山岚"');
    await phone.locator('.host-back').tap();
    await here.locator('.tile').first().tap();
    await here.locator('#headline').waitFor();
    await phone.locator('.host-back').tap();
    await here.locator('#next .link').tap();
    await isAt(phone, 'pages/report-v2/schedules/schedules');
  }));

  await t.test('another brand is chosen, and shown again after a restart', () => withPhone({}, async (phone, here) => {
    await here.locator('.hero-title').waitFor();
    for (const name of ['山岚', '云栖壶']) await phone.evaluate((brand) => window.getApp().api.send('POST', '/api/workspaces', { name: brand }), name);
    await phone.reload();
    await here.locator('.choice', { hasText: '山岚' }).tap();
    await phone.waitForFunction('document.querySelector(".brand")?.textContent === "山岚"');
    assert.equal(await here.locator('#change .headline').textContent(), '还没有诊断');
    await phone.reload();
    await phone.waitForFunction('document.querySelector(".brand")?.textContent === "山岚"');
  }));

  await t.test('an action is done, and a viewer cannot change it', () => withPhone({}, async (phone, here) => {
    await here.locator('.hero-title').waitFor();
    const overview = buildRichOverview();
    const sent = [];
    await phone.route('**/api/workspaces', (route) => route.fulfill({ json: { items: [overview.workspace], deleted: [], most: 20 } }));
    await phone.route('**/overview', (route) => route.fulfill({ json: overview }));
    await phone.route('**/actions/*', (route) => {
      sent.push([route.request().method(), route.request().url().split('/').pop(), route.request().postDataJSON()]);
      overview.actions.shift();
      return route.fulfill({ json: {} });
    });
    await phone.openTab('history');
    await phone.openTab('overview');
    await here.locator('#actions .row').nth(4).waitFor();
    const { id } = overview.actions[0];
    await here.locator('#actions .row').first().locator('wx-button').first().tap();
    await here.locator('#actions .row').nth(4).waitFor({ state: 'detached' });
    assert.deepEqual(sent, [['POST', id, { state: 'done' }]]);
    overview.workspace.role = 'viewer';
    await phone.openTab('history');
    await phone.openTab('overview');
    await here.locator('#again').waitFor({ state: 'detached' });
    assert.equal(await here.locator('#actions wx-button').count(), 0);
  }));

  await t.test('a brand is shared by a card, and its reader joins it', () => withPhone({}, async (phone, here) => {
    await here.locator('.hero-title').waitFor();
    await phone.evaluate(() => window.getApp().api.send('POST', '/api/workspaces', { name: '山岚' }));
    await phone.reload();
    await here.locator('#invite').tap();
    await here.locator('.option', { hasText: '可编辑' }).tap();
    await here.locator('#create').tap();
    await here.locator('#send').waitFor();
    const { path } = await phone.evaluate('__host.page().onShareAppMessage()');
    const reader = await pages.openPhone({ open: path.slice(1) });
    const shown = reader.locator('.host-page:not(.is-behind)');
    await shown.locator('#join').tap();
    await shown.locator('.brand', { hasText: '山岚' }).waitFor();
    assert.equal(await shown.locator('#invite').count(), 0);
    assert.deepEqual(await reader.closePhone(), []);
  }));

  await t.test('a failure is shown in the place of the overview, and as a toast above it', () => withPhone({}, async (phone, here) => {
    await here.locator('.hero-title').waitFor();
    let isDown = true;
    await phone.route('**/api/workspaces', (route) => (isDown ? route.fulfill({ status: 500, json: { code: 'SERVER_ERROR' } }) : route.continue()));
    await phone.reload();
    await here.locator('#problem .title').waitFor();
    isDown = false;
    await here.locator('#problem .action').tap();
    await here.locator('.hero-title').waitFor();
    await here.locator('#problem .title').waitFor({ state: 'detached' });
  }));

  for (const [width, font, language, dark] of [[320, 25.5, 'zh_CN', false], [320, 25.5, 'en', true], [375, 16, 'en', false]]) {
    await t.test(`a full overview has no faulty box at ${width} px and ${font} px, ${language}`, () => withPhone({ width, font, language, dark }, async (phone, here) => {
      const overview = buildRichOverview();
      await phone.route('**/api/workspaces', (route) => route.fulfill({ json: { items: [overview.workspace, { ...overview.workspace, id: 'b' }], deleted: [], most: 20 } }));
      await phone.route('**/overview*', (route) => route.fulfill({ json: overview }));
      await phone.reload();
      await here.locator('.tile').first().waitFor();
      await phone.waitForTimeout(300);
      if (process.env.SCREENS) {
        await phone.setViewportSize({ width, height: 3600 });
        await phone.screenshot({ path: `${process.env.SCREENS}/overview-${width}-${font}-${language}${dark ? '-dark' : ''}.png` });
      }
      assert.deepEqual(await phone.evaluate(findFaultyBoxes), []);
    }));
  }
}

module.exports = { testOverviewPage };
