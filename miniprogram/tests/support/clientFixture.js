'use strict';

const assert = require('node:assert/strict');
const { createClient } = require('../../pages/report-v2/stream/webSocketClient.js');
const { createClock, createRandom } = require('./clock.js');
const { createServer } = require('./server.js');

/** A client, its simulated server and the clock that drives both, with everything that the client reported. */
function createClientFixture({ seed = 1, random = createRandom(seed), latencyMs, ...options } = {}) {
  const clock = createClock();
  const server = createServer({ clock: clock.view(), latencyMs });
  const fixture = {
    clock,
    server,
    /** how far the device's clock is ahead of the real time */
    skewMs: 0,
    next: (options.after || 0) + 1,
    seen: [], states: [], resets: [], fatals: [], renewals: [],
    seqs: () => fixture.seen.map((event) => event[0]),
    /** the latest connection */
    link: () => server.connections[server.connections.length - 1],
    advance: clock.advance,
  };
  const view = clock.view();
  const clientClock = { ...view, now: () => view.now() + fixture.skewMs };
  fixture.clientClock = clientClock;
  fixture.client = createClient({
    stream: 'stream-1',
    transport: server.transport,
    getToken: async ({ renew }) => {
      fixture.renewals.push(renew);
      return 'token-1';
    },
    onEvents: (events, epoch) => record(fixture, events, epoch),
    onState: (state, detail) => fixture.states.push({ state, detail, at: clock.now() }),
    onReset(reset) {
      fixture.resets.push(reset);
      fixture.seen = [];
      fixture.next = fixture.client.cursor().after + 1;
    },
    onFatal: (failure) => fixture.fatals.push(failure),
    clock: clientClock,
    random,
    ...options,
  });
  fixture.startLive = async () => {
    fixture.client.start();
    assert.ok(await clock.until(() => fixture.client.state() === 'live', 3000), 'the client is live');
  };
  return fixture;
}

/** Record events, and fail every test in which one is lost, repeated or out of order. */
function record(fixture, events, epoch) {
  for (const event of events) {
    assert.equal(event[0], fixture.next, `after ${fixture.seqs()}`);
    fixture.next += 1;
    fixture.seen.push(event);
  }
  fixture.epoch = epoch;
}

module.exports = { createClientFixture };
