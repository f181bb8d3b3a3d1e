'use strict';

const assert = require('node:assert/strict');

const SELECTORS = { toast: '.toast', modal: '.dialog', page: '.full-page', inline: '.inline' };

async function testErrorDialog(t, pages) {
  async function withPhone(run) {
    const phone = await pages.openPhone();
    await phone.locator('.platform-name').first().waitFor();
    await run(phone, phone.locator('.host-page:not(.is-behind)'));
    assert.deepEqual(await phone.closePhone(), []);
  }
  const show = (phone, problem, options = {}) => phone.evaluate(([error, { replaced = [] }]) => {
    window.performed = [];
    const actions = {};
    for (const kind of replaced) actions[kind] = () => window.performed.push(kind);
    window.__host.page().selectComponent('#errors').show(error, { actions });
  }, [problem, options]);
  const problem = (kind, display, more = {}) => ({
    code: 'SERVER_ERROR',
    severity: 'error',
    copy: { title: `标题 ${kind}`, message: '发生了什么。', suggestion: '怎么办。', display, duration_ms: 0, action: { kind, label: `去 ${kind}`, params: {} } },
    ...more,
  });

  await t.test('each code of the catalogue is shown in its display form with its texts', () => withPhone(async (phone, here) => {
    const { errors } = await (await fetch(`${pages.site.url}/api/errors`)).json();
    assert.ok(Object.keys(errors).length >= 21);
    for (const [code, copy] of Object.entries(errors)) {
      await show(phone, { code });
      const shown = here.locator(`#errors ${SELECTORS[copy.display]}`);
      await shown.waitFor();
      assert.equal(await shown.locator('.title').textContent(), copy.title);
    }
  }));

  await t.test('in each display form a tap on the button performs the action and hides the error', () => withPhone(async (phone, here) => {
    for (const display of Object.keys(SELECTORS)) {
      await show(phone, problem('retry', display, { request_id: '0123456789abcdef' }), { replaced: ['retry'] });
      const shown = here.locator(`#errors ${SELECTORS[display]}`);
      if (display !== 'toast') assert.equal(await shown.locator('.reference').textContent(), '参考编号 01234567');
      await shown.locator('wx-button', { hasText: '去 retry' }).tap();
      await shown.waitFor({ state: 'detached' });
      assert.deepEqual(await phone.evaluate('performed'), ['retry'], display);
    }
  }));

  await t.test('a toast hides itself and can be closed', () => withPhone(async (phone, here) => {
    const brief = problem('dismiss', 'toast');
    brief.copy.duration_ms = 50;
    await show(phone, brief);
    await here.locator('#errors .toast').waitFor({ state: 'detached' });
    await show(phone, problem('retry', 'toast'));
    await here.locator('#errors .toast-close').tap();
    await here.locator('#errors .toast').waitFor({ state: 'detached' });
  }));

  await t.test('a retry is disabled for as long as the server asks', () => withPhone(async (phone, here) => {
    const button = here.locator('#errors .action');
    await show(phone, problem('retry', 'modal', { retry_after_ms: 60000 }), { replaced: ['retry'] });
    assert.match(await button.textContent(), /^去 retry（(60|[45]\d) 秒后）$/);
    await show(phone, problem('retry', 'modal', { retry_after_ms: 1500 }), { replaced: ['retry'] });
    await phone.waitForFunction('__host.page().selectComponent("#errors").data.waitSeconds === 0');
    await button.tap();
    assert.deepEqual(await phone.evaluate('performed'), ['retry']);
  }));

  const ROUTES = {
    retry: 'pages/index/index',
    open_history: 'pages/history/history',
    open_report: 'pages/history/history',
    go_home: 'pages/overview/overview',
    switch_platform: 'pages/index/index',
    dismiss: 'pages/index/index',
  };
  await t.test('each action opens its page', () => withPhone(async (phone, here) => {
    for (const [kind, route] of Object.entries(ROUTES)) {
      await phone.evaluate('wx.reLaunch({ url: "/pages/index/index" })');
      await here.locator('.platform-name').first().waitFor();
      await show(phone, problem(kind, 'modal'));
      await here.locator('#errors .action').tap();
      await phone.waitForFunction(`getCurrentPages().slice(-1)[0].route === '${route}'`);
      await here.locator('#errors .dialog').waitFor({ state: 'detached' });
    }
  }));

  await t.test('open_report opens the diagnosis of the problem', () => withPhone(async (phone, here) => {
    const named = problem('open_report', 'modal');
    named.copy.action.params = { diagnosis: '00000000-0000-4000-8000-000000000000' };
    await show(phone, named);
    await here.locator('#errors .action').tap();
    await phone.waitForFunction('getCurrentPages().slice(-1)[0].route === "pages/report-v2/report-v2"');
    await here.locator('#errors .full-page').waitFor();
    assert.equal(await here.locator('#errors .title').textContent(), '没有找到');
    await here.locator('#errors .action').tap();
    await phone.waitForFunction('getCurrentPages().slice(-1)[0].route === "pages/overview/overview"');
  }));

  await t.test('sign_in gets a new token and retries', () => withPhone(async (phone, here) => {
    const before = await phone.evaluate('wx.getStorageSync("diag.session").token');
    await show(phone, problem('sign_in', 'modal'), { replaced: ['retry'] });
    await here.locator('#errors .action').tap();
    await phone.waitForFunction('performed.length === 1');
    assert.notEqual(await phone.evaluate('wx.getStorageSync("diag.session").token'), before);
  }));

  await t.test('switch_platform selects the healthy platforms', () => withPhone(async (phone, here) => {
    await show(phone, problem('switch_platform', 'modal'));
    await here.locator('#errors .action').tap();
    await phone.waitForFunction('__host.page().data.showsHealthyNote');
    assert.equal(await here.locator('.platform.is-selected .health.is-unavailable').count(), 0);
  }));

  await t.test('without a network the form is kept, and the submission can be retried', () => withPhone(async (phone, here) => {
    await phone.locator('#sample').tap();
    await phone.evaluate('__host.wx.setOffline(true)');
    await phone.locator('#start').tap();
    await here.locator('#errors .toast').waitFor();
    assert.equal(await here.locator('#field-brand input').inputValue(), '山岚');
    await phone.evaluate('__host.wx.setOffline(false)');
    await here.locator('#errors .toast-action').tap();
    await here.locator('#headline').waitFor();
  }));
}

module.exports = { testErrorDialog };
