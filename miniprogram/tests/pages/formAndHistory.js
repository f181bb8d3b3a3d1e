'use strict';

const assert = require('node:assert/strict');

async function testFormAndHistory(t, pages) {
  async function withPhone(options, run) {
    const phone = await pages.openPhone(options);
    await phone.locator('.screen').first().waitFor();
    await run(phone);
    assert.deepEqual(await phone.closePhone(), []);
  }
  const startSample = async (phone) => {
    await phone.locator('.platform-name').first().waitFor();
    await phone.locator('#sample').tap();
    await phone.locator('#start').tap();
    await phone.locator('#headline').waitFor();
  };
  const tab = (phone, name) => phone.locator('.host-tabs button', { hasText: name }).tap();

  await t.test('an empty form shows errors at its fields and sends nothing', () => withPhone({}, async (phone) => {
    let sent = 0;
    await phone.route('**/api/diagnoses', (route) => {
      if (route.request().method() === 'POST') sent += 1;
      return route.continue();
    });
    await phone.locator('.platform-name').first().waitFor();
    await phone.locator('.platform.is-selected').first().tap();
    await phone.locator('#start').tap();
    await phone.locator('#field-brand .field-error').waitFor();
    assert.equal(await phone.locator('#field-brand .field-error').textContent(), '请填写品牌名。');
    assert.equal(await phone.locator('#field-question0 .field-error').textContent(), '请至少填写一个问题。');
    assert.equal(await phone.locator('#field-platforms .field-error').textContent(), '请至少选择一个平台。');
    await phone.locator('#field-brand input').fill('山岚');
    await phone.locator('#field-brand .field-error').waitFor({ state: 'detached' });
    assert.equal(sent, 0);
  }));

  await t.test('an error of the server is shown at its field', () => withPhone({}, async (phone) => {
    await phone.locator('.platform-name').first().waitFor();
    await phone.locator('#field-brand input').fill('山岚');
    await phone.locator('#field-question0 textarea').fill('哪个好？');
    await phone.locator('#field-question2 textarea').fill('哪个好？');
    await phone.locator('#start').tap();
    await phone.locator('#field-question2 .field-error').waitFor();
    assert.equal(await phone.locator('.field-error').count(), 1);
  }));

  await t.test('a submission whose response was lost is retried with the same key', () => withPhone({}, async (phone) => {
    const keys = [];
    await phone.route('**/api/diagnoses', async (route) => {
      if (route.request().method() !== 'POST') return route.continue();
      keys.push(route.request().headers()['idempotency-key']);
      if (keys.length > 1) return route.continue();
      await route.fetch();
      return route.abort();
    });
    await startSample(phone);
    assert.equal(keys.length, 2);
    assert.equal(keys[0], keys[1]);
    const { token } = await phone.evaluate('wx.getStorageSync("diag.session")');
    const answer = await fetch(`${pages.site.url}/api/diagnoses`, { headers: { Authorization: `Bearer ${token}` } });
    assert.equal((await answer.json()).items.length, 1);
  }));

  await t.test('pasted lines become questions, and templates contain the product', () => withPhone({}, async (phone) => {
    await phone.locator('#field-question0 textarea').fill('第一个？\n第二个？\n第三个？');
    await phone.locator('#field-question4').waitFor({ state: 'attached' });
    const text = (index) => phone.locator(`#field-question${index} textarea`).inputValue();
    assert.deepEqual([await text(0), await text(1), await text(2)], ['第一个？', '第二个？', '第三个？']);
    await phone.locator('#templates').tap();
    await phone.locator('#product input').fill('茶壶');
    await phone.locator('.category', { hasText: '家居家电' }).tap();
    await phone.locator('.template', { hasText: '小户型适合买哪个牌子的茶壶？' }).tap();
    await phone.locator('.template.is-selected').waitFor();
    await phone.locator('.sheet .text-button').tap();
    await phone.locator('.sheet').waitFor({ state: 'detached' });
    assert.equal(await text(3), '小户型适合买哪个牌子的茶壶？');
  }));

  await t.test('competitors of earlier diagnoses are suggested and added by a tap', () => withPhone({}, async (phone) => {
    await startSample(phone);
    await phone.openForm();
    await phone.locator('#field-brand input').fill('山岚');
    await phone.locator('#field-brand input').blur();
    await phone.locator('.suggestion', { hasText: '云栖壶' }).tap();
    await phone.waitForFunction('__host.page().form.competitors[0].name === "云栖壶"');
    await phone.waitForFunction('document.querySelectorAll("#field-competitor0 input")[1].value === "云栖"');
    await phone.locator('.suggestion', { hasText: '云栖壶' }).waitFor({ state: 'detached' });
  }));

  await t.test('the draft is restored after a restart', () => withPhone({}, async (phone) => {
    await phone.locator('#field-brand input').fill('山岚');
    await phone.waitForFunction('(wx.getStorageSync("diag.draft") || {}).brand === "山岚"');
    await phone.reload();
    await phone.waitForFunction('document.querySelector("#field-brand input")?.value === "山岚"');
  }));

  await t.test('the history searches, filters and opens diagnoses', () => withPhone({}, async (phone) => {
    await phone.openTab('history');
    await phone.locator('.empty-state').waitFor();
    await phone.locator('.empty-state .button').tap();
    await startSample(phone);
    await phone.locator('.host-back').tap();
    await phone.locator('.host-page:not(.is-behind) .item').waitFor();
    const currentPage = phone.locator('.host-page:not(.is-behind)');
    await currentPage.locator('#q input').fill('没有这个牌子');
    await currentPage.locator('.empty-state').waitFor();
    assert.equal(await currentPage.locator('.empty-state .hint').textContent(), '没有符合条件的诊断。');
    await currentPage.locator('#q input').fill('山');
    await currentPage.locator('.item').waitFor();
    await currentPage.locator('.filter', { hasText: '失败' }).tap();
    await currentPage.locator('.empty-state').waitFor();
    await currentPage.locator('.filter', { hasText: '已完成' }).tap();
    await currentPage.locator('.item').tap();
    await currentPage.locator('#headline').waitFor();
  }));

  await t.test('the settings show the server, change the language, and sign out', () => withPhone({}, async (phone) => {
    await phone.locator('.platform-name').first().waitFor();
    await phone.openTab('config');
    const currentPage = phone.locator('.host-page:not(.is-behind)');
    assert.equal(await currentPage.locator('#server input').inputValue(), pages.site.url);
    await currentPage.locator('.segment', { hasText: 'English' }).tap();
    await currentPage.locator('.section-title', { hasText: 'About' }).waitFor();
    await tab(phone, 'Overview');
    await currentPage.locator('.hero-title', { hasText: 'Does AI' }).waitFor();
    await tab(phone, 'Settings');
    await currentPage.locator('#sign-out').tap();
    await currentPage.locator('.value', { hasText: 'Not signed in' }).waitFor();
    assert.equal(await phone.evaluate('wx.getStorageSync("diag.session")'), '');
  }));

  await t.test('large text on a small phone needs no horizontal scrolling', () => withPhone({ width: 320 }, async (phone) => {
    await startSample(phone);
    const id = await phone.evaluate('__host.page().id');
    const isWide = () => phone.evaluate('(({ scrollWidth, clientWidth }) => scrollWidth > clientWidth)(document.querySelector(".host-page:not(.is-behind)"))');
    for (const { width, font, language } of [{ width: 320, font: 16, language: 'zh_CN' }, { width: 320, font: 24, language: 'zh_CN' }, { width: 375, font: 20, language: 'en' }]) {
      await phone.setViewportSize({ width, height: 812 });
      await phone.goto(`${pages.site.url}/miniprogram?font=${font}&language=${language}&open=${encodeURIComponent(`pages/report-v2/report-v2?id=${id}`)}`);
      await phone.locator('#headline').waitFor();
      assert.equal(await isWide(), false, `report ${width} ${font}`);
      await phone.openTab('overview');
      for (const index of [0, 1, 2]) {
        await phone.locator('.host-tabs button').nth(index).tap();
        await phone.locator('.host-page:not(.is-behind) .card, .host-page:not(.is-behind) .item').first().waitFor();
        assert.equal(await isWide(), false, `tab ${index} ${width} ${font}`);
      }
      await phone.openForm();
      await phone.locator('.platform-name').first().waitFor();
      assert.equal(await isWide(), false, `form ${width} ${font}`);
    }
  }));
}

module.exports = { testFormAndHistory };
