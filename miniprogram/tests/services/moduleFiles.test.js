'use strict';

const test = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const vm = require('node:vm');
const zlib = require('node:zlib');
const { minify } = require('terser');

const ROOT = path.join(__dirname, '..', '..');
const read = (name) => fs.readFileSync(path.join(ROOT, name), 'utf8');
/** The code without comments. */
const readCode = (name) => read(name).replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');

const FILES = {
  'services/api.js': ['api', 'createApi'],
  'services/errorCatalog.js': ['errorCatalog', 'createErrorCatalog'],
  'services/http.js': ['http', 'createHttp'],
  'services/session.js': ['session', 'createSession'],
  'pages/report-v2/stream/webSocketClient.js': ['webSocketClient', 'createClient'],
  'pages/report-v2/stream/reportPresenter.js': ['reportPresenter', 'createPresenter'],
  'services/transports/browser.js': ['browserTransport', 'createBrowserTransport'],
  'services/transports/wx.js': ['wxTransport', 'createWxTransport'],
};

for (const [file, [name, factory]] of Object.entries(FILES)) {
  test(`${file} can be required by a mini-program`, () => {
    assert.deepEqual(Object.keys(require(path.join(ROOT, file))), [factory]);
  });

  test(`${file} can be loaded by a page with a script tag and adds one global`, () => {
    const page = vm.createContext({});
    vm.runInContext(read(file), page);
    assert.deepEqual(Object.keys(page), ['diag']);
    assert.equal(typeof page.diag[name][factory], 'function');
  });
}

test('the modules share one global object', () => {
  const page = vm.createContext({});
  Object.keys(FILES).forEach((file) => vm.runInContext(read(file), page));
  assert.deepEqual(Object.keys(page.diag).sort(), Object.values(FILES).map(([name]) => name).sort());
});

for (const file of Object.keys(FILES).filter((name) => name !== 'services/transports/browser.js')) {
  test(`${file} uses nothing that only browsers have`, () => {
    assert.doesNotMatch(readCode(file), /(?<![.'\w])(window|document|fetch|WebSocket|globalThis|self|localStorage|process)\b/);
  });
}

for (const file of Object.keys(FILES)) {
  test(`${file} uses ECMAScript 2017 only`, () => {
    assert.doesNotMatch(readCode(file), /\?\.[a-z[(]|\?\?|\{ ?\.\.\.|catch \{|\d_\d|\.flat\(|\.matchAll\(|fromEntries/i);
  });
}

test('the defaults are the WebSocket and fetch of the page, and its origin', () => {
  const calls = [];
  const page = vm.createContext({
    location: { origin: 'https://site.example' },
    WebSocket: function WebSocket(url) { calls.push(url); },
    fetch: (url) => {
      calls.push(url);
      return new Promise(() => {});
    },
    AbortController, setTimeout, clearTimeout,
  });
  vm.runInContext(read('services/transports/browser.js'), page);
  vm.runInContext(`
    const transport = diag.browserTransport.createBrowserTransport();
    transport.connect('/ws/x/', {});
    transport.poll('/api/x', { token: null, timeoutMs: 30000 }, () => {}).abort();
  `, page);
  assert.deepEqual(calls, ['wss://site.example/ws/x/', 'https://site.example/api/x']);
});

test('the socket client with its transport has at most 4 KiB, minified and gzipped', async () => {
  const code = ['pages/report-v2/stream/webSocketClient.js', 'services/transports/wx.js'].map(read);
  const minified = await Promise.all(code.map((text) => minify(text)));
  const size = zlib.gzipSync(minified.map((result) => result.code).join('')).length;
  assert.ok(size <= 4096, `${size} bytes`);
});
