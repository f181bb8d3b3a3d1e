'use strict';

const test = require('node:test');
const assert = require('node:assert/strict');
const { createHttp } = require('../../services/http.js');
const { createClock } = require('../support/clock.js');
const { createWx } = require('../support/wx.js');

function setUp(options) {
  const wx = createWx();
  const clock = createClock();
  const http = createHttp({ wx, baseUrl: 'https://site.example/', clock: clock.view(), ...options });
  return { wx, clock, http, last: () => wx.requests[wx.requests.length - 1].options };
}

const answer = (options, statusCode = 200, data = {}, header = {}) => options.success({ statusCode, data, header });

test('a request has its method, headers, body and timeout', async () => {
  const { http, last } = setUp();
  http.send({ method: 'POST', path: '/api/x', body: { a: 1 }, token: 'abc', headers: { 'Idempotency-Key': 'k' } });
  const { url, method, header, data, timeout } = last();
  assert.deepEqual({ url, method, header, data, timeout }, {
    url: 'https://site.example/api/x',
    method: 'POST',
    header: {
      Accept: 'application/json', 'Accept-Language': 'zh-CN', Authorization: 'Bearer abc',
      'Content-Type': 'application/json', 'Idempotency-Key': 'k',
    },
    data: '{"a":1}',
    timeout: 15000,
  });
});

test('a request without body or token has no header for them', () => {
  const { http, last } = setUp({ language: 'en' });
  http.send({ path: '/api/x', timeoutMs: 20 });
  assert.deepEqual(last().header, { Accept: 'application/json', 'Accept-Language': 'en' });
  assert.equal(last().method, 'GET');
  assert.equal(last().data, undefined);
  assert.equal(last().timeout, 20);
});

test('a request resolves for every status, and a body that is not JSON is null', async () => {
  const { http, last } = setUp();
  const send = (...args) => {
    const sent = http.send({ path: '/' });
    answer(last(), ...args);
    return sent;
  };
  assert.deepEqual(await send(500, { code: 'X' }, { ETag: 'e' }), { status: 500, body: { code: 'X' }, headers: { etag: 'e' } });
  assert.deepEqual(await send(200, '<html>', null), { status: 200, body: null, headers: {} });
  assert.deepEqual(await send(204, null), { status: 204, body: null, headers: {} });
});

for (const [errMsg, code] of [
  ['request:fail timeout', 'NETWORK_TIMEOUT'], ['request:fail Request Timed Out', 'NETWORK_TIMEOUT'],
  ['request:fail net::ERR', 'NETWORK_ERROR'], [undefined, 'NETWORK_ERROR'],
]) {
  test(`a failure (${errMsg}) is a ${code}`, async () => {
    const { http, last } = setUp();
    const sent = http.send({ path: '/' });
    last().fail(errMsg && { errMsg });
    await assert.rejects(sent, { message: code, problem: { code } });
  });
}

test('a failure without a message, and an exception of wx.request, are a NETWORK_ERROR', async () => {
  const { wx, http, last } = setUp();
  const sent = http.send({ path: '/' });
  last().fail({});
  await assert.rejects(sent, { problem: { code: 'NETWORK_ERROR' } });
  wx.request = () => { throw new Error('too many'); };
  await assert.rejects(http.send({ path: '/' }), { problem: { code: 'NETWORK_ERROR' } });
});

test('at most nine requests run concurrently: the platform allows ten, and the event stream polls', async () => {
  const { wx, http } = setUp();
  const sent = Array.from({ length: 12 }, (_, i) => http.send({ path: `/${i}` }));
  assert.equal(wx.requests.length, 9);
  answer(wx.requests[4].options);
  assert.equal(wx.requests.length, 10, 'the next request starts when one has finished');
  wx.requests[0].options.fail({ errMsg: 'x' });
  wx.requests[0].options.fail({ errMsg: 'x' });
  assert.equal(wx.requests.length, 11, 'a second callback is ignored');
  await assert.rejects(sent[0]);
  wx.requests.slice(1).forEach((request) => answer(request.options));
  answer(wx.requests[11].options);
  await Promise.all(sent.slice(1));
  assert.deepEqual(wx.requests.map((request) => request.options.url.split('/').pop()), [...Array(12).keys()].map(String));
});

test('an exception of wx.request frees its slot', async () => {
  const { wx, http } = setUp();
  const { request } = wx;
  wx.request = () => { throw new Error('too many'); };
  await Promise.allSettled(Array.from({ length: 20 }, () => http.send({ path: '/' })));
  wx.request = request;
  http.send({ path: '/' });
  assert.equal(wx.requests.length, 1);
});

test('a request without a callback fails 5 s after its timeout and frees its slot', async () => {
  const { wx, clock, http } = setUp();
  const sent = Array.from({ length: 10 }, () => http.send({ path: '/', timeoutMs: 1000 }));
  const rejected = Promise.all(sent.slice(0, 9).map((one) => assert.rejects(one, { problem: { code: 'NETWORK_TIMEOUT' } })));
  await clock.advance(5999);
  assert.equal(wx.requests.length, 9);
  assert.equal(wx.requests[0].isAborted, false);
  await clock.advance(1);
  await rejected;
  assert.equal(wx.requests[0].isAborted, true);
  assert.equal(wx.requests.length, 10);
  answer(wx.requests[9].options);
  await sent[9];
});

test('an answered request leaves no timer', async () => {
  const clock = createClock();
  const view = clock.view();
  const wx = createWx();
  const http = createHttp({ wx, baseUrl: '', clock: view });
  const sent = http.send({ path: '/' });
  assert.equal(view.pending(), 1);
  answer(wx.requests[0].options);
  await sent;
  assert.equal(view.pending(), 0);
});

test('the real clock is the default', async () => {
  const wx = createWx();
  const http = createHttp({ wx, baseUrl: '' });
  const sent = http.send({ path: '/' });
  answer(wx.requests[0].options, 201);
  assert.equal((await sent).status, 201);
});
