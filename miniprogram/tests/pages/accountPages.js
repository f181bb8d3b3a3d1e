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
    await phone.locator('.host-tabs button', { hasText: '设置' }).tap();
    await phone.locator('#account').tap();
    await phone.locator('.model').first().waitFor();
    await phone.locator('#delete-account').tap();
    await phone.getByText('账号和全部数据已经删除。').waitFor();
    assert.equal(await phone.evaluate('wx.getStorageSync("diag.session")'), '');
    await phone.evaluate('getApp().api.get("/api/consent")');
    assert.notEqual((await phone.evaluate('wx.getStorageSync("diag.session")')).user.id, user.id);
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
