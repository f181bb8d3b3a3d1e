'use strict';

const assert = require('node:assert/strict');
const { findFaultyBoxes } = require('./boxes');

const ACCOUNT = 'packages/account/account/account';

async function testAccountPages(t, pages) {
  async function withPhone(options, run) {
    const phone = await pages.openPhone(options);
    await phone.locator('.screen').first().waitFor();
    await run(phone);
    assert.deepEqual(await phone.closePhone(), []);
  }
  await t.test('the account is deleted from the settings, and the next call has a new one', () => withPhone({}, async (phone) => {
    await phone.locator('.platform-name').first().waitFor();
    const { user } = await phone.evaluate('wx.getStorageSync("diag.session")');
    await phone.openTab('config');
    await phone.locator('#account').tap();
    await phone.locator('.model').first().waitFor();
    await phone.locator('#delete-account').tap();
    await phone.getByText('账号和全部数据已经删除。').waitFor();
    assert.equal(await phone.evaluate('wx.getStorageSync("diag.session")'), '');
    await phone.evaluate('getApp().api.get("/api/consent")');
    assert.notEqual((await phone.evaluate('wx.getStorageSync("diag.session")')).user.id, user.id);
  }));

  await t.test('the first submission asks for consent, and goes on with the form once it is given', () => withPhone({}, async (phone) => {
    const here = phone.locator('.host-page:not(.is-behind)');
    const bodies = [];
    let isAccepted = false;
    await phone.route('**/api/consent', (route) => {
      if (route.request().method() === 'POST') isAccepted = true;
      return route.continue();
    });
    await phone.route('**/api/diagnoses', (route) => {
      if (route.request().method() !== 'POST') return route.continue();
      bodies.push(route.request().postDataJSON());
      return isAccepted ? route.continue() : route.fulfill({ status: 403, json: { code: 'CONSENT_REQUIRED', status: 403 } });
    });
    await here.locator('.platform-name').first().waitFor();
    await here.locator('#sample').tap();
    await here.locator('#start').tap();
    await here.locator('#accept').tap();
    await here.locator('.field-error', { hasText: '请先阅读并同意。' }).waitFor();
    await phone.locator('.host-back').tap();
    assert.equal(await here.locator('#field-brand input').inputValue(), '山岚');
    await here.locator('#start').tap();
    await here.locator('#agree').tap();
    await here.locator('.box.is-ticked').waitFor();
    await here.locator('#accept').tap();
    await here.locator('#headline').waitFor();
    assert.equal(bodies.length, 3);
    assert.deepEqual(bodies[2], bodies[0]);
    const { version, is_required: isRequired } = await phone.evaluate('getApp().api.get("/api/consent")');
    assert.ok(version);
    assert.equal(isRequired, false);
  }));

  await t.test('an answer is reported from the report, with its reason, and the entry is listed', () => withPhone({}, async (phone) => {
    const here = phone.locator('.host-page:not(.is-behind)');
    await here.locator('.platform-name').first().waitFor();
    await here.locator('#sample').tap();
    await here.locator('#start').tap();
    await here.locator('#headline').waitFor();
    await here.locator('.answer.valid').first().tap();
    await here.locator('.detail .link', { hasText: '举报' }).tap();
    await here.locator('.option', { hasText: '不实信息' }).tap();
    await here.locator('#send').tap();
    await here.locator('.field-error', { hasText: '请填写内容。' }).waitFor();
    await here.locator('#text textarea').fill('价格写错了。');
    const [request] = await Promise.all([
      phone.waitForRequest((one) => one.method() === 'POST' && one.url().endsWith('/api/feedback')),
      here.locator('#send').tap(),
    ]);
    const { kind, reason, answer } = request.postDataJSON();
    assert.deepEqual([kind, reason, typeof answer], ['answer', 'false', 'string']);
    await here.locator('.card', { hasText: '举报回答' }).locator('.paragraph', { hasText: '价格写错了。' }).waitFor();
    assert.equal(await here.locator('#text textarea').inputValue(), '');
  }));

  for (const [width, font, language] of [[375, 16, 'zh_CN'], [320, 25.5, 'en']]) {
    for (const open of [ACCOUNT, 'packages/account/feedback/feedback', 'packages/account/consent/consent', 'packages/account/legal/legal']) {
      await t.test(`${open} has no faulty box at ${width} px and ${font} px, ${language}`, () => withPhone({ open, width, font, language }, async (phone) => {
        await phone.waitForLoadState('networkidle');
        if (process.env.SCREENS) await phone.screenshot({ path: `${process.env.SCREENS}/${open.split('/').pop()}-${width}-${language}.png` });
        assert.deepEqual(await phone.evaluate(findFaultyBoxes), []);
      }));
    }
  }
}

module.exports = { testAccountPages };
