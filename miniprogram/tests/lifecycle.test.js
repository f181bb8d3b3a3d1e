'use strict';

const test = require('node:test');
const assert = require('node:assert/strict');
const { createClient } = require('../services/webSocketClient.js');
const { createWorld } = require('./support/world.js');

const states = (world) => world.states.map((entry) => entry.state);

/** Asserts that for a good while nothing at all leaves the client. */
async function assertSilent(world) {
  const traffic = () => [
    world.server.connections.length, world.server.polls.length,
    world.server.connections.reduce((sum, connection) => sum + connection.sent.length, 0),
  ];
  const before = traffic();
  assert.equal(world.clientClock.pending(), 0, 'no timer is left');
  await world.advance(10 * 60 * 1000);
  assert.deepEqual(traffic(), before);
}

test('each state is told once, with the code of the close that led to it', async () => {
  const world = createWorld({ random: () => 0.1 });
  world.server.faults.connect = () => 'refuse';
  world.client.start();
  await world.advance(3000);
  world.server.faults.connect = () => null;
  await world.clock.until(() => world.client.state() === 'live', 60000);
  await world.advance(6000);
  world.link().close(1012);
  await world.advance(400);
  world.link().close(4404);
  await world.advance(50);
  assert.deepEqual(world.states.map(({ state, detail }) => [state, detail]), [
    ['connecting', {}], ['polling', {}], ['live', {}], ['connecting', { code: 1012 }], ['live', {}], ['closed', { code: 4404 }],
  ]);
});

test('before start nothing happens', async () => {
  const world = createWorld();
  assert.equal(world.client.state(), 'idle');
  world.client.show();
  world.client.networkChanged(true);
  await assertSilent(world);
  assert.deepEqual(states(world), []);
});

test('starting twice opens one connection', async () => {
  const world = createWorld();
  world.client.start();
  world.client.start();
  await world.advance(3000);
  world.client.start();
  await world.advance(3000);
  assert.equal(world.server.connections.length, 1);
});

test('hide closes the socket at once, and nothing reconnects while hidden', async () => {
  const world = createWorld();
  await world.startLive();
  world.client.hide();
  assert.equal(world.link().isClosedByClient, true);
  assert.equal(world.link().closeCode, 1000);
  assert.equal(world.client.state(), 'suspended');
  world.link().handlers.onClose(1000, '');
  world.client.networkChanged(true);
  await assertSilent(world);
});

for (const moment of ['connecting', 'polling', 'waiting for a retry', 'waiting for a token']) {
  test(`hide while ${moment} leaves nothing running`, async () => {
    const world = createWorld({
      getToken: () => (moment === 'waiting for a token'
        ? new Promise((resolve) => { world.clock.setTimeout(() => resolve('token-1'), 1000); })
        : Promise.resolve('token-1')),
    });
    world.server.faults.connect = () => (moment === 'connecting' ? 'silent' : 'refuse');
    world.client.start();
    await world.advance({ polling: 4000, 'waiting for a retry': 20 }[moment] || 10);
    world.client.hide();
    assert.equal(world.server.polls.filter((request) => request.endedAt === null).length, 0);
    await assertSilent(world);
    assert.equal(world.client.state(), 'suspended');
  });
}

test('after show the client is back at once although no close event ever came', async () => {
  const world = createWorld({ random: () => 0.999 });
  await world.startLive();
  world.server.append('progress');
  await world.advance(100);
  world.client.hide();
  world.clock.freeze(20 * 60 * 1000);
  world.server.append('progress');
  world.client.show();
  await world.advance(200);
  assert.equal(world.client.state(), 'live');
  assert.deepEqual(world.seqs(), [1, 2]);
  assert.equal(world.server.connections.length, 2);
});

test('show after a missed hide looks at the timestamps', async () => {
  const world = createWorld();
  await world.startLive();
  world.link().isHalfOpen = true;
  world.clock.freeze(60000);
  world.client.show();
  assert.equal(world.link().isClosedByClient, true);
});

test('show without a hide leaves a good connection alone', async () => {
  const world = createWorld();
  await world.startLive();
  world.client.show();
  world.client.networkChanged(true);
  await world.advance(5000);
  assert.equal(world.server.connections.length, 1);
});

test('show starts without polling, whatever there was before', async () => {
  const world = createWorld();
  let isBlocked = true;
  world.server.faults.connect = () => (isBlocked ? 'refuse' : null);
  world.client.start();
  await world.advance(10000);
  world.client.hide();
  isBlocked = false;
  const count = world.server.polls.length;
  world.client.show();
  assert.equal(world.client.state(), 'connecting');
  await world.advance(200);
  assert.equal(world.client.state(), 'live');
  assert.equal(world.server.polls.length, count);
});

test('show and a returning network start from a clean record', async () => {
  const world = createWorld({ random: () => 0.1 });
  world.server.faults.connect = () => 'refuse';
  world.client.start();
  await world.advance(10 * 60 * 1000);
  const away = { hide: () => world.client.hide(), loseNetwork: () => world.client.networkChanged(false) };
  const back = { hide: () => world.client.show(), loseNetwork: () => world.client.networkChanged(true) };
  for (const how of Object.keys(away)) {
    away[how]();
    const count = world.server.connections.length;
    back[how]();
    await world.advance(40);
    assert.equal(world.server.connections.length, count + 1);
    assert.equal(world.client.state(), 'connecting', 'one failure is no reason to poll');
  }
});

test('hiding and showing in quick succession ends with one connection', async () => {
  const world = createWorld();
  world.client.start();
  for (let i = 0; i < 20; i += 1) {
    world.client.hide();
    await world.advance(i);
    world.client.show();
    await world.advance(i * 3);
  }
  await world.advance(2000);
  assert.equal(world.client.state(), 'live');
  assert.equal(world.server.open().length, 1);
});

test('a network that goes is known at once, and one that returns is used at once', async () => {
  const world = createWorld({ random: () => 0.999 });
  await world.startLive();
  world.client.networkChanged(false);
  assert.equal(world.client.state(), 'offline');
  assert.equal(world.link().isClosedByClient, true);
  await assertSilent(world);
  world.client.networkChanged(true);
  await world.advance(200);
  assert.equal(world.client.state(), 'live');
});

test('a returning network does not wait for the end of a long back-off', async () => {
  const world = createWorld();
  world.server.faults.connect = () => 'refuse';
  world.client.start();
  await world.advance(10 * 60 * 1000);
  world.server.faults.connect = () => null;
  world.client.networkChanged(true);
  await world.advance(200);
  assert.equal(world.client.state(), 'live');
});

test('offline and hidden: both must end before anything is sent', async () => {
  const world = createWorld();
  await world.startLive();
  world.client.networkChanged(false);
  world.client.hide();
  assert.equal(world.client.state(), 'suspended');
  world.client.networkChanged(true);
  await assertSilent(world);
  world.client.networkChanged(false);
  world.client.show();
  assert.equal(world.client.state(), 'offline');
  await assertSilent(world);
  world.client.networkChanged(true);
  await world.advance(200);
  assert.equal(world.client.state(), 'live');
});

test('a client that is started while hidden waits for show', async () => {
  const world = createWorld();
  world.client.hide();
  world.client.start();
  assert.equal(world.client.state(), 'suspended');
  await assertSilent(world);
  world.client.show();
  await world.advance(200);
  assert.equal(world.client.state(), 'live');
});

test('hide in a state callback is respected', async () => {
  const world = createWorld({ onState: (state) => state === 'connecting' && world.client.hide() });
  world.client.start();
  await assertSilent(world);
  world.client.show();
  await assertSilent(world);
  assert.equal(world.client.state(), 'suspended');
});

test('close in the callback of the live state is respected', async () => {
  const world = createWorld({
    after: 3,
    epoch: 'epoch-0',
    onState: (state) => state === 'live' && world.client.close(),
  });
  world.server.append('progress');
  world.client.start();
  await world.advance(100);
  assert.deepEqual([world.client.state(), world.resets, world.seen], ['closed', [], []]);
  await assertSilent(world);
});

test('close in the middle of a delivery is respected', async () => {
  let calls = 0;
  const world = createWorld({
    onEvents() {
      calls += 1;
      world.client.close();
    },
  });
  await world.startLive();
  world.server.append('progress');
  world.server.append('complete', {});
  await world.advance(100);
  assert.equal(calls, 1);
  assert.equal(world.client.state(), 'closed');
  await assertSilent(world);
});

for (const how of ['socket', 'poll']) {
  test(`close in a reset callback is respected (over the ${how})`, async () => {
    let isCalled = false;
    const world = createWorld({
      after: 2,
      epoch: 'epoch-0',
      onReset: () => world.client.close(),
      onEvents() { isCalled = true; },
    });
    world.server.append('progress');
    if (how === 'poll') world.server.faults.connect = () => 'refuse';
    const body = { epoch: 'epoch-1', last: 1, closed: false, events: world.server.log };
    world.server.faults.poll = () => ({ status: 200, body });
    world.client.start();
    await world.advance(3000);
    assert.equal(world.client.state(), 'closed');
    assert.equal(isCalled, false);
    await assertSilent(world);
  });
}

for (const how of ['socket', 'poll']) {
  test(`after complete over the ${how} nothing reconnects, and no call revives the client`, async () => {
    const world = createWorld();
    if (how === 'poll') world.server.faults.connect = () => 'refuse';
    world.server.append('complete', { status: 'completed' });
    world.client.start();
    await world.advance(5000);
    assert.equal(world.client.state(), 'done');
    const { handlers } = world.link();
    handlers.onClose(1000, '');
    handlers.onError();
    world.client.hide();
    world.client.show();
    world.client.networkChanged(false);
    world.client.networkChanged(true);
    world.client.start();
    world.client.close();
    await assertSilent(world);
    assert.equal(states(world).pop(), 'done');
  });
}

for (const moment of ['idle', 'live', 'polling', 'suspended', 'offline']) {
  test(`close while ${moment}: no poller and no socket outlives its page`, async () => {
    const world = createWorld();
    if (moment === 'polling') world.server.faults.connect = () => 'refuse';
    if (moment !== 'idle') world.client.start();
    await world.advance(5000);
    if (moment === 'suspended') world.client.hide();
    if (moment === 'offline') world.client.networkChanged(false);
    assert.equal(world.client.state(), moment);
    world.client.close();
    assert.equal(world.client.state(), 'closed');
    assert.equal(world.server.open().length, 0);
    world.client.show();
    world.client.networkChanged(true);
    world.client.start();
    await assertSilent(world);
  });
}

test('without a clock it uses the real one', async (t) => {
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
  assert.equal(links.length, 2, 'the silence was noticed');
  client.networkChanged(false);
  await pass(60000);
  assert.deepEqual([client.state(), links.length, polls], ['offline', 2, 0]);
});
