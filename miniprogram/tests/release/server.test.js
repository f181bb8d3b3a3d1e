'use strict';

const test = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const vm = require('node:vm');
const { createRequire } = require('node:module');

const APP = path.join(__dirname, '..', '..', 'app.js');
const SITE = 'https://diagnosis.site.cn';
const LOCAL = 'http://127.0.0.1:8765';

/** Launch app.js with this `wx`; return the app, the addresses that it called, and how it signs in. */
async function launch({ version, platform = 'ios', stored, query = {} }) {
  const storage = new Map(stored ? [['diag.server', stored]] : []);
  const requests = [];
  const wx = {
    getAccountInfoSync: () => ({ miniProgram: { envVersion: version } }),
    getDeviceInfo: () => ({ platform }),
    getAppBaseInfo: () => ({ language: 'zh_CN' }),
    canIUse: () => true,
    getStorageSync: (key) => storage.get(key) || '',
    setStorageSync: (key, value) => storage.set(key, value),
    removeStorageSync: (key) => storage.delete(key),
    login: ({ success }) => success({ code: 'code-1' }),
    request(options) {
      requests.push(options);
      return { abort() {} };
    },
  };
  const require_ = createRequire(APP);
  let app;
  const load = (name) => (name === './config' ? { ...require_(name), SERVER: SITE } : require_(name));
  const globals = { wx, App: (options) => { app = options; }, require: load, module: { exports: {} }, setTimeout: () => 0, clearTimeout() {} };
  const names = Object.keys(globals);
  const previous = names.map((name) => [name, globalThis[name]]);
  globalThis.wx = wx;
  vm.runInThisContext(`(function (${names.join(', ')}) {${fs.readFileSync(APP, 'utf8')}\n})`, APP)(...Object.values(globals));
  app.onLaunch({ query });
  app.session.getToken().catch(() => {});
  await new Promise(setImmediate);
  globalThis.wx = previous.find(([name]) => name === 'wx')[1];
  const signIn = requests.find(({ url }) => url.endsWith('/api/session'));
  return { app, servers: new Set(requests.map(({ url }) => new URL(url).origin)), credentials: JSON.parse(signIn.data) };
}

test('reviewers, who run the development version on a phone, get the real site and sign in by WeChat', async () => {
  for (const version of ['develop', 'trial', 'release']) {
    for (const platform of ['ios', 'android', 'ohos', 'windows', 'mac']) {
      const { app, servers, credentials } = await launch({ version, platform });
      assert.deepEqual([...servers], [SITE], `${version} ${platform}`);
      assert.deepEqual(credentials, { code: 'code-1' });
      assert.equal(app.isDevelopment, false);
    }
  }
});

test('the developer tools use the local site, or the one that was chosen there', async () => {
  const local = await launch({ version: 'develop', platform: 'devtools' });
  assert.deepEqual([...local.servers], [LOCAL]);
  assert.match(local.credentials.device_id, /^mini-/);
  const chosen = await launch({ version: 'develop', platform: 'devtools', stored: 'http://10.0.0.5:8765' });
  assert.deepEqual([...chosen.servers], ['http://10.0.0.5:8765']);
  const real = await launch({ version: 'develop', platform: 'devtools', stored: SITE });
  assert.deepEqual(real.credentials, { code: 'code-1' }, 'the real site has no sign-in by device');
});

test('a preview for another server keeps to it; a released version ignores such a link and what is stored', async () => {
  const query = { server: encodeURIComponent('http://192.168.1.5:8765') };
  const preview = await launch({ version: 'develop', query });
  assert.deepEqual([...preview.servers], ['http://192.168.1.5:8765']);
  assert.equal(preview.app.isDevelopment, true);
  const released = await launch({ version: 'release', query, stored: 'http://192.168.1.5:8765' });
  assert.deepEqual([...released.servers], [SITE]);
});
