'use strict';

const test = require('node:test');
const assert = require('node:assert/strict');
const { createWorld } = require('./support/world.js');

function pauses(polls) {
  return polls.slice(1).map((request, i) => request.at - (polls[i].endedAt ?? Infinity));
}

test('polling starts 2.5 s after a connection that stays silent', async () => {
  const world = createWorld();
  world.server.faults.connect = () => 'silent';
  world.server.append('progress');
  world.client.start();
  await world.advance(2400);
  assert.equal(world.server.polls.length, 0);
  await world.advance(200);
  assert.deepEqual(world.seqs(), [1]);
  assert.equal(world.client.state(), 'polling');
  assert.equal(world.server.open().length, 1, 'the socket still has its chance');
});

test('polling starts after 3 unstable connections, even before its 2.5 s', async () => {
  const world = createWorld({ random: () => 0.1 });
  world.server.faults.connect = () => 'refuse';
  world.client.start();
  await world.advance(500);
  assert.equal(world.client.state(), 'polling');
  assert.equal(world.server.connections.length, 3);
  assert.equal(world.server.polls.length, 1);
});

test('a loss after open does not send everyone to polling', async () => {
  for (let seed = 1; seed <= 30; seed += 1) {
    const world = createWorld({ seed });
    await world.startLive();
    await world.advance(7000);
    world.link().cut();
    await world.advance(5000);
    assert.equal(world.client.state(), 'live');
    assert.equal(world.server.polls.length, 0);
  }
});

test('the address of a poll carries the cursor, the epoch and the wait', async () => {
  const world = createWorld({ stream: 'a/b', after: 3, epoch: 'e&1' });
  world.server.faults.connect = () => 'refuse';
  world.client.start();
  await world.advance(3000);
  assert.equal(world.server.polls[0].path, '/api/streams/a%2Fb/events?after=3&epoch=e%261&wait=20');
  assert.deepEqual(world.server.polls[0].options, { token: 'token-1', timeoutMs: 30000 });
});

test('one poll at a time, with at least a second between two', async () => {
  const world = createWorld();
  world.server.faults.connect = () => 'refuse';
  world.client.start();
  for (let i = 0; i < 300; i += 1) {
    world.server.append('progress');
    await world.advance(100);
  }
  await world.advance(2000);
  assert.equal(world.seqs().length, 300);
  assert.ok(world.server.polls.length > 20);
  pauses(world.server.polls).forEach((pause) => assert.ok(pause >= 1000, `${pause} ms`));
});

test('a flapping socket does not shorten the second between two polls', async () => {
  const world = createWorld({ seed: 5 });
  world.server.faults.poll = () => 'error';
  world.server.faults.frame = (frame) => {
    if (frame.type === 'welcome') world.link().cut();
    return null;
  };
  world.client.start();
  await world.advance(60000);
  for (let i = 0; i < 20; i += 1) {
    world.client.networkChanged(true);
    await world.advance(200);
  }
  pauses(world.server.polls).forEach((pause) => assert.ok(pause >= 1000, `${pause} ms`));
});

test('polling stops on welcome, and the poll under way is aborted', async () => {
  const world = createWorld({ seed: 2 });
  world.server.faults.connect = () => (world.server.connections.length < 4 ? 'refuse' : null);
  world.client.start();
  await world.clock.until(() => world.client.state() === 'polling', 5000);
  assert.ok(await world.clock.until(() => world.client.state() === 'live', 40000));
  const count = world.server.polls.length;
  assert.equal(world.server.polls[count - 1].isAborted, true);
  world.server.append('progress');
  await world.advance(30000);
  assert.deepEqual(world.seqs(), [1]);
  assert.equal(world.server.polls.length, count);
});

test('an open socket without a welcome does not stop polling', async () => {
  const world = createWorld();
  world.server.faults.connect = () => 'silent';
  world.client.start();
  await world.advance(60000);
  world.server.append('progress');
  await world.advance(100);
  assert.deepEqual(world.seqs(), [1]);
  assert.equal(world.client.state(), 'polling');
});

test('a late answer of an aborted poll is dropped', async () => {
  const world = createWorld();
  let answer;
  world.server.transport.poll = (path, options, callback) => {
    answer = callback;
    return { abort() {} };
  };
  world.server.faults.connect = () => (world.server.connections.length < 4 ? 'refuse' : null);
  world.client.start();
  await world.clock.until(() => world.client.state() === 'live', 40000);
  let polls = 0;
  world.server.transport.poll = () => {
    polls += 1;
    return { abort() {} };
  };
  answer(new Error('late'));
  answer(null, { status: 404, body: null });
  answer(null, { status: 200, body: { epoch: 'x', last: 1, closed: true, events: [[1, 'complete', {}]] } });
  await world.advance(5000);
  assert.deepEqual([world.client.state(), world.seqs(), world.fatals], ['live', [], []]);
  assert.equal(polls, 0, 'and starts no other');
});

test('while polling the socket is probed at 5 to 60 s, ever more rarely and with jitter', async () => {
  const first = [];
  const later = [];
  for (let seed = 1; seed <= 20; seed += 1) {
    const world = createWorld({ seed });
    world.server.faults.connect = () => 'refuse';
    world.client.start();
    await world.clock.until(() => world.client.state() === 'polling', 5000);
    const known = world.server.connections.length;
    const since = world.clock.now();
    await world.advance(15 * 60 * 1000);
    const times = world.server.connections.slice(known).map((connection) => connection.at);
    const waits = times.map((at, i) => at - (i ? times[i - 1] : since));
    waits.slice(1).forEach((wait) => assert.ok(wait >= 5000 && wait <= 60010, `${wait} ms`));
    first.push(waits[0]);
    later.push(...waits.slice(4));
  }
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  assert.ok(mean(first) < 11000, `${mean(first)}`);
  assert.ok(mean(later) > 25000, `${mean(later)}`);
  assert.ok(new Set(first.map(Math.round)).size > 15, 'jitter');
});

test('the fallback is not memorised: after a while the socket is used again', async () => {
  const world = createWorld({ seed: 4 });
  let isBlocked = true;
  world.server.faults.connect = () => (isBlocked ? 'refuse' : null);
  world.client.start();
  await world.advance(5 * 60 * 1000);
  assert.equal(world.client.state(), 'polling');
  isBlocked = false;
  await world.advance(61000);
  assert.equal(world.client.state(), 'live');
  await world.advance(20000);
  world.link().cut();
  const polls = world.server.polls.length;
  await world.advance(400);
  assert.equal(world.client.state(), 'live');
  assert.equal(world.server.polls.length, polls, 'the next cut starts from a clean record');
});

test('the end arrives by polling too, and then nothing probes or polls', async () => {
  const world = createWorld();
  world.server.faults.connect = () => 'refuse';
  world.client.start();
  await world.advance(4000);
  world.server.append('complete', { status: 'partial' });
  await world.advance(2000);
  assert.equal(world.client.state(), 'done');
  const counts = [world.server.connections.length, world.server.polls.length];
  await world.advance(5 * 60 * 1000);
  assert.deepEqual([world.server.connections.length, world.server.polls.length], counts);
  assert.equal(world.clientClock.pending(), 0);
});

for (const fault of ['error', 'hang', 'throw', 400, 408, 429, 500, 502, 503, { status: 200, body: null },
  { status: 200, body: 'a page of the hotel' }, { status: 302, body: null }, { status: 200, body: {} }, { status: 200, body: { epoch: 'e' } },
  { status: 500, body: { epoch: 'epoch-1', last: 0, events: [] } }]) {
  test(`a poll that fails with ${JSON.stringify(fault)} is repeated with back-off`, async () => {
    const world = createWorld();
    world.server.faults.connect = () => 'refuse';
    world.server.faults.poll = () => fault;
    world.client.start();
    await world.advance(5 * 60 * 1000);
    const count = world.server.polls.length;
    assert.ok(count > 3 && count < 60, `${count} polls in 5 min`);
    world.server.faults.poll = () => null;
    world.server.append('progress');
    await world.advance(61000);
    assert.deepEqual(world.seqs(), [1]);
    assert.deepEqual(world.fatals, []);
  });
}

for (const [where, answer] of Object.entries({
  header: { status: 429, body: null, retryAfterMs: 15000 },
  'problem body': { status: 429, body: { code: 'RATE_LIMITED', retry_after_ms: 15000 }, retryAfterMs: null },
})) {
  test(`a poll is repeated no sooner than the server asks in its ${where}`, async () => {
    const world = createWorld();
    world.server.faults.connect = () => 'refuse';
    world.server.faults.poll = () => answer;
    world.client.start();
    await world.advance(120000);
    assert.ok(world.server.polls.length > 2);
    pauses(world.server.polls).forEach((pause) => assert.ok(pause >= 15000, `${pause} ms`));
  });
}

test('a server that asks for an hour is asked again after a minute', async () => {
  const world = createWorld();
  world.server.faults.connect = () => 'refuse';
  world.server.faults.poll = () => ({ status: 503, body: null, retryAfterMs: 3600 * 1000 });
  world.client.start();
  await world.advance(90000);
  assert.equal(world.server.polls.length, 2);
});

for (const fault of ['error', 'throw']) {
  test(`a first ${fault} of a poll is made good within one and a half seconds`, async () => {
    const world = createWorld({ random: () => 0.9 });
    world.server.faults.connect = () => 'silent';
    world.server.faults.poll = () => (world.server.polls.length === 1 ? fault : null);
    world.client.start();
    await world.advance(5000);
    const [pause] = pauses(world.server.polls);
    assert.ok(pause >= 1000 && pause <= 1500, `${pause} ms`);
  });
}

test('a poll that needs nearly all of its 30 s is heard', async () => {
  const world = createWorld();
  world.server.faults.connect = () => 'refuse';
  world.server.append('progress');
  const body = { epoch: 'epoch-1', last: 1, closed: false, events: world.server.log };
  world.server.transport.poll = (path, options, callback) => {
    world.clock.setTimeout(() => callback(null, { status: 200, body, retryAfterMs: null }), 29000);
    return { abort() {} };
  };
  world.client.start();
  await world.advance(34000);
  assert.deepEqual(world.seqs(), [1]);
});

test('polling begins 2.5 s after the first attempt, whatever became of that', async () => {
  const world = createWorld({ random: () => 0.99 });
  world.server.faults.connect = () => (world.server.connections.length ? 'hang' : 'refuse');
  world.client.start();
  await world.advance(2600);
  assert.equal(world.server.connections.length, 2);
  assert.equal(world.client.state(), 'polling');
});

test('a network event while polling does not stop the reading', async () => {
  const world = createWorld();
  world.server.faults.connect = () => 'refuse';
  world.client.start();
  await world.clock.until(() => world.client.state() === 'polling', 5000);
  world.client.networkChanged(true);
  await world.advance(1000);
  world.server.append('progress');
  await world.advance(3000);
  assert.equal(world.client.state(), 'polling');
  assert.deepEqual(world.seqs(), [1]);
});

for (const isBack of [true, false]) {
  test(`a socket that is lost at once and ${isBack ? 'back' : 'stays away'}: polls keep their distance`, async () => {
    const world = createWorld({ random: () => 0.1 });
    world.server.faults.connect = () => (world.server.connections.length < 4 ? 'refuse' : null);
    world.client.start();
    await world.clock.until(() => world.client.state() === 'live', 40000);
    assert.equal(world.server.polls[world.server.polls.length - 1].isAborted, true);
    const count = world.server.polls.length;
    if (!isBack) world.server.faults.connect = () => 'hang';
    world.link().cut();
    await world.advance(5);
    assert.equal(world.client.state(), 'polling');
    world.client.networkChanged(true);
    await world.advance(4000);
    assert.equal(world.client.state(), isBack ? 'live' : 'polling');
    assert.equal(world.server.polls.length, isBack ? count : count + 1);
    pauses(world.server.polls).forEach((pause) => assert.ok(pause >= 1000, `${pause} ms`));
  });
}

for (const [status, body] of [[403, { page: 'of a proxy' }], [404, null]]) {
  test(`a fatal ${status} without a problem body has no problem`, async () => {
    const world = createWorld();
    world.server.faults.connect = () => 'silent';
    world.server.faults.poll = () => ({ status, body });
    world.client.start();
    await world.advance(4000);
    assert.deepEqual(world.fatals, [{ code: status, problem: null }]);
  });
}

for (const status of [403, 404]) {
  test(`a poll that is answered with ${status} is fatal`, async () => {
    const world = createWorld();
    world.server.faults.connect = () => 'silent';
    world.server.faults.poll = () => status;
    world.client.start();
    await world.advance(60000);
    assert.equal(world.fatals.length, 1);
    assert.equal(world.fatals[0].code, status);
    assert.equal(world.fatals[0].problem.code, 'SERVER_ERROR');
    assert.equal(world.client.state(), 'closed');
    assert.equal(world.server.polls.length, 1);
    assert.equal(world.clientClock.pending(), 0);
  });
}

test('a transport that never answers does not stop the poller', async () => {
  const world = createWorld();
  let count = 0;
  let aborted = 0;
  world.server.faults.connect = () => 'refuse';
  world.server.transport.poll = () => {
    count += 1;
    return { abort() { aborted += 1; } };
  };
  world.client.start();
  await world.advance(2 * 60 * 1000);
  assert.ok(count >= 3, `${count} polls`);
  assert.ok(aborted >= count - 1, 'each counts toward the limit of requests until it is aborted');
});
