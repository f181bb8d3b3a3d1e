'use strict';

const test = require('node:test');
const assert = require('node:assert/strict');
const { createClientFixture } = require('../support/clientFixture.js');

/** The gaps between the first `count` connections. */
function gaps(fixture, count) {
  const times = fixture.server.connections.slice(0, count).map((connection) => connection.at);
  return times.slice(1).map((at, i) => at - times[i]);
}
const nearlyOne = () => 0.999999;

for (const reports of ['close', 'error', 'both']) {
  test(`a cut that the platform reports as ${reports} is reconnected within half a second`, async () => {
    const fixture = createClientFixture({ random: nearlyOne });
    await fixture.startLive();
    await fixture.advance(6000);
    fixture.link().cut(reports);
    await fixture.advance(450);
    assert.equal(fixture.client.state(), 'live');
    assert.equal(fixture.server.connections.length, 2);
  });
}

test('a socket error followed by a fatal close is fatal, not a reconnect', async () => {
  const fixture = createClientFixture();
  await fixture.startLive();
  const { handlers } = fixture.link();
  handlers.onError(new Error('cut'));
  await fixture.advance(20);
  handlers.onClose(4404, '');
  await fixture.advance(60000);
  assert.deepEqual(fixture.fatals, [{ code: 4404, problem: null }]);
  assert.equal(fixture.server.connections.length, 1);
});

test('a silently dead network is detected when the ping is 5 s late', async () => {
  const fixture = createClientFixture();
  await fixture.startLive();
  await fixture.advance(10050);
  const heardAt = fixture.clock.now();
  fixture.link().isHalfOpen = true;
  await fixture.advance(14800);
  assert.equal(fixture.server.connections.length, 1);
  assert.ok(await fixture.clock.until(() => fixture.server.connections.length === 2, 1000));
  assert.ok(fixture.clock.now() - heardAt < 15500);
});

test('the server sets the ping interval, and the timeout follows', async () => {
  const fixture = createClientFixture();
  fixture.server.pingS = 2;
  await fixture.startLive();
  await fixture.advance(4020);
  fixture.link().isHalfOpen = true;
  await fixture.advance(7500);
  assert.equal(fixture.server.connections.length, 2);
});

for (const ping of [undefined, 0]) {
  test(`a welcome without a ping interval (${ping}) means 10 s`, async () => {
    const fixture = createClientFixture();
    fixture.server.faults.frame = (frame) => {
      if (frame.type === 'welcome') frame.ping = ping;
      return null;
    };
    await fixture.startLive();
    await fixture.advance(10500);
    assert.equal(fixture.server.connections.length, 1);
    fixture.link().isHalfOpen = true;
    await fixture.advance(14000);
    assert.equal(fixture.client.state(), 'live');
    await fixture.advance(1000);
    assert.equal(fixture.server.connections.length, 2);
  });
}

test('after a freeze a dead connection is detected by timestamps', async () => {
  const fixture = createClientFixture();
  await fixture.startLive();
  await fixture.advance(2000);
  fixture.link().isHalfOpen = true;
  fixture.clock.freeze(10 * 60 * 1000);
  await fixture.advance(450);
  assert.equal(fixture.server.connections.length, 2);
  assert.equal(fixture.client.state(), 'live');
});

test('a working connection is kept', async () => {
  const fixture = createClientFixture();
  await fixture.startLive();
  await fixture.advance(30 * 60 * 1000);
  assert.equal(fixture.server.connections.length, 1);
  assert.equal(fixture.server.polls.length, 0);
});

test('a clock that is set back does not stop the detection of silence', async () => {
  const fixture = createClientFixture();
  await fixture.startLive();
  fixture.skewMs = -3600 * 1000;
  fixture.link().isHalfOpen = true;
  await fixture.advance(20);
  fixture.server.append('progress');
  await fixture.advance(40000);
  assert.equal(fixture.client.state(), 'live');
  assert.deepEqual(fixture.seqs(), [1]);
});

test('first retries back off with full jitter', async () => {
  const fixture = createClientFixture({ random: nearlyOne });
  fixture.server.faults.connect = () => 'refuse';
  fixture.server.faults.poll = () => 'hang';
  fixture.client.start();
  await fixture.advance(2400);
  const [first, second] = gaps(fixture, 3);
  assert.ok(first >= 490 && first <= 510, `${first}`);
  assert.ok(second >= 990 && second <= 1010, `${second}`);
});

test('clients reconnect at different times', async () => {
  const times = new Set();
  for (let seed = 1; seed <= 50; seed += 1) {
    const fixture = createClientFixture({ seed });
    await fixture.startLive();
    await fixture.advance(6000);
    const cutAt = fixture.clock.now();
    fixture.link().cut();
    await fixture.clock.until(() => fixture.server.connections.length === 2, 1000);
    const wait = Math.round(fixture.link().at - cutAt);
    assert.ok(wait <= 305, `the first retry after a stable connection took ${wait} ms`);
    times.add(wait);
  }
  assert.ok(times.size > 35, `only ${times.size} different times`);
});

test('a socket that opens but stays silent, as behind some proxies, is closed after 5 s', async () => {
  const fixture = createClientFixture({ random: () => 0 });
  fixture.server.faults.connect = () => 'silent';
  fixture.server.faults.poll = () => 'hang';
  fixture.client.start();
  await fixture.advance(4990);
  assert.equal(fixture.server.open().length, 1);
  assert.equal(fixture.server.connections.length, 1);
  await fixture.advance(20);
  assert.equal(fixture.server.connections[0].isClosedByClient, true);
});

test('a socket that never opens is closed, because it counts toward the limit', async () => {
  const fixture = createClientFixture();
  fixture.server.faults.connect = () => 'hang';
  fixture.client.start();
  for (let i = 0; i < 200; i += 1) {
    await fixture.advance(1000);
    const left = fixture.server.connections.filter((connection) => !connection.isClosedByClient);
    assert.ok(left.length <= 1, `${left.length} sockets`);
  }
  assert.ok(fixture.server.connections.length > 4);
});

test('an old socket is closed in any state before the next one opens', async () => {
  const fixture = createClientFixture({ seed: 9 });
  let attempts = 0;
  const kinds = ['silent', 'hang', 'throw', 'refuse', null];
  fixture.server.faults.connect = () => {
    const left = fixture.server.connections.filter((connection) => !connection.isClosedByClient && !connection.isDead);
    assert.equal(left.length, 0);
    attempts += 1;
    return kinds[attempts % kinds.length];
  };
  fixture.client.start();
  for (let i = 0; i < 300; i += 1) {
    await fixture.advance(3000);
    if (fixture.client.state() === 'live') fixture.link().cut('error');
  }
  assert.ok(fixture.server.connections.length > 10);
});

test('a connection that opens and dies repeatedly backs off and polls', async () => {
  const fixture = createClientFixture({ seed: 3 });
  const { server } = fixture;
  server.faults.frame = (frame) => {
    const connection = fixture.link();
    if (frame.type === 'welcome') fixture.clock.setTimeout(() => connection.cut(), 200);
    return null;
  };
  fixture.client.start();
  await fixture.advance(120000);
  assert.ok(server.connections.length < 15, `${server.connections.length} connections in 2 min`);
  assert.ok(server.polls.length > 0);
  server.append('progress');
  await fixture.advance(2500);
  assert.deepEqual(fixture.seqs(), [1], 'events arrive by polling');
});

test('a ping makes a connection stable before its 5 s', async () => {
  const fixture = createClientFixture({ random: nearlyOne });
  fixture.server.pingS = 1;
  await fixture.startLive();
  await fixture.advance(1100);
  fixture.link().cut();
  await fixture.advance(310);
  assert.equal(fixture.server.connections.length, 2, 'the quick retry');
});

test('a connection that dies before it was stable is retried with backoff', async () => {
  const fixture = createClientFixture({ random: nearlyOne });
  await fixture.startLive();
  await fixture.advance(1000);
  fixture.link().cut();
  await fixture.advance(400);
  assert.equal(fixture.server.connections.length, 1);
  await fixture.advance(200);
  assert.equal(fixture.server.connections.length, 2);
});

test('after 4503 (server going away) the first retry is quick, later ones back off', async () => {
  const fixture = createClientFixture({ random: nearlyOne });
  fixture.server.faults.hello = () => 4503;
  fixture.server.faults.poll = () => 'hang';
  fixture.client.start();
  await fixture.advance(2400);
  const [first, second] = gaps(fixture, 3);
  assert.ok(first > 290 && first < 330, `${first}`);
  assert.ok(second > 990 && second < 1030, `${second}`);
});

for (const code of [4408, 4429, 4500, 1000, 1001, 1006, 0, undefined]) {
  test(`a close with ${code} is followed by a retry`, async () => {
    const fixture = createClientFixture();
    await fixture.startLive();
    fixture.link().close(code);
    await fixture.advance(2500);
    assert.equal(fixture.client.state(), 'live');
    assert.deepEqual(fixture.fatals, []);
  });
}

test('the wait that the server asks for is respected', async () => {
  const fixture = createClientFixture();
  await fixture.startLive();
  fixture.server.faults.poll = () => 'hang';
  const before = fixture.clock.now();
  fixture.link().close(4429, { code: 'RATE_LIMITED', retry_after_ms: 4000 });
  await fixture.advance(4600);
  assert.equal(fixture.server.connections.length, 2);
  assert.ok(fixture.link().at - before >= 4000);
});

for (const code of [4400, 4404, 4409, 4413]) {
  test(`a close with ${code} is fatal: it is reported once, without a retry`, async () => {
    const fixture = createClientFixture();
    const problem = { code: 'DATA_NOT_FOUND', copy: { title: 'x' } };
    await fixture.startLive();
    fixture.link().close(code, problem);
    await fixture.advance(60000);
    assert.deepEqual(fixture.fatals, [{ code, problem }]);
    assert.equal(fixture.client.state(), 'closed');
    assert.equal(fixture.server.connections.length, 1);
    assert.equal(fixture.server.polls.length, 0);
    assert.equal(fixture.clientClock.pending(), 0);
  });
}

test('a refused origin is followed by polling, which has no origin to refuse', async () => {
  const fixture = createClientFixture();
  fixture.server.append('progress');
  fixture.server.faults.hello = () => 4403;
  fixture.client.start();
  await fixture.advance(100);
  assert.equal(fixture.client.state(), 'polling');
  await fixture.advance(2000);
  assert.deepEqual(fixture.seqs(), [1]);
  fixture.server.faults.hello = () => null;
  await fixture.advance(130000);
  assert.equal(fixture.client.state(), 'live', 'the socket is tried again from time to time');
  assert.deepEqual(fixture.fatals, []);
});

test('an error frame without a fatal close changes nothing', async () => {
  const fixture = createClientFixture();
  await fixture.startLive();
  fixture.link().send({ type: 'error', problem: { code: 'INVALID_INPUT' } });
  fixture.server.append('progress');
  await fixture.advance(1000);
  assert.deepEqual(fixture.fatals, []);
  assert.equal(fixture.client.state(), 'live');
  assert.deepEqual(fixture.seqs(), [1]);
});

test('an exception in connect or send counts as a lost connection', async () => {
  const fixture = createClientFixture();
  let attempts = 0;
  fixture.server.faults.connect = () => {
    attempts += 1;
    return attempts === 1 ? 'throw' : null;
  };
  await fixture.startLive();
  assert.equal(attempts, 2);
  fixture.link().handle.send = () => { throw new Error('not open'); };
  await fixture.advance(11000);
  assert.equal(fixture.server.connections.length, 2);
  assert.equal(fixture.client.state(), 'live');
});

test('a transport may call its handlers before connect returns', async () => {
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
  const fixture = createClientFixture({ transport });
  fixture.client.start();
  await fixture.advance(600);
  assert.deepEqual(sent, ['close', 'hello']);
});

test('an exception in close is reported and does not stop the client', async () => {
  const fixture = createClientFixture();
  await fixture.startLive();
  fixture.link().handle.close = () => { throw new Error('unexpected'); };
  fixture.client.hide();
  assert.equal(fixture.client.state(), 'suspended');
  await assert.rejects(fixture.advance(10), /unexpected/);
});

test('while a site restarts the client retries every 250 to 500 ms, for a minute', async () => {
  const fixture = createClientFixture();
  await fixture.startLive();
  await fixture.advance(6000);
  fixture.server.faults.connect = () => 'refuse';
  fixture.server.faults.poll = () => 'error';
  fixture.link().cut();
  const lost = fixture.clock.now();
  await fixture.advance(59000);
  const times = fixture.server.connections.map((connection) => connection.at).filter((at) => at > lost + 2000);
  assert.ok(times.length > 120, `${times.length} tries`);
  times.slice(1).forEach((at, i) => assert.ok(at - times[i] >= 250 && at - times[i] <= 520, `${at - times[i]} ms`));
  await fixture.advance(2000);
  const tries = fixture.server.connections.length;
  await fixture.advance(60000);
  assert.ok(fixture.server.connections.length - tries <= 20, 'then with backoff');
});

test('40 clients reconnect within 800 ms after a killed server is back', async () => {
  for (let seed = 1; seed <= 40; seed += 1) {
    const fixture = createClientFixture({ seed });
    await fixture.startLive();
    await fixture.advance(6000 + seed);
    const { faults } = fixture.server;
    faults.connect = () => 'refuse';
    faults.poll = () => 'error';
    fixture.link().cut();
    await fixture.advance(500 * seed);
    faults.connect = () => null;
    await fixture.advance(800);
    assert.equal(fixture.client.state(), 'live', `seed ${seed}`);
  }
});

test('when polls work, a blocked socket is not retried quickly', async () => {
  const fixture = createClientFixture();
  await fixture.startLive();
  await fixture.advance(6000);
  fixture.server.faults.connect = () => 'refuse';
  fixture.link().cut();
  await fixture.clock.until(() => fixture.client.state() === 'polling', 5000);
  fixture.server.append('progress');
  await fixture.advance(3000);
  const tries = fixture.server.connections.length;
  await fixture.advance(20000);
  assert.ok(fixture.server.connections.length - tries <= 4, `${fixture.server.connections.length - tries} tries`);
});

test('a half-open connection is detected within a second after a network event', async () => {
  const fixture = createClientFixture();
  await fixture.startLive();
  await fixture.advance(6000);
  fixture.link().isHalfOpen = true;
  fixture.client.networkChanged(true);
  await fixture.advance(749);
  assert.equal(fixture.server.connections.length, 1);
  assert.equal(fixture.states.length, 2);
  await fixture.advance(251);
  assert.equal(fixture.states[2].state, 'connecting');
  await fixture.advance(400);
  assert.equal(fixture.client.state(), 'live');
});

test('a connection that survives a change of the network is kept', async () => {
  const fixture = createClientFixture();
  await fixture.startLive();
  fixture.client.networkChanged(true);
  await fixture.advance(5000);
  assert.equal(fixture.server.connections.length, 1);
  assert.equal(fixture.link().of('hello').length, 2);
  fixture.link().isHalfOpen = true;
  fixture.client.networkChanged(true);
  fixture.client.hide();
  await fixture.advance(5000);
  assert.equal(fixture.client.state(), 'suspended', 'nothing is requested while suspended');
});

test('a network event without an open connection sends nothing', async () => {
  const fixture = createClientFixture();
  fixture.client.networkChanged(true);
  fixture.client.start();
  fixture.client.networkChanged(true);
  await fixture.advance(1000);
  assert.equal(fixture.link().of('hello').length, 1);
});
