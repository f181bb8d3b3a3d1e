'use strict';

const assert = require('node:assert/strict');
const { createClient } = require('../../services/webSocketClient.js');
const { createClock, createRandom } = require('./clock.js');
const { createServer } = require('./server.js');

/** A client, its server and the clock that drives both, with everything that the client reported. */
function createWorld({ seed = 1, random = createRandom(seed), latencyMs, ...options } = {}) {
  const clock = createClock();
  const server = createServer({ clock: clock.view(), latencyMs });
  const world = {
    clock,
    server,
    /** what the device's clock is ahead of the time that really passed */
    skewMs: 0,
    next: (options.after || 0) + 1,
    seen: [], states: [], resets: [], fatals: [], renewals: [],
    seqs: () => world.seen.map((event) => event[0]),
    /** the connection that was opened last */
    link: () => server.connections[server.connections.length - 1],
    advance: clock.advance,
  };
  const view = clock.view();
  const clientClock = { ...view, now: () => view.now() + world.skewMs };
  world.clientClock = clientClock;
  world.client = createClient({
    stream: 'stream-1',
    transport: server.transport,
    getToken: async ({ renew }) => {
      world.renewals.push(renew);
      return 'token-1';
    },
    onEvents: (events, epoch) => record(world, events, epoch),
    onState: (state, detail) => world.states.push({ state, detail, at: clock.now() }),
    onReset(reset) {
      world.resets.push(reset);
      world.seen = [];
      world.next = world.client.cursor().after + 1;
    },
    onFatal: (failure) => world.fatals.push(failure),
    clock: clientClock,
    random,
    ...options,
  });
  world.startLive = async () => {
    world.client.start();
    assert.ok(await clock.until(() => world.client.state() === 'live', 3000), 'the client is live');
  };
  return world;
}

/** Whatever a test is about, nothing may be lost, repeated or out of order. */
function record(world, events, epoch) {
  for (const event of events) {
    assert.equal(event[0], world.next, `after ${world.seqs()}`);
    world.next += 1;
    world.seen.push(event);
  }
  world.epoch = epoch;
}

module.exports = { createWorld };
