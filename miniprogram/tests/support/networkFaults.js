'use strict';

const assert = require('node:assert/strict');
const { createClientFixture } = require('./clientFixture.js');
const { createRandom } = require('./clock.js');

/** A run of a stream under random faults of every kind, reproducible by its seed. */
function createFaultRun(seed) {
  const random = createRandom(seed);
  const pick = (...choices) => choices[Math.floor(random() * choices.length)];
  const between = (low, high) => low + random() * (high - low);
  const withProbability = (share, fault) => (random() < share ? fault() : null);
  const maxLatencyMs = pick(10, 200, 1500);
  const fixture = createClientFixture({ seed: seed + 1e6, latencyMs: () => between(1, maxLatencyMs), getToken });
  const { server, client, clock } = fixture;
  const faultRun = { fixture, cuts: 0, isHidden: false, run };
  let token = 'token-1';

  async function getToken({ renew }) {
    if (!renew && random() < 0.1) throw new Error('no storage');
    if (renew) token = `token-${random()}`;
    server.tokens.add(token);
    return token;
  }

  function injectFaults() {
    const intensity = pick(0.05, 0.3, 0.7);
    const { faults } = server;
    faults.connect = () => withProbability(intensity, () => pick('refuse', 'silent', 'hang', 'throw'));
    faults.frame = (frame) => withProbability(intensity / 3, () => pick('drop', 'late', frame.type === 'reset' ? 'drop' : 'twice'));
    faults.poll = () => withProbability(intensity, () => pick('error', 'hang', 'throw', 429, 500, 503, { status: 200, body: '<html>' }));
    faults.hello = () => withProbability(intensity / 5, () => pick(4408, 4429, 4500, 4503));
    faults.notify = () => random() > intensity / 2;
    faults.staleEpoch = pick('reset', 'reset, events', 'events', 'wait');
  }
  function removeFaults() {
    const none = { connect: () => null, hello: () => null, frame: () => null, poll: () => null, notify: () => true };
    Object.assign(server.faults, none);
    show();
    client.networkChanged(true);
  }
  function show() {
    faultRun.isHidden = false;
    client.show();
  }

  const losses = [
    () => fixture.link().cut(pick('close', 'error', 'both')),
    () => { fixture.link().isHalfOpen = true; },
    () => fixture.link().close(pick(4408, 4429, 4500, 4503, 1000, 1001, 1006, 0)),
    expireToken,
    () => {
      client.hide();
      faultRun.isHidden = true;
      if (random() < 0.5) clock.freeze(between(1000, 100000));
    },
    () => client.networkChanged(false),
    () => clock.freeze(between(100, 30000)),
  ];
  /** Expire a token only after it has worked: one that is refused right after its renewal is fatal. */
  function expireToken() {
    const hasWorked = client.state() === 'live' && fixture.link().of('pong').length > 0;
    if (hasWorked) server.tokens.clear();
    fixture.link().close(hasWorked ? 4401 : 1006);
  }
  function loseConnection() {
    faultRun.cuts += 1;
    if (random() < 0.03) server.replaceLog(`epoch-${random()}`);
    else if (fixture.link()) pick(...losses)();
    if (faultRun.isHidden && random() < 0.6) show();
    if (random() < 0.6) client.networkChanged(true);
    if (random() < 0.3) injectFaults();
  }

  async function run() {
    forbidTrafficWhileHidden(faultRun);
    injectFaults();
    client.start();
    for (let i = Math.floor(between(4, 20)); i > 0; i -= 1) {
      for (let j = Math.floor(between(0, 6)); j > 0; j -= 1) {
        server.append('progress', { at: random() });
        await clock.advance(between(0, 400));
      }
      await clock.advance(between(0, pick(100, 3000, 20000)));
      loseConnection();
    }
    server.append('complete', { status: 'completed' });
    removeFaults();
    await clock.until(() => client.state() === 'done', 3 * 60 * 1000);
  }
  return faultRun;
}

/** Fail when the client connects or polls while its page is hidden. */
function forbidTrafficWhileHidden(faultRun) {
  const { transport } = faultRun.fixture.server;
  ['connect', 'poll'].forEach((name) => {
    const original = transport[name];
    transport[name] = (...args) => {
      assert.equal(faultRun.isHidden, false, `${name} while hidden`);
      return original(...args);
    };
  });
}

function assertMinInterval(times, minMs, what) {
  times.slice(1).forEach((time, i) => assert.ok(time - times[i] >= minMs, `${what}: ${time - times[i]} ms`));
}

function assertNothingLost({ fixture }) {
  const { server } = fixture;
  assert.equal(fixture.client.state(), 'done');
  assert.deepEqual(fixture.seen, server.log);
  assert.deepEqual(fixture.fatals, []);
  assert.equal(server.open().length, 0, 'sockets left');
  assert.equal(fixture.clientClock.pending(), 0, 'timers left');
  assert.ok(server.polls.every((poll) => poll.endedAt !== null), 'polls left');
  assertMinInterval(server.polls.map((poll) => poll.at), 1000, 'between two polls');
  server.connections.forEach((connection) => {
    assertMinInterval(connection.of('after').map((frame) => frame.sentAt), 1999, 'between two requests');
  });
}

/** Return the number of lost connections; throw with the seed when an event was lost or repeated, or anything is left open. */
async function runWithFaults(seed) {
  const faultRun = createFaultRun(seed);
  try {
    await faultRun.run();
    assertNothingLost(faultRun);
  } catch (error) {
    error.message = `FAULT_SEED=${seed}: ${error.message}`;
    throw error;
  }
  return faultRun.cuts;
}

module.exports = { runWithFaults };
