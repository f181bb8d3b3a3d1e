'use strict';

const assert = require('node:assert/strict');
const { createWorld } = require('./world.js');
const { createRandom } = require('./clock.js');

/** A storm of `cuts` over a running stream: every kind of loss, at any moment, drawn from one seed. */
function createStorm(seed) {
  const random = createRandom(seed);
  const pick = (...choices) => choices[Math.floor(random() * choices.length)];
  const between = (low, high) => low + random() * (high - low);
  const rarely = (share, fault) => (random() < share ? fault() : null);
  const slowest = pick(10, 200, 1500);
  const world = createWorld({ seed: seed + 1e6, latencyMs: () => between(1, slowest), getToken });
  const { server, client, clock } = world;
  const storm = { world, cuts: 0, isHidden: false, run };
  let token = 'token-1';

  async function getToken({ renew }) {
    if (!renew && random() < 0.1) throw new Error('no storage');
    if (renew) token = `token-${random()}`;
    server.tokens.add(token);
    return token;
  }

  function blow() {
    const roughness = pick(0.05, 0.3, 0.7);
    const { faults } = server;
    faults.connect = () => rarely(roughness, () => pick('refuse', 'silent', 'hang', 'throw'));
    faults.frame = (frame) => rarely(roughness / 3, () => pick('drop', 'late', frame.type === 'reset' ? 'drop' : 'twice'));
    faults.poll = () => rarely(roughness, () => pick('error', 'hang', 'throw', 429, 500, 503, { status: 200, body: '<html>' }));
    faults.hello = () => rarely(roughness / 5, () => pick(4408, 4429, 4500, 4503));
    faults.wakeUp = () => random() > roughness / 2;
    faults.staleEpoch = pick('reset', 'reset, events', 'events', 'wait');
  }
  function calm() {
    const still = { connect: () => null, hello: () => null, frame: () => null, poll: () => null, wakeUp: () => true };
    Object.assign(server.faults, still);
    show();
    client.networkChanged(true);
  }
  function show() {
    storm.isHidden = false;
    client.show();
  }

  const losses = [
    () => world.link().cut(pick('close', 'error', 'both')),
    () => { world.link().isHalfOpen = true; },
    () => world.link().close(pick(4408, 4429, 4500, 4503, 1000, 1001, 1006, 0)),
    expire,
    () => {
      client.hide();
      storm.isHidden = true;
      if (random() < 0.5) clock.freeze(between(1000, 100000));
    },
    () => client.networkChanged(false),
    () => clock.freeze(between(100, 30000)),
  ];
  /** Only a token that was good for a while: one that is refused as soon as it is renewed is fatal, rightly. */
  function expire() {
    const isProven = client.state() === 'live' && world.link().of('pong').length > 0;
    if (isProven) server.tokens.clear();
    world.link().close(isProven ? 4401 : 1006);
  }
  function lose() {
    storm.cuts += 1;
    if (random() < 0.03) server.replaceLog(`epoch-${random()}`);
    else if (world.link()) pick(...losses)();
    if (storm.isHidden && random() < 0.6) show();
    if (random() < 0.6) client.networkChanged(true);
    if (random() < 0.3) blow();
  }

  async function run() {
    guard(storm);
    blow();
    client.start();
    for (let i = Math.floor(between(4, 20)); i > 0; i -= 1) {
      for (let j = Math.floor(between(0, 6)); j > 0; j -= 1) {
        server.append('progress', { at: random() });
        await clock.advance(between(0, 400));
      }
      await clock.advance(between(0, pick(100, 3000, 20000)));
      lose();
    }
    server.append('complete', { status: 'completed' });
    calm();
    await clock.until(() => client.state() === 'done', 3 * 60 * 1000);
  }
  return storm;
}

/** Nothing leaves the client while its page is hidden. */
function guard(storm) {
  const { transport } = storm.world.server;
  ['connect', 'poll'].forEach((name) => {
    const original = transport[name];
    transport[name] = (...args) => {
      assert.equal(storm.isHidden, false, `${name} while hidden`);
      return original(...args);
    };
  });
}

function assertPaced(times, leastMs, what) {
  times.slice(1).forEach((time, i) => assert.ok(time - times[i] >= leastMs, `${what}: ${time - times[i]} ms`));
}

function assertGood({ world }) {
  const { server } = world;
  assert.equal(world.client.state(), 'done');
  assert.deepEqual(world.seen, server.log);
  assert.deepEqual(world.fatals, []);
  assert.equal(server.open().length, 0, 'sockets left');
  assert.equal(world.clientClock.pending(), 0, 'timers left');
  assert.ok(server.polls.every((poll) => poll.endedAt !== null), 'polls left');
  assertPaced(server.polls.map((poll) => poll.at), 1000, 'between two polls');
  server.connections.forEach((connection) => {
    assertPaced(connection.of('after').map((frame) => frame.sentAt), 1999, 'between two questions');
  });
}

/** Returns how many cuts the storm had; throws, with the seed, when anything was lost, repeated or left over. */
async function weather(seed) {
  const storm = createStorm(seed);
  try {
    await storm.run();
    assertGood(storm);
  } catch (error) {
    error.message = `STORM_SEED=${seed}: ${error.message}`;
    throw error;
  }
  return storm.cuts;
}

module.exports = { weather };
