'use strict';

const test = require('node:test');
const assert = require('node:assert/strict');
const { createClient } = require('../../pages/report-v2/stream/webSocketClient.js');
const { createClientFixture } = require('../support/clientFixture.js');

const states = (fixture) => fixture.states.map((entry) => entry.state);

/** Assert that the client sends nothing for ten minutes. */
async function assertSilent(fixture) {
  const traffic = () => [
    fixture.server.connections.length, fixture.server.polls.length,
    fixture.server.connections.reduce((sum, connection) => sum + connection.sent.length, 0),
  ];
  const before = traffic();
  assert.equal(fixture.clientClock.pending(), 0, 'no timer is left');
  await fixture.advance(10 * 60 * 1000);
  assert.deepEqual(traffic(), before);
}

test('each state is reported once, with the close code that led to it', async () => {
  const fixture = createClientFixture({ random: () => 0.1 });
  fixture.server.faults.connect = () => 'refuse';
  fixture.client.start();
  await fixture.advance(3000);
  fixture.server.faults.connect = () => null;
  await fixture.clock.until(() => fixture.client.state() === 'live', 60000);
  await fixture.advance(6000);
  fixture.link().close(1012);
  await fixture.advance(400);
  fixture.link().close(4404);
  await fixture.advance(50);
  assert.deepEqual(fixture.states.map(({ state, detail }) => [state, detail]), [
    ['connecting', {}], ['polling', {}], ['live', {}], ['connecting', { code: 1012 }], ['live', {}], ['closed', { code: 4404 }],
  ]);
});

test('before start the client is silent', async () => {
  const fixture = createClientFixture();
  assert.equal(fixture.client.state(), 'idle');
  fixture.client.show();
  fixture.client.networkChanged(true);
  await assertSilent(fixture);
  assert.deepEqual(states(fixture), []);
});

test('starting twice opens one connection', async () => {
  const fixture = createClientFixture();
  fixture.client.start();
  fixture.client.start();
  await fixture.advance(3000);
  fixture.client.start();
  await fixture.advance(3000);
  assert.equal(fixture.server.connections.length, 1);
});

test('hide closes the socket at once, and nothing reconnects while hidden', async () => {
  const fixture = createClientFixture();
  await fixture.startLive();
  fixture.client.hide();
  assert.equal(fixture.link().isClosedByClient, true);
  assert.equal(fixture.link().closeCode, 1000);
  assert.equal(fixture.client.state(), 'suspended');
  fixture.link().handlers.onClose(1000, '');
  fixture.client.networkChanged(true);
  await assertSilent(fixture);
});

for (const moment of ['connecting', 'polling', 'waiting for a retry', 'waiting for a token']) {
  test(`hide while ${moment} stops everything`, async () => {
    const fixture = createClientFixture({
      getToken: () => (moment === 'waiting for a token'
        ? new Promise((resolve) => { fixture.clock.setTimeout(() => resolve('token-1'), 1000); })
        : Promise.resolve('token-1')),
    });
    fixture.server.faults.connect = () => (moment === 'connecting' ? 'silent' : 'refuse');
    fixture.client.start();
    await fixture.advance({ polling: 4000, 'waiting for a retry': 20 }[moment] || 10);
    fixture.client.hide();
    assert.equal(fixture.server.polls.filter((request) => request.endedAt === null).length, 0);
    await assertSilent(fixture);
    assert.equal(fixture.client.state(), 'suspended');
  });
}

test('after show the client reconnects at once although no close event came', async () => {
  const fixture = createClientFixture({ random: () => 0.999 });
  await fixture.startLive();
  fixture.server.append('progress');
  await fixture.advance(100);
  fixture.client.hide();
  fixture.clock.freeze(20 * 60 * 1000);
  fixture.server.append('progress');
  fixture.client.show();
  await fixture.advance(200);
  assert.equal(fixture.client.state(), 'live');
  assert.deepEqual(fixture.seqs(), [1, 2]);
  assert.equal(fixture.server.connections.length, 2);
});

test('show after a missed hide compares the timestamps', async () => {
  const fixture = createClientFixture();
  await fixture.startLive();
  fixture.link().isHalfOpen = true;
  fixture.clock.freeze(60000);
  fixture.client.show();
  assert.equal(fixture.link().isClosedByClient, true);
});

test('show without a hide keeps a working connection', async () => {
  const fixture = createClientFixture();
  await fixture.startLive();
  fixture.client.show();
  fixture.client.networkChanged(true);
  await fixture.advance(5000);
  assert.equal(fixture.server.connections.length, 1);
});

test('show starts without polling, even after polling', async () => {
  const fixture = createClientFixture();
  let isBlocked = true;
  fixture.server.faults.connect = () => (isBlocked ? 'refuse' : null);
  fixture.client.start();
  await fixture.advance(10000);
  fixture.client.hide();
  isBlocked = false;
  const count = fixture.server.polls.length;
  fixture.client.show();
  assert.equal(fixture.client.state(), 'connecting');
  await fixture.advance(200);
  assert.equal(fixture.client.state(), 'live');
  assert.equal(fixture.server.polls.length, count);
});

test('show and a returning network reset the count of failures', async () => {
  const fixture = createClientFixture({ random: () => 0.1 });
  fixture.server.faults.connect = () => 'refuse';
  fixture.client.start();
  await fixture.advance(10 * 60 * 1000);
  const away = { hide: () => fixture.client.hide(), loseNetwork: () => fixture.client.networkChanged(false) };
  const back = { hide: () => fixture.client.show(), loseNetwork: () => fixture.client.networkChanged(true) };
  for (const how of Object.keys(away)) {
    away[how]();
    const count = fixture.server.connections.length;
    back[how]();
    await fixture.advance(40);
    assert.equal(fixture.server.connections.length, count + 1);
    assert.equal(fixture.client.state(), 'connecting', 'one failure does not start polling');
  }
});

test('hiding and showing in quick succession ends with one connection', async () => {
  const fixture = createClientFixture();
  fixture.client.start();
  for (let i = 0; i < 20; i += 1) {
    fixture.client.hide();
    await fixture.advance(i);
    fixture.client.show();
    await fixture.advance(i * 3);
  }
  await fixture.advance(2000);
  assert.equal(fixture.client.state(), 'live');
  assert.equal(fixture.server.open().length, 1);
});

test('a lost network is reported at once, and a returning one is used at once', async () => {
  const fixture = createClientFixture({ random: () => 0.999 });
  await fixture.startLive();
  fixture.client.networkChanged(false);
  assert.equal(fixture.client.state(), 'offline');
  assert.equal(fixture.link().isClosedByClient, true);
  await assertSilent(fixture);
  fixture.client.networkChanged(true);
  await fixture.advance(200);
  assert.equal(fixture.client.state(), 'live');
});

test('a returning network ends a long backoff', async () => {
  const fixture = createClientFixture();
  fixture.server.faults.connect = () => 'refuse';
  fixture.client.start();
  await fixture.advance(10 * 60 * 1000);
  fixture.server.faults.connect = () => null;
  fixture.client.networkChanged(true);
  await fixture.advance(200);
  assert.equal(fixture.client.state(), 'live');
});

test('while offline or hidden nothing is sent', async () => {
  const fixture = createClientFixture();
  await fixture.startLive();
  fixture.client.networkChanged(false);
  fixture.client.hide();
  assert.equal(fixture.client.state(), 'suspended');
  fixture.client.networkChanged(true);
  await assertSilent(fixture);
  fixture.client.networkChanged(false);
  fixture.client.show();
  assert.equal(fixture.client.state(), 'offline');
  await assertSilent(fixture);
  fixture.client.networkChanged(true);
  await fixture.advance(200);
  assert.equal(fixture.client.state(), 'live');
});

test('a client that is started while hidden waits for show', async () => {
  const fixture = createClientFixture();
  fixture.client.hide();
  fixture.client.start();
  assert.equal(fixture.client.state(), 'suspended');
  await assertSilent(fixture);
  fixture.client.show();
  await fixture.advance(200);
  assert.equal(fixture.client.state(), 'live');
});

test('hide in a state callback is respected', async () => {
  const fixture = createClientFixture({ onState: (state) => state === 'connecting' && fixture.client.hide() });
  fixture.client.start();
  await assertSilent(fixture);
  fixture.client.show();
  await assertSilent(fixture);
  assert.equal(fixture.client.state(), 'suspended');
});

test('close in the callback of the live state is respected', async () => {
  const fixture = createClientFixture({
    after: 3,
    epoch: 'epoch-0',
    onState: (state) => state === 'live' && fixture.client.close(),
  });
  fixture.server.append('progress');
  fixture.client.start();
  await fixture.advance(100);
  assert.deepEqual([fixture.client.state(), fixture.resets, fixture.seen], ['closed', [], []]);
  await assertSilent(fixture);
});

test('close during a delivery is respected', async () => {
  let calls = 0;
  const fixture = createClientFixture({
    onEvents() {
      calls += 1;
      fixture.client.close();
    },
  });
  await fixture.startLive();
  fixture.server.append('progress');
  fixture.server.append('complete', {});
  await fixture.advance(100);
  assert.equal(calls, 1);
  assert.equal(fixture.client.state(), 'closed');
  await assertSilent(fixture);
});

for (const how of ['socket', 'poll']) {
  test(`close in a reset callback is respected (over the ${how})`, async () => {
    let isCalled = false;
    const fixture = createClientFixture({
      after: 2,
      epoch: 'epoch-0',
      onReset: () => fixture.client.close(),
      onEvents() { isCalled = true; },
    });
    fixture.server.append('progress');
    if (how === 'poll') fixture.server.faults.connect = () => 'refuse';
    const body = { epoch: 'epoch-1', last: 1, closed: false, events: fixture.server.log };
    fixture.server.faults.poll = () => ({ status: 200, body });
    fixture.client.start();
    await fixture.advance(3000);
    assert.equal(fixture.client.state(), 'closed');
    assert.equal(isCalled, false);
    await assertSilent(fixture);
  });
}

for (const how of ['socket', 'poll']) {
  test(`after complete over the ${how} nothing reconnects, and no call restarts the client`, async () => {
    const fixture = createClientFixture();
    if (how === 'poll') fixture.server.faults.connect = () => 'refuse';
    fixture.server.append('complete', { status: 'completed' });
    fixture.client.start();
    await fixture.advance(5000);
    assert.equal(fixture.client.state(), 'done');
    const { handlers } = fixture.link();
    handlers.onClose(1000, '');
    handlers.onError();
    fixture.client.hide();
    fixture.client.show();
    fixture.client.networkChanged(false);
    fixture.client.networkChanged(true);
    fixture.client.start();
    fixture.client.close();
    await assertSilent(fixture);
    assert.equal(states(fixture).pop(), 'done');
  });
}

for (const moment of ['idle', 'live', 'polling', 'suspended', 'offline']) {
  test(`close while ${moment}: polls and sockets are closed`, async () => {
    const fixture = createClientFixture();
    if (moment === 'polling') fixture.server.faults.connect = () => 'refuse';
    if (moment !== 'idle') fixture.client.start();
    await fixture.advance(5000);
    if (moment === 'suspended') fixture.client.hide();
    if (moment === 'offline') fixture.client.networkChanged(false);
    assert.equal(fixture.client.state(), moment);
    fixture.client.close();
    assert.equal(fixture.client.state(), 'closed');
    assert.equal(fixture.server.open().length, 0);
    fixture.client.show();
    fixture.client.networkChanged(true);
    fixture.client.start();
    await assertSilent(fixture);
  });
}

test('the real clock is the default', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  const links = [];
  let polls = 0;
  const pass = async (ms) => {
    await new Promise(setImmediate);
    t.mock.timers.tick(ms);
    await new Promise(setImmediate);
  };
  const client = createClient({
    stream: 's', getToken: async () => 'token', random: () => 0,
    transport: {
      connect: (path, handlers) => links.push(handlers) && { send() {}, close() {} },
      poll() {
        polls += 1;
        return { abort() {} };
      },
    },
  });
  client.start();
  await pass(1);
  links[0].onOpen();
  links[0].onMessage(JSON.stringify({ type: 'welcome', v: 1, epoch: 'e', last: 0, ping: 10 }));
  assert.equal(client.state(), 'live');
  await pass(15000);
  await pass(1);
  assert.equal(links.length, 2, 'the silence was detected');
  client.networkChanged(false);
  await pass(60000);
  assert.deepEqual([client.state(), links.length, polls], ['offline', 2, 0]);
});
