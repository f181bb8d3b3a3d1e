'use strict';

const test = require('node:test');
const assert = require('node:assert/strict');
const { createWxTransport } = require('../../services/transports/wx.js');
const { createWx } = require('../support/wx.js');
const { createClientFixture } = require('../support/clientFixture.js');

function setUp() {
  const wx = createWx();
  const heard = [];
  const handlers = Object.fromEntries(['onOpen', 'onMessage', 'onClose', 'onError'].map((name) => [
    name, (...args) => heard.push([name, ...args]),
  ]));
  const transport = createWxTransport({ wx, baseUrl: 'https://site.example/' });
  return { wx, heard, handlers, transport };
}

function setUpSocket() {
  const fixture = setUp();
  const handle = fixture.transport.connect('/ws/x/', fixture.handlers);
  return { ...fixture, handle, task: fixture.wx.sockets[0] };
}

test('the listeners are attached in the tick of the connect call', () => {
  const { task } = setUpSocket();
  assert.equal(task.options.url, 'wss://site.example/ws/x/');
  assert.equal(task.options.perMessageDeflate, true);
  assert.deepEqual(Object.keys(task.listeners).sort(), ['onClose', 'onError', 'onMessage', 'onOpen']);
});

test('events of the task reach the client, and frames of the client the task', () => {
  const { heard, handle, task } = setUpSocket();
  task.listeners.onOpen({});
  task.listeners.onMessage({ data: 'text' });
  task.listeners.onClose({ code: 4404, reason: 'gone' });
  task.listeners.onClose(undefined);
  task.listeners.onError({ errMsg: 'reset' });
  handle.send('frame');
  assert.deepEqual(heard, [
    ['onOpen'], ['onMessage', 'text'], ['onClose', 4404, 'gone'], ['onClose', undefined, undefined],
    ['onError', { errMsg: 'reset' }],
  ]);
  assert.deepEqual(task.sent, ['frame']);
});

test('"taskID not exist" on close is ignored, thrown or reported', () => {
  const { handle, task } = setUpSocket();
  for (const errMsg of ['closeSocket:fail taskID not exist', 'closeSocket:fail WebSocket is not connected',
    'SocketTask.readyState is not OPEN']) {
    task.closeFails = { errMsg };
    task.closeThrows = null;
    handle.close(1000);
    task.closeThrows = new Error(errMsg);
    handle.close(1000);
  }
  assert.equal(task.closes.length, 6);
});

test('any other failure of a close is thrown', () => {
  const { handle, task } = setUpSocket();
  task.closeFails = { errMsg: 'closeSocket:fail invalid code' };
  assert.throws(() => handle.close(99), { errMsg: 'closeSocket:fail invalid code' });
  task.closeFails = null;
  task.closeThrows = new TypeError('our bug');
  assert.throws(() => handle.close(1000), /our bug/);
});

test('a task that opens after it was closed is closed again, without an event', () => {
  const { heard, handle, task } = setUpSocket();
  task.closeFails = { errMsg: 'closeSocket:fail taskID not exist' };
  handle.close(1000);
  task.closeFails = null;
  task.listeners.onOpen({});
  assert.deepEqual(task.closes, [1000, 1000]);
  assert.deepEqual(heard, []);
});

test('a send that fails is an error of the connection', () => {
  const { heard, handle, task } = setUpSocket();
  task.sendFails = { errMsg: 'sendSocketMessage:fail' };
  handle.send('frame');
  assert.deepEqual(heard, [['onError', { errMsg: 'sendSocketMessage:fail' }]]);
});

test('a connect that fails is an error of the connection', () => {
  const { heard, task } = setUpSocket();
  task.options.fail({ errMsg: 'connectSocket:fail url not in domain list' });
  assert.equal(heard[0][0], 'onError');
});

test('the connect call fails when the platform returns no task', () => {
  const { wx, transport, handlers } = setUp();
  wx.returnsNoTask = true;
  assert.throws(() => transport.connect('/ws/x/', handlers), /no socket/);
});

test('a poll has its token in a header, and its timeout', () => {
  const { wx, transport } = setUp();
  transport.poll('/api/x?after=1', { token: 'abc', timeoutMs: 30000 }, () => {});
  transport.poll('/api/x', { token: null, timeoutMs: 30000 }, () => {});
  const [first, second] = wx.requests.map((request) => request.options);
  assert.equal(first.url, 'https://site.example/api/x?after=1');
  assert.equal(first.timeout, 30000);
  assert.equal(first.header.Authorization, 'Bearer abc');
  assert.equal(first.header.Accept, 'application/json');
  assert.equal('Authorization' in second.header, false);
});

test('success is called for every status', () => {
  const { wx, transport } = setUp();
  const answers = [];
  const poll = () => {
    transport.poll('/x', { token: null, timeoutMs: 1 }, (...args) => answers.push(args));
    return wx.requests[wx.requests.length - 1].options;
  };
  poll().success({ statusCode: 200, data: { epoch: 'e' }, header: {} });
  poll().success({ statusCode: 429, data: { code: 'RATE_LIMITED' }, header: { 'retry-after': '3' } });
  poll().success({ statusCode: 502, data: '<html>', header: undefined });
  assert.deepEqual(answers, [
    [null, { status: 200, body: { epoch: 'e' }, retryAfterMs: null }],
    [null, { status: 429, body: { code: 'RATE_LIMITED' }, retryAfterMs: 3000 }],
    [null, { status: 502, body: null, retryAfterMs: null }],
  ]);
});

test('Retry-After is parsed in any case, in seconds and as a date', () => {
  const { wx, transport } = setUp();
  const waitOf = (header) => {
    let wait;
    transport.poll('/x', { token: null, timeoutMs: 1 }, (error, answer) => { wait = answer.retryAfterMs; });
    wx.requests[wx.requests.length - 1].options.success({ statusCode: 503, data: null, header });
    return wait;
  };
  assert.equal(waitOf({ Age: '9', 'RETRY-AFTER': '7' }), 7000);
  assert.equal(waitOf({ Age: '9' }), null);
  const asDate = waitOf({ 'Retry-After': new Date(Date.now() + 60000).toUTCString() });
  assert.ok(asDate > 50000 && asDate <= 60000, `${asDate} ms`);
});

test('a failed request is reported once', () => {
  const { wx, transport } = setUp();
  const answers = [];
  transport.poll('/x', { token: null, timeoutMs: 1 }, (...args) => answers.push(args));
  wx.requests[0].options.fail({ errMsg: 'request:fail timeout' });
  wx.requests[0].options.fail({ errMsg: 'request:fail timeout' });
  assert.deepEqual(answers, [[{ errMsg: 'request:fail timeout' }, undefined]]);
});

test('an aborted poll does not call back although the platform reports it', () => {
  const { wx, transport } = setUp();
  const answers = [];
  transport.poll('/x', { token: null, timeoutMs: 1 }, (...args) => answers.push(args)).abort();
  assert.equal(wx.requests[0].isAborted, true);
  assert.deepEqual(answers, []);
});

test('the client attaches its listeners in time although it waits for its token first', async () => {
  const wx = createWx();
  const fixture = createClientFixture({ transport: createWxTransport({ wx, baseUrl: 'https://site.example' }) });
  fixture.client.start();
  await fixture.advance(10);
  wx.sockets[0].listeners.onOpen();
  assert.equal(JSON.parse(wx.sockets[0].sent[0]).type, 'hello');
  fixture.client.hide();
  assert.deepEqual(wx.sockets[0].closes, [1000]);
});
