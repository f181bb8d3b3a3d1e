'use strict';

const test = require('node:test');
const assert = require('node:assert/strict');
const { createBrowserTransport } = require('../../services/transports/browser.js');

class FakeWebSocket {
  constructor(url) {
    this.url = url;
    this.calls = [];
    FakeWebSocket.last = this;
  }
  send(text) { this.calls.push(['send', text]); }
  close(code) { this.calls.push(['close', code]); }
}

function respond(status, text, headers = {}) {
  return new Response(text, { status, headers });
}

/** Poll through a fetch that returns what `answer` returns. */
async function poll(answer, options = { token: 'abc', timeoutMs: 30000 }) {
  const calls = [];
  const fetch = (...args) => {
    calls.push(args);
    return answer(...args);
  };
  const transport = createBrowserTransport({ baseUrl: 'https://site.example/', WebSocket: FakeWebSocket, fetch });
  const result = await new Promise((resolve) => {
    transport.poll('/api/x?after=1', options, (...args) => resolve(args));
  });
  return { result, url: calls[0][0], options: calls[0][1] };
}

test('a socket connects to the same origin by ws or wss', () => {
  const handlers = {};
  createBrowserTransport({ baseUrl: 'https://site.example/', WebSocket: FakeWebSocket }).connect('/ws/x/', handlers);
  assert.equal(FakeWebSocket.last.url, 'wss://site.example/ws/x/');
  createBrowserTransport({ baseUrl: 'http://127.0.0.1:8765', WebSocket: FakeWebSocket }).connect('/ws/x/', handlers);
  assert.equal(FakeWebSocket.last.url, 'ws://127.0.0.1:8765/ws/x/');
});

test('events of the socket reach the client, and frames of the client the socket', () => {
  const heard = [];
  const handlers = Object.fromEntries(['onOpen', 'onMessage', 'onClose', 'onError'].map((name) => [
    name, (...args) => heard.push([name, ...args]),
  ]));
  const transport = createBrowserTransport({ baseUrl: 'http://site.example', WebSocket: FakeWebSocket });
  const handle = transport.connect('/ws/x/', handlers);
  const socket = FakeWebSocket.last;
  socket.onopen({});
  socket.onmessage({ data: '{"a":1}' });
  socket.onerror({});
  socket.onclose({ code: 4404, reason: 'gone' });
  handle.send('text');
  handle.close(1000);
  assert.deepEqual(heard, [['onOpen'], ['onMessage', '{"a":1}'], ['onError'], ['onClose', 4404, 'gone']]);
  assert.deepEqual(socket.calls, [['send', 'text'], ['close', 1000]]);
});

test('a poll has the token in a header, never in the URL', async () => {
  const { result, url, options } = await poll(async () => respond(200, '{"epoch":"e"}'));
  assert.equal(url, 'https://site.example/api/x?after=1');
  assert.equal(options.headers.Authorization, 'Bearer abc');
  assert.equal(options.headers.Accept, 'application/json');
  assert.equal(options.credentials, 'same-origin');
  assert.equal(options.cache, 'no-store');
  assert.deepEqual(result, [null, { status: 200, body: { epoch: 'e' }, retryAfterMs: null }]);
});

test('a poll without a token has no Authorization header', async () => {
  const { options } = await poll(async () => respond(200, '{}'), { token: null, timeoutMs: 1000 });
  assert.equal('Authorization' in options.headers, false);
});

test('a poll resolves for every status, and a body that is not JSON is null', async () => {
  const { result } = await poll(async () => respond(502, '<html>'));
  assert.deepEqual(result, [null, { status: 502, body: null, retryAfterMs: null }]);
});

test('Retry-After is parsed in seconds and as a date', async () => {
  const seconds = await poll(async () => respond(429, '{}', { 'Retry-After': '7' }));
  assert.equal(seconds.result[1].retryAfterMs, 7000);
  const date = new Date(Date.now() + 60000).toUTCString();
  const asDate = await poll(async () => respond(503, '{}', { 'Retry-After': date }));
  assert.ok(asDate.result[1].retryAfterMs > 50000 && asDate.result[1].retryAfterMs <= 60000);
});

test('a network failure is an error', async () => {
  const failure = new TypeError('Failed to fetch');
  const { result } = await poll(async () => { throw failure; });
  assert.equal(result[0], failure);
});

test('a poll that times out is aborted and reported once', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let signal;
  const calls = [];
  const transport = createBrowserTransport({
    baseUrl: 'https://site.example',
    fetch: (url, options) => new Promise((resolve, reject) => {
      signal = options.signal;
      signal.addEventListener('abort', () => reject(new Error('aborted')));
    }),
  });
  transport.poll('/x', { token: null, timeoutMs: 30000 }, (...args) => calls.push(args));
  t.mock.timers.tick(29999);
  assert.equal(calls.length, 0);
  t.mock.timers.tick(1);
  await new Promise(setImmediate);
  assert.equal(signal.aborted, true);
  assert.equal(calls.length, 1);
  assert.match(calls[0][0].message, /timed out/);
});

test('an answered poll is not aborted later', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { options } = await poll(async () => respond(200, '{}'));
  t.mock.timers.tick(60000);
  assert.equal(options.signal.aborted, false);
});

test('an aborted poll does not call back', async () => {
  const calls = [];
  const transport = createBrowserTransport({
    baseUrl: 'https://site.example',
    fetch: (url, { signal }) => new Promise((resolve, reject) => {
      signal.addEventListener('abort', () => reject(new Error('aborted')));
    }),
  });
  transport.poll('/x', { token: null, timeoutMs: 30000 }, (...args) => calls.push(args)).abort();
  await new Promise(setImmediate);
  assert.deepEqual(calls, []);
});
