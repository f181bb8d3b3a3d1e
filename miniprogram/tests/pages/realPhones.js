'use strict';

/** What the pages do on phones as they are: late views, fields that are typed into meanwhile, callbacks that never come, suspension. */
const assert = require('node:assert/strict');
const { measureBoxes } = require('./screens');

const TEMPLATE = ["TEMPLATE_ID: ''", "TEMPLATE_ID: 'template'"];
const KEY_DELAY_MS = 12;
const LETTERS = '买家会问的问题abcdefgh12345，品牌';

const typedText = (length) => Array.from({ length }, (nothing, index) => LETTERS[index % LETTERS.length]).join('');

/** Each field of the form and of the history: its selector and the most characters that it takes. */
const FIELDS = [
  ['#field-brand input', 100], ['#field-aliases input', 500], ['#field-sites input', 500], ['#field-competitor0 input >> nth=0', 100],
  ['#field-competitor0 input >> nth=1', 500], ['#field-question0 textarea', 500], ['#product input', 30], ['#q input', 100],
];

/** Type into every field while the view follows `lag` late; return the characters that are lost. */
async function measureTyping(pages, { length, lag = '0,150' }) {
  const phone = await pages.openPhone({ lag });
  await phone.locator('.platform-name').first().waitFor();
  let lost = 0;
  for (const [selector, max] of FIELDS) {
    if (selector.startsWith('#product')) await phone.locator('#templates').tap();
    if (selector.startsWith('#q ')) {
      await phone.locator('.sheet .text-button').tap();
      await phone.openTab('history');
    }
    const field = phone.locator(`.host-page:not(.is-behind) ${selector}`);
    const text = typedText(Math.min(length, max));
    await field.pressSequentially(text, { delay: KEY_DELAY_MS });
    await phone.waitForTimeout(700); // the page saves and checks what was typed, and the view follows
    const shown = await field.inputValue();
    lost += text.length - shown.length + Number(shown.length === text.length && shown !== text);
  }
  const violations = await phone.closePhone();
  return { lost, violations };
}

async function testRealPhones(t, pages) {
  async function withPhone(options, run) {
    const phone = await pages.openPhone(options);
    await phone.locator('.screen').first().waitFor();
    await run(phone, phone.locator('.host-page:not(.is-behind)'));
    assert.deepEqual(await phone.closePhone(), []);
  }
  const fillShort = async (phone) => {
    await phone.locator('.platform-name').first().waitFor();
    for (const chosen of await phone.locator('.platform.is-selected').all()) await chosen.tap();
    await phone.locator('.platform').filter({ hasText: 'p1' }).first().tap();
    await phone.locator('#field-brand input').fill('山岚');
    await phone.locator('#field-question0 textarea').fill('哪个好？');
  };

  await t.test('no typed character is lost while the view follows late', async () => {
    assert.deepEqual(await measureTyping(pages, { length: 40 }), { lost: 0, violations: [] });
  });

  await t.test('a diagnosis starts although WeChat never answers the question about the message', () => withPhone({ replace: [TEMPLATE] }, async (phone) => {
    await phone.evaluate('__host.wx.silent = ["requestSubscribeMessage"]; undefined');
    await fillShort(phone);
    await phone.locator('#start').tap();
    await phone.locator('#progress, #headline').first().waitFor();
  }));

  await t.test('a server that never answers ends in an error, and the form is kept', () => withPhone({}, async (phone) => {
    await fillShort(phone);
    await phone.evaluate('__host.speed = 20; undefined');
    let abort;
    await phone.route('**/api/diagnoses', (route) => {
      if (route.request().method() !== 'POST') return route.continue();
      return new Promise((resolve) => { abort = () => route.abort().then(resolve); });
    });
    await phone.locator('#start').tap();
    await phone.locator('#errors .toast .title', { hasText: '等待超时' }).waitFor();
    assert.equal(await phone.locator('#field-brand input').inputValue(), '山岚');
    assert.equal(await phone.locator('#start').textContent(), '开始诊断');
    await abort();
  }));

  await t.test('a typed form is replaced by the example only on consent, in both languages', async () => {
    for (const language of ['zh_CN', 'en']) {
      await withPhone({ language }, async (phone) => {
        await fillShort(phone);
        await phone.evaluate('__host.wx.confirm = false; undefined');
        await phone.locator('#sample').tap();
        await phone.waitForFunction('__host.wx.modals.length === 1');
        assert.equal(await phone.locator('#field-question0 textarea').inputValue(), '哪个好？');
        await phone.evaluate('__host.wx.confirm = true; undefined');
        await phone.locator('#sample').tap();
        await phone.waitForFunction('document.querySelector("#field-question0 textarea")?.value.includes("手冲")');
      });
    }
  });

  await t.test('twenty-five pasted lines become twenty questions, and the rest is named', () => withPhone({}, async (phone) => {
    await phone.locator('.platform-name').first().waitFor();
    const lines = Array.from({ length: 25 }, (nothing, index) => `第 ${index + 1} 个问题：买给第一次用的人，选哪个牌子不容易踩坑？`);
    await phone.locator('#field-question0 textarea').fill(lines.join('\n'));
    await phone.locator('#field-question19').waitFor({ state: 'attached' });
    assert.deepEqual(await phone.evaluate('__host.page().form.questions.map(({ text }) => text)'), lines.slice(0, 20));
    assert.match(await phone.locator('#omitted').textContent(), /还有 5 行没有加入/);
  }));

  await t.test('a product with a dollar sign is put into the templates as it is', () => withPhone({}, async (phone) => {
    await phone.locator('#templates').tap();
    await phone.locator('#product input').fill('$& $1 壶');
    await phone.locator('.template', { hasText: '$& $1 壶推荐哪个牌子？' }).waitFor();
  }));

  await t.test('an ambiguous name is asked about, and the answer is sent', () => withPhone({}, async (phone) => {
    await phone.locator('.platform-name').first().waitFor();
    for (const chosen of await phone.locator('.platform.is-selected').all()) await chosen.tap();
    await phone.locator('.platform').filter({ hasText: 'p1' }).first().tap();
    await phone.locator('#field-brand input').fill('小米');
    await phone.locator('#field-question0 textarea').fill('小米怎么样？');
    await phone.locator('.choice').waitFor();
    await phone.locator('.choice').tap();
    await phone.locator('.choice .is-ticked').waitFor();
    const [request] = await Promise.all([
      phone.waitForRequest((sent) => sent.method() === 'POST' && sent.url().endsWith('/api/diagnoses')),
      phone.locator('#start').tap(),
    ]);
    assert.deepEqual(request.postDataJSON().questions_about_brand, [0]);
    await phone.locator('#progress, #headline').first().waitFor();
  }));

  await t.test('the whole tab bar and every page are English after a restart', () => withPhone({ language: 'en' }, async (phone, here) => {
    await phone.locator('.platform-name').first().waitFor();
    const listChinese = () => here.evaluate((page) => (page.innerText.match(/[\u4e00-\u9fff].*/g) || []).filter((line) => !/演示|示例|简体中文/.test(line)));
    assert.deepEqual(await listChinese(), []);
    await phone.openTab('overview');
    await phone.waitForFunction('[...document.querySelectorAll(".host-tabs button")].map(({ textContent }) => textContent).join() === "Overview,History,Settings"');
    for (const name of ['overview', 'history', 'config']) {
      await phone.openTab(name);
      await here.locator('.screen').waitFor();
      await phone.waitForTimeout(400);
      assert.deepEqual(await listChinese(), []);
    }
  }));

  await t.test('the language of the system is asked for once', () => withPhone({}, async (phone) => {
    await fillShort(phone);
    await phone.locator('#start').tap();
    await phone.locator('#headline').waitFor();
    const { getAppBaseInfo = 0, getSystemInfoSync = 0 } = await phone.evaluate('__host.wx.calls');
    assert.ok(getAppBaseInfo + getSystemInfoSync <= 3, `${getAppBaseInfo + getSystemInfoSync} calls`);
  }));

  await t.test('the history keeps its loaded pages when the user returns to it', () => withPhone({}, async (phone, here) => {
    const items = Array.from({ length: 33 }, (nothing, index) => ({ id: `00000000-0000-4000-8000-0000000000${index + 10}`, brand: `品牌 ${index}`, status: 'completed', demo: false, created_at: '2026-11-30T00:00:00Z', valid: 1, planned: 1 }));
    await phone.route(/\/api\/diagnoses(\?.*)?$/, (route) => {
      const isSecond = route.request().url().includes('cursor=');
      return route.fulfill({ json: isSecond ? { items: items.slice(20), next: null } : { items: items.slice(0, 20), next: 'c' } });
    });
    await phone.openTab('history');
    await here.locator('.item').nth(19).waitFor();
    await phone.evaluate('__host.page().onReachBottom()');
    await here.locator('.item').nth(32).waitFor();
    await phone.openTab('overview');
    await phone.openTab('history');
    await phone.waitForFunction('!__host.page().isLoading');
    await phone.waitForTimeout(400);
    assert.equal(await here.locator('.item').count(), 33);
    assert.equal(await here.locator('.more').textContent(), '没有更多了');
  }));

  await t.test('the answer that is read stays in its place when the diagnosis ends', () => withPhone({}, async (phone, here) => {
    await pages.site.send('hold');
    await phone.locator('.platform-name').first().waitFor();
    for (const chosen of await phone.locator('.platform.is-selected').all()) await chosen.tap();
    for (const name of ['p1', 'last']) await phone.locator('.platform').filter({ hasText: name }).first().tap();
    await phone.locator('#field-brand input').fill('山岚');
    for (const index of [0, 1, 2]) await phone.locator(`#field-question${index} textarea`).fill(`第 ${index} 个？`);
    await phone.locator('#start').tap();
    const answer = here.locator('.answer.valid').last();
    await here.locator('.answer.valid').nth(2).waitFor();
    await answer.tap();
    await here.locator('.detail .answer-text').waitFor();
    await answer.evaluate((element) => { element.closest('.host-page').scrollTop += element.getBoundingClientRect().top - 200; });
    const before = (await answer.boundingBox()).y;
    await pages.site.send('release');
    await here.locator('#headline').waitFor({ state: 'attached' });
    await here.locator('.report-ready').waitFor();
    assert.ok(Math.abs((await answer.boundingBox()).y - before) < 3, `moved by ${(await answer.boundingBox()).y - before}`);
    await here.locator('.report-ready').tap();
    await phone.waitForFunction('document.querySelector(".host-page:not(.is-behind)").scrollTop === 0');
  }));

  await t.test('an end whose report cannot be read says so, and is read on retry', () => withPhone({}, async (phone, here) => {
    await pages.site.send('hold');
    await phone.locator('.platform-name').first().waitFor();
    for (const chosen of await phone.locator('.platform.is-selected').all()) await chosen.tap();
    await phone.locator('.platform').filter({ hasText: 'last' }).first().tap();
    await phone.locator('#field-brand input').fill('山岚');
    await phone.locator('#field-question0 textarea').fill('哪个好？');
    await phone.locator('#start').tap();
    await here.locator('.connection.live').waitFor();
    let isDown = true;
    await phone.route('**/report', (route) => (isDown ? route.fulfill({ status: 503, body: '' }) : route.continue()));
    await pages.site.send('release');
    await here.locator('#problem .title').waitFor();
    assert.equal(await here.locator('.stage').textContent(), '诊断已结束，正在读取报告…');
    isDown = false;
    await here.locator('#problem .action').tap();
    await here.locator('#headline').waitFor();
  }));

  await t.test('an error of the diagnosis on the screen leads to its answers, not to a second copy of the page', () => withPhone({}, async (phone, here) => {
    await fillShort(phone);
    await phone.locator('#start').tap();
    await here.locator('#headline').waitFor();
    for (const code of ['DIAGNOSIS_FAILED', 'DIAGNOSIS_CANCELLED']) {
      await phone.evaluate((name) => window.__host.page().selectComponent('#errors').show({ code: name }), code);
      await here.locator('#errors wx-button', { hasText: '查看部分结果' }).tap();
      assert.equal(await phone.evaluate('getCurrentPages().length'), 1);
    }
  }));

  await t.test('after a suspension the page goes on where it was', () => withPhone({}, async (phone, here) => {
    await pages.site.send('hold');
    await phone.locator('.platform-name').first().waitFor();
    for (const chosen of await phone.locator('.platform.is-selected').all()) await chosen.tap();
    for (const name of ['p1', 'last']) await phone.locator('.platform').filter({ hasText: name }).first().tap();
    await phone.locator('#field-brand input').fill('山岚');
    await phone.locator('#field-question0 textarea').fill('哪个好？');
    await phone.locator('#start').tap();
    await here.locator('.answer.valid').first().waitFor();
    await phone.hide();
    await phone.evaluate('__host.wx.freeze()');
    await pages.site.send('release');
    await phone.show();
    await here.locator('#headline').waitFor();
    assert.equal(await here.locator('.answer.valid').count(), 2);
  }));

  await t.test('the pages work with the oldest supported base library', () => withPhone({ lib: '2.21.0' }, async (phone, here) => {
    await fillShort(phone);
    await phone.locator('#start').tap();
    await here.locator('#headline').waitFor();
  }));

  await t.test('long names in the largest text are readable on every screen of the smallest phone', async () => {
    const { faults } = await measureBoxes(pages, { sizes: [{ width: 320, font: 25.5 }], languages: ['zh_CN'], answer: '' });
    assert.deepEqual(faults, []);
  });
}

module.exports = { testRealPhones, measureTyping };
