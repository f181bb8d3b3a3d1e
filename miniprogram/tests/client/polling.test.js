'use strict';

const test = require('node:test');
const assert = require('node:assert/strict');
const { createClientFixture } = require('../support/clientFixture.js');

function pauses(polls) {
  return polls.slice(1).map((request, i) => request.at - (polls[i].endedAt ?? Infinity));
}

test('polling starts after 2.5 s of a silent connection', async () => {
  const fixture = createClientFixture();
  fixture.server.faults.connect = () => 'silent';
  fixture.server.append('progress');
  fixture.client.start();
  await fixture.advance(2400);
  assert.equal(fixture.server.polls.length, 0);
  await fixture.advance(200);
  assert.deepEqual(fixture.seqs(), [1]);
  assert.equal(fixture.client.state(), 'polling');
  assert.equal(fixture.server.open().length, 1, 'the socket stays open');
});

test('polling starts after 3 unstable connections, even before 2.5 s', async () => {
  const fixture = createClientFixture({ random: () => 0.1 });
  fixture.server.faults.connect = () => 'refuse';
  fixture.client.start();
  await fixture.advance(500);
  assert.equal(fixture.client.state(), 'polling');
  assert.equal(fixture.server.connections.length, 3);
  assert.equal(fixture.server.polls.length, 1);
});

test('the loss of a stable connection does not start polling', async () => {
  for (let seed = 1; seed <= 30; seed += 1) {
    const fixture = createClientFixture({ seed });
    await fixture.startLive();
    await fixture.advance(7000);
    fixture.link().cut();
    await fixture.advance(5000);
    assert.equal(fixture.client.state(), 'live');
    assert.equal(fixture.server.polls.length, 0);
  }
});

test('the URL of a poll has the cursor, the epoch and the wait', async () => {
  const fixture = createClientFixture({ stream: 'a/b', after: 3, epoch: 'e&1' });
  fixture.server.faults.connect = () => 'refuse';
  fixture.client.start();
  await fixture.advance(3000);
  assert.equal(fixture.server.polls[0].path, '/api/streams/a%2Fb/events?after=3&epoch=e%261&wait=20');
  assert.deepEqual(fixture.server.polls[0].options, { token: 'token-1', timeoutMs: 30000 });
});

test('there is one poll at a time, with at least a second in between', async () => {
  const fixture = createClientFixture();
  fixture.server.faults.connect = () => 'refuse';
  fixture.client.start();
  for (let i = 0; i < 300; i += 1) {
    fixture.server.append('progress');
    await fixture.advance(100);
  }
  await fixture.advance(2000);
  assert.equal(fixture.seqs().length, 300);
  assert.ok(fixture.server.polls.length > 20);
  pauses(fixture.server.polls).forEach((pause) => assert.ok(pause >= 1000, `${pause} ms`));
});

test('a flapping socket does not shorten the second between polls', async () => {
  const fixture = createClientFixture({ seed: 5 });
  fixture.server.faults.poll = () => 'error';
  fixture.server.faults.frame = (frame) => {
    if (frame.type === 'welcome') fixture.link().cut();
    return null;
  };
  fixture.client.start();
  await fixture.advance(60000);
  for (let i = 0; i < 20; i += 1) {
    fixture.client.networkChanged(true);
    await fixture.advance(200);
  }
  pauses(fixture.server.polls).forEach((pause) => assert.ok(pause >= 1000, `${pause} ms`));
});

test('polling stops on welcome, and the current poll is aborted', async () => {
  const fixture = createClientFixture({ seed: 2 });
  fixture.server.faults.connect = () => (fixture.server.connections.length < 4 ? 'refuse' : null);
  fixture.client.start();
  await fixture.clock.until(() => fixture.client.state() === 'polling', 5000);
  assert.ok(await fixture.clock.until(() => fixture.client.state() === 'live', 40000));
  const count = fixture.server.polls.length;
  assert.equal(fixture.server.polls[count - 1].isAborted, true);
  fixture.server.append('progress');
  await fixture.advance(30000);
  assert.deepEqual(fixture.seqs(), [1]);
  assert.equal(fixture.server.polls.length, count);
});

test('an open socket without a welcome does not stop polling', async () => {
  const fixture = createClientFixture();
  fixture.server.faults.connect = () => 'silent';
  fixture.client.start();
  await fixture.advance(60000);
  fixture.server.append('progress');
  await fixture.advance(100);
  assert.deepEqual(fixture.seqs(), [1]);
  assert.equal(fixture.client.state(), 'polling');
});

test('a late response of an aborted poll is dropped', async () => {
  const fixture = createClientFixture();
  let answer;
  fixture.server.transport.poll = (path, options, callback) => {
    answer = callback;
    return { abort() {} };
  };
  fixture.server.faults.connect = () => (fixture.server.connections.length < 4 ? 'refuse' : null);
  fixture.client.start();
  await fixture.clock.until(() => fixture.client.state() === 'live', 40000);
  let polls = 0;
  fixture.server.transport.poll = () => {
    polls += 1;
    return { abort() {} };
  };
  answer(new Error('late'));
  answer(null, { status: 404, body: null });
  answer(null, { status: 200, body: { epoch: 'x', last: 1, closed: true, events: [[1, 'complete', {}]] } });
  await fixture.advance(5000);
  assert.deepEqual([fixture.client.state(), fixture.seqs(), fixture.fatals], ['live', [], []]);
  assert.equal(polls, 0, 'it starts no other poll');
});

test('while polling the client reconnects every 5 to 60 s, with backoff and jitter', async () => {
  const first = [];
  const later = [];
  for (let seed = 1; seed <= 20; seed += 1) {
    const fixture = createClientFixture({ seed });
    fixture.server.faults.connect = () => 'refuse';
    fixture.client.start();
    await fixture.clock.until(() => fixture.client.state() === 'polling', 5000);
    const known = fixture.server.connections.length;
    const since = fixture.clock.now();
    await fixture.advance(15 * 60 * 1000);
    const times = fixture.server.connections.slice(known).map((connection) => connection.at);
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

test('the fallback is temporary: the socket is used again when it works', async () => {
  const fixture = createClientFixture({ seed: 4 });
  let isBlocked = true;
  fixture.server.faults.connect = () => (isBlocked ? 'refuse' : null);
  fixture.client.start();
  await fixture.advance(5 * 60 * 1000);
  assert.equal(fixture.client.state(), 'polling');
  isBlocked = false;
  await fixture.advance(61000);
  assert.equal(fixture.client.state(), 'live');
  await fixture.advance(20000);
  fixture.link().cut();
  const polls = fixture.server.polls.length;
  await fixture.advance(400);
  assert.equal(fixture.client.state(), 'live');
  assert.equal(fixture.server.polls.length, polls, 'the failures were reset');
});

test('the end can arrive by polling, and then the client is silent', async () => {
  const fixture = createClientFixture();
  fixture.server.faults.connect = () => 'refuse';
  fixture.client.start();
  await fixture.advance(4000);
  fixture.server.append('complete', { status: 'partial' });
  await fixture.advance(2000);
  assert.equal(fixture.client.state(), 'done');
  const counts = [fixture.server.connections.length, fixture.server.polls.length];
  await fixture.advance(5 * 60 * 1000);
  assert.deepEqual([fixture.server.connections.length, fixture.server.polls.length], counts);
  assert.equal(fixture.clientClock.pending(), 0);
});

for (const fault of ['error', 'hang', 'throw', 400, 408, 429, 500, 502, 503, { status: 200, body: null },
  { status: 200, body: 'a captive portal' }, { status: 302, body: null }, { status: 200, body: {} }, { status: 200, body: { epoch: 'e' } },
  { status: 500, body: { epoch: 'epoch-1', last: 0, events: [] } }]) {
  test(`a poll that fails with ${JSON.stringify(fault)} is repeated with backoff`, async () => {
    const fixture = createClientFixture();
    fixture.server.faults.connect = () => 'refuse';
    fixture.server.faults.poll = () => fault;
    fixture.client.start();
    await fixture.advance(5 * 60 * 1000);
    const count = fixture.server.polls.length;
    assert.ok(count > 3 && count < 60, `${count} polls in 5 min`);
    fixture.server.faults.poll = () => null;
    fixture.server.append('progress');
    await fixture.advance(61000);
    assert.deepEqual(fixture.seqs(), [1]);
    assert.deepEqual(fixture.fatals, []);
  });
}

for (const [where, answer] of Object.entries({
  header: { status: 429, body: null, retryAfterMs: 15000 },
  'problem body': { status: 429, body: { code: 'RATE_LIMITED', retry_after_ms: 15000 }, retryAfterMs: null },
})) {
  test(`a poll is repeated no sooner than the server asks in its ${where}`, async () => {
    const fixture = createClientFixture();
    fixture.server.faults.connect = () => 'refuse';
    fixture.server.faults.poll = () => answer;
    fixture.client.start();
    await fixture.advance(120000);
    assert.ok(fixture.server.polls.length > 2);
    pauses(fixture.server.polls).forEach((pause) => assert.ok(pause >= 15000, `${pause} ms`));
  });
}

test('a wait of an hour that the server asks for is limited to a minute', async () => {
  const fixture = createClientFixture();
  fixture.server.faults.connect = () => 'refuse';
  fixture.server.faults.poll = () => ({ status: 503, body: null, retryAfterMs: 3600 * 1000 });
  fixture.client.start();
  await fixture.advance(90000);
  assert.equal(fixture.server.polls.length, 2);
});

for (const fault of ['error', 'throw']) {
  test(`a first ${fault} of a poll is retried within 1.5 s`, async () => {
    const fixture = createClientFixture({ random: () => 0.9 });
    fixture.server.faults.connect = () => 'silent';
    fixture.server.faults.poll = () => (fixture.server.polls.length === 1 ? fault : null);
    fixture.client.start();
    await fixture.advance(5000);
    const [pause] = pauses(fixture.server.polls);
    assert.ok(pause >= 1000 && pause <= 1500, `${pause} ms`);
  });
}

test('a response just before the 30 s timeout is accepted', async () => {
  const fixture = createClientFixture();
  fixture.server.faults.connect = () => 'refuse';
  fixture.server.append('progress');
  const body = { epoch: 'epoch-1', last: 1, closed: false, events: fixture.server.log };
  fixture.server.transport.poll = (path, options, callback) => {
    fixture.clock.setTimeout(() => callback(null, { status: 200, body, retryAfterMs: null }), 29000);
    return { abort() {} };
  };
  fixture.client.start();
  await fixture.advance(34000);
  assert.deepEqual(fixture.seqs(), [1]);
});

test('polling starts 2.5 s after the first attempt, even after a reconnect', async () => {
  const fixture = createClientFixture({ random: () => 0.99 });
  fixture.server.faults.connect = () => (fixture.server.connections.length ? 'hang' : 'refuse');
  fixture.client.start();
  await fixture.advance(2600);
  assert.equal(fixture.server.connections.length, 2);
  assert.equal(fixture.client.state(), 'polling');
});

test('a network event while polling does not stop reading', async () => {
  const fixture = createClientFixture();
  fixture.server.faults.connect = () => 'refuse';
  fixture.client.start();
  await fixture.clock.until(() => fixture.client.state() === 'polling', 5000);
  fixture.client.networkChanged(true);
  await fixture.advance(1000);
  fixture.server.append('progress');
  await fixture.advance(3000);
  assert.equal(fixture.client.state(), 'polling');
  assert.deepEqual(fixture.seqs(), [1]);
});

for (const isBack of [true, false]) {
  test(`a socket that is lost at once and ${isBack ? 'back' : 'stays away'}: polls keep their interval`, async () => {
    const fixture = createClientFixture({ random: () => 0.1 });
    fixture.server.faults.connect = () => (fixture.server.connections.length < 4 ? 'refuse' : null);
    fixture.client.start();
    await fixture.clock.until(() => fixture.client.state() === 'live', 40000);
    assert.equal(fixture.server.polls[fixture.server.polls.length - 1].isAborted, true);
    const count = fixture.server.polls.length;
    if (!isBack) fixture.server.faults.connect = () => 'hang';
    fixture.link().cut();
    await fixture.advance(5);
    assert.equal(fixture.client.state(), 'polling');
    fixture.client.networkChanged(true);
    await fixture.advance(4000);
    assert.equal(fixture.client.state(), isBack ? 'live' : 'polling');
    assert.equal(fixture.server.polls.length, isBack ? count : count + 1);
    pauses(fixture.server.polls).forEach((pause) => assert.ok(pause >= 1000, `${pause} ms`));
  });
}

for (const [status, body] of [
  [403, { page: 'of a proxy' }], [404, null], [404, { code: 404, message: 'no route' }], [403, { code: 'AccessDenied' }],
  [401, null], [401, { code: 'login_required' }], [403, ['blocked']], [407, null], [410, null],
]) {
  test(`a ${status} with ${JSON.stringify(body)}, which is not the site's, is followed by a retry`, async () => {
    const fixture = createClientFixture();
    let isBlocked = true;
    fixture.server.faults.connect = () => 'silent';
    fixture.server.faults.poll = () => (isBlocked ? { status, body } : null);
    fixture.client.start();
    await fixture.advance(10 * 60 * 1000);
    assert.deepEqual(fixture.fatals, []);
    assert.deepEqual(fixture.renewals.filter(Boolean), [], 'no token was refused');
    isBlocked = false;
    fixture.server.append('progress');
    await fixture.advance(22000);
    assert.deepEqual(fixture.seqs(), [1]);
    assert.equal(fixture.client.state(), 'polling');
  });
}

for (const status of [403, 404]) {
  test(`a poll that is answered with ${status} is fatal`, async () => {
    const fixture = createClientFixture();
    fixture.server.faults.connect = () => 'silent';
    fixture.server.faults.poll = () => status;
    fixture.client.start();
    await fixture.advance(60000);
    assert.equal(fixture.fatals.length, 1);
    assert.equal(fixture.fatals[0].code, status);
    assert.equal(fixture.fatals[0].problem.status, status);
    assert.equal(fixture.client.state(), 'closed');
    assert.equal(fixture.server.polls.length, 1);
    assert.equal(fixture.clientClock.pending(), 0);
  });
}

test('a transport that never calls back does not stop the poller', async () => {
  const fixture = createClientFixture();
  let count = 0;
  let aborted = 0;
  fixture.server.faults.connect = () => 'refuse';
  fixture.server.transport.poll = () => {
    count += 1;
    return { abort() { aborted += 1; } };
  };
  fixture.client.start();
  await fixture.advance(2 * 60 * 1000);
  assert.ok(count >= 3, `${count} polls`);
  assert.ok(aborted >= count - 1, 'each counts toward the limit of requests until it is aborted');
});
