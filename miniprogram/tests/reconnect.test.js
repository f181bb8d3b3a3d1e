'use strict';

const test = require('node:test');
const assert = require('node:assert/strict');
const { createWorld } = require('./support/world.js');

/** The gaps between the first `count` connections. */
function gaps(world, count) {
  const times = world.server.connections.slice(0, count).map((connection) => connection.at);
  return times.slice(1).map((at, i) => at - times[i]);
}
const almostOne = () => 0.999999;

for (const reports of ['close', 'error', 'both']) {
  test(`a cut that the platform reports as ${reports} is mended within half a second`, async () => {
    const world = createWorld({ random: almostOne });
    await world.startLive();
    await world.advance(6000);
    world.link().cut(reports);
    await world.advance(450);
    assert.equal(world.client.state(), 'live');
    assert.equal(world.server.connections.length, 2);
  });
}

test('a socket error followed by a fatal close is fatal, not a reconnect', async () => {
  const world = createWorld();
  await world.startLive();
  const { handlers } = world.link();
  handlers.onError(new Error('cut'));
  await world.advance(20);
  handlers.onClose(4404, '');
  await world.advance(60000);
  assert.deepEqual(world.fatals, [{ code: 4404, problem: null }]);
  assert.equal(world.server.connections.length, 1);
});

test('a dead network that reports nothing is noticed when the ping is 5 s late', async () => {
  const world = createWorld();
  await world.startLive();
  await world.advance(10050);
  const heardAt = world.clock.now();
  world.link().isHalfOpen = true;
  await world.advance(14800);
  assert.equal(world.server.connections.length, 1);
  assert.ok(await world.clock.until(() => world.server.connections.length === 2, 1000));
  assert.ok(world.clock.now() - heardAt < 15500);
});

test('the server sets the ping, and its grace follows', async () => {
  const world = createWorld();
  world.server.pingS = 2;
  await world.startLive();
  await world.advance(4020);
  world.link().isHalfOpen = true;
  await world.advance(7500);
  assert.equal(world.server.connections.length, 2);
});

for (const ping of [undefined, 0]) {
  test(`a welcome that names no ping (${ping}) means one of 10 s`, async () => {
    const world = createWorld();
    world.server.faults.frame = (frame) => {
      if (frame.type === 'welcome') frame.ping = ping;
      return null;
    };
    await world.startLive();
    await world.advance(10500);
    assert.equal(world.server.connections.length, 1);
    world.link().isHalfOpen = true;
    await world.advance(14000);
    assert.equal(world.client.state(), 'live');
    await world.advance(1000);
    assert.equal(world.server.connections.length, 2);
  });
}

test('a frozen app notices a dead connection by timestamps as soon as it runs again', async () => {
  const world = createWorld();
  await world.startLive();
  await world.advance(2000);
  world.link().isHalfOpen = true;
  world.clock.freeze(10 * 60 * 1000);
  await world.advance(450);
  assert.equal(world.server.connections.length, 2);
  assert.equal(world.client.state(), 'live');
});

test('a connection that hears from the server is left alone', async () => {
  const world = createWorld();
  await world.startLive();
  await world.advance(30 * 60 * 1000);
  assert.equal(world.server.connections.length, 1);
  assert.equal(world.server.polls.length, 0);
});

test('a clock that is set back does not stop the watch', async () => {
  const world = createWorld();
  await world.startLive();
  world.skewMs = -3600 * 1000;
  world.link().isHalfOpen = true;
  await world.advance(20);
  world.server.append('progress');
  await world.advance(40000);
  assert.equal(world.client.state(), 'live');
  assert.deepEqual(world.seqs(), [1]);
});

test('first retries grow to a cap with full jitter', async () => {
  const world = createWorld({ random: almostOne });
  world.server.faults.connect = () => 'refuse';
  world.server.faults.poll = () => 'hang';
  world.client.start();
  await world.advance(2400);
  const [first, second] = gaps(world, 3);
  assert.ok(first >= 490 && first <= 510, `${first}`);
  assert.ok(second >= 990 && second <= 1010, `${second}`);
});

test('no two clients return at the same time', async () => {
  const times = new Set();
  for (let seed = 1; seed <= 50; seed += 1) {
    const world = createWorld({ seed });
    await world.startLive();
    await world.advance(6000);
    const cutAt = world.clock.now();
    world.link().cut();
    await world.clock.until(() => world.server.connections.length === 2, 1000);
    const wait = Math.round(world.link().at - cutAt);
    assert.ok(wait <= 305, `the first retry after a stable connection took ${wait} ms`);
    times.add(wait);
  }
  assert.ok(times.size > 35, `only ${times.size} different times`);
});

test('"open" alone never counts: a proxy that opens and swallows is given up after 5 s', async () => {
  const world = createWorld({ random: () => 0 });
  world.server.faults.connect = () => 'silent';
  world.server.faults.poll = () => 'hang';
  world.client.start();
  await world.advance(4990);
  assert.equal(world.server.open().length, 1);
  assert.equal(world.server.connections.length, 1);
  await world.advance(20);
  assert.equal(world.server.connections[0].isClosedByClient, true);
});

test('a socket that never opens is closed, so that it does not count toward the limit', async () => {
  const world = createWorld();
  world.server.faults.connect = () => 'hang';
  world.client.start();
  for (let i = 0; i < 200; i += 1) {
    await world.advance(1000);
    const left = world.server.connections.filter((connection) => !connection.isClosedByClient);
    assert.ok(left.length <= 1, `${left.length} sockets`);
  }
  assert.ok(world.server.connections.length > 4);
});

test('an old socket is closed before the next one opens, whatever it was in the middle of', async () => {
  const world = createWorld({ seed: 9 });
  let attempts = 0;
  const kinds = ['silent', 'hang', 'throw', 'refuse', null];
  world.server.faults.connect = () => {
    const left = world.server.connections.filter((connection) => !connection.isClosedByClient && !connection.isDead);
    assert.equal(left.length, 0);
    attempts += 1;
    return kinds[attempts % kinds.length];
  };
  world.client.start();
  for (let i = 0; i < 300; i += 1) {
    await world.advance(3000);
    if (world.client.state() === 'live') world.link().cut('error');
  }
  assert.ok(world.server.connections.length > 10);
});

test('a connection that opens, then dies, does not flap for ever: it backs off and polls', async () => {
  const world = createWorld({ seed: 3 });
  const { server } = world;
  server.faults.frame = (frame) => {
    const connection = world.link();
    if (frame.type === 'welcome') world.clock.setTimeout(() => connection.cut(), 200);
    return null;
  };
  world.client.start();
  await world.advance(120000);
  assert.ok(server.connections.length < 15, `${server.connections.length} connections in 2 min`);
  assert.ok(server.polls.length > 0);
  server.append('progress');
  await world.advance(2500);
  assert.deepEqual(world.seqs(), [1], 'events arrive all the same');
});

test('a ping makes a connection stable before its 5 s', async () => {
  const world = createWorld({ random: almostOne });
  world.server.pingS = 1;
  await world.startLive();
  await world.advance(1100);
  world.link().cut();
  await world.advance(310);
  assert.equal(world.server.connections.length, 2, 'the quick retry');
});

test('a connection that dies before it was stable is retried with the slower back-off', async () => {
  const world = createWorld({ random: almostOne });
  await world.startLive();
  await world.advance(1000);
  world.link().cut();
  await world.advance(400);
  assert.equal(world.server.connections.length, 1);
  await world.advance(200);
  assert.equal(world.server.connections.length, 2);
});

test('a server that goes away (4503) is tried again as after a stable connection, then with back-off', async () => {
  const world = createWorld({ random: almostOne });
  world.server.faults.hello = () => 4503;
  world.server.faults.poll = () => 'hang';
  world.client.start();
  await world.advance(2400);
  const [first, second] = gaps(world, 3);
  assert.ok(first > 290 && first < 330, `${first}`);
  assert.ok(second > 990 && second < 1030, `${second}`);
});

for (const code of [4408, 4429, 4500, 1000, 1001, 1006, 0, undefined]) {
  test(`a close with ${code} is followed by another try`, async () => {
    const world = createWorld();
    await world.startLive();
    world.link().close(code);
    await world.advance(2500);
    assert.equal(world.client.state(), 'live');
    assert.deepEqual(world.fatals, []);
  });
}

test('the wait that the server asks for is respected', async () => {
  const world = createWorld();
  await world.startLive();
  world.server.faults.poll = () => 'hang';
  const before = world.clock.now();
  world.link().close(4429, { code: 'RATE_LIMITED', retry_after_ms: 4000 });
  await world.advance(4600);
  assert.equal(world.server.connections.length, 2);
  assert.ok(world.link().at - before >= 4000);
});

for (const code of [4400, 4403, 4404, 4409, 4413]) {
  test(`a close with ${code} is fatal: it is reported once, and nothing loops`, async () => {
    const world = createWorld();
    const problem = { code: 'DATA_NOT_FOUND', copy: { title: 'x' } };
    await world.startLive();
    world.link().close(code, problem);
    await world.advance(60000);
    assert.deepEqual(world.fatals, [{ code, problem }]);
    assert.equal(world.client.state(), 'closed');
    assert.equal(world.server.connections.length, 1);
    assert.equal(world.server.polls.length, 0);
    assert.equal(world.clientClock.pending(), 0);
  });
}

test('an error frame without a fatal close changes nothing', async () => {
  const world = createWorld();
  await world.startLive();
  world.link().tell({ type: 'error', problem: { code: 'INVALID_INPUT' } });
  world.server.append('progress');
  await world.advance(1000);
  assert.deepEqual(world.fatals, []);
  assert.equal(world.client.state(), 'live');
  assert.deepEqual(world.seqs(), [1]);
});

test('a transport that throws on connect or send is a cut like any other', async () => {
  const world = createWorld();
  let attempts = 0;
  world.server.faults.connect = () => {
    attempts += 1;
    return attempts === 1 ? 'throw' : null;
  };
  await world.startLive();
  assert.equal(attempts, 2);
  world.link().handle.send = () => { throw new Error('not open'); };
  await world.advance(11000);
  assert.equal(world.server.connections.length, 2);
  assert.equal(world.client.state(), 'live');
});

test('a transport that reports before connect returns is understood', async () => {
  const sent = [];
  let count = 0;
  const transport = {
    connect(path, handlers) {
      count += 1;
      if (count === 1) handlers.onClose(1006, '');
      else handlers.onOpen();
      return { send: (text) => sent.push(JSON.parse(text).type), close: () => sent.push('close') };
    },
  };
  const world = createWorld({ transport });
  world.client.start();
  await world.advance(600);
  assert.deepEqual(sent, ['close', 'hello']);
});

test('a close that throws is not hidden, and does not stop the client', async () => {
  const world = createWorld();
  await world.startLive();
  world.link().handle.close = () => { throw new Error('unexpected'); };
  world.client.hide();
  assert.equal(world.client.state(), 'suspended');
  await assert.rejects(world.advance(10), /unexpected/);
});

test('a site that is restarted is tried every quarter to half second while nothing answers, for a minute', async () => {
  const world = createWorld();
  await world.startLive();
  await world.advance(6000);
  world.server.faults.connect = () => 'refuse';
  world.server.faults.poll = () => 'error';
  world.link().cut();
  const lost = world.clock.now();
  await world.advance(59000);
  const times = world.server.connections.map((connection) => connection.at).filter((at) => at > lost + 2000);
  assert.ok(times.length > 120, `${times.length} tries`);
  times.slice(1).forEach((at, i) => assert.ok(at - times[i] >= 250 && at - times[i] <= 520, `${at - times[i]} ms`));
  await world.advance(2000);
  const tries = world.server.connections.length;
  await world.advance(60000);
  assert.ok(world.server.connections.length - tries <= 20, 'after that with back-off');
});

test('forty clients of a server that was killed are back within 800 ms of its return', async () => {
  for (let seed = 1; seed <= 40; seed += 1) {
    const world = createWorld({ seed });
    await world.startLive();
    await world.advance(6000 + seed);
    const { faults } = world.server;
    faults.connect = () => 'refuse';
    faults.poll = () => 'error';
    world.link().cut();
    await world.advance(500 * seed);
    faults.connect = () => null;
    await world.advance(800);
    assert.equal(world.client.state(), 'live', `seed ${seed}`);
  }
});

test('a socket that alone is blocked is not hurried: the polls that work say so', async () => {
  const world = createWorld();
  await world.startLive();
  await world.advance(6000);
  world.server.faults.connect = () => 'refuse';
  world.link().cut();
  await world.clock.until(() => world.client.state() === 'polling', 5000);
  world.server.append('progress');
  await world.advance(3000);
  const tries = world.server.connections.length;
  await world.advance(20000);
  assert.ok(world.server.connections.length - tries <= 4, `${world.server.connections.length - tries} tries`);
});

test('a half-open connection is noticed within a second of a network event', async () => {
  const world = createWorld();
  await world.startLive();
  await world.advance(6000);
  world.link().isHalfOpen = true;
  world.client.networkChanged(true);
  await world.advance(749);
  assert.equal(world.server.connections.length, 1);
  assert.equal(world.states.length, 2);
  await world.advance(251);
  assert.equal(world.states[2].state, 'connecting');
  await world.advance(400);
  assert.equal(world.client.state(), 'live');
});

test('a connection that survives a change of the network is kept', async () => {
  const world = createWorld();
  await world.startLive();
  world.client.networkChanged(true);
  await world.advance(5000);
  assert.equal(world.server.connections.length, 1);
  assert.equal(world.link().of('hello').length, 2);
  world.link().isHalfOpen = true;
  world.client.networkChanged(true);
  world.client.hide();
  await world.advance(5000);
  assert.equal(world.client.state(), 'suspended', 'nobody asks any more');
});

test('a network event while nothing is open asks nothing', async () => {
  const world = createWorld();
  world.client.networkChanged(true);
  world.client.start();
  world.client.networkChanged(true);
  await world.advance(1000);
  assert.equal(world.link().of('hello').length, 1);
});
