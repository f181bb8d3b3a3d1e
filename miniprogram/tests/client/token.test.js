'use strict';

const test = require('node:test');
const assert = require('node:assert/strict');
const { createClientFixture } = require('../support/clientFixture.js');

/** A source of tokens that expire on the server and can be renewed unless `isLocked`. */
function createTokenSource(fixture) {
  const tokens = { token: 'token-1', renewals: 0, isLocked: false };
  tokens.getToken = async ({ renew }) => {
    if (renew) {
      tokens.renewals += 1;
      if (!tokens.isLocked) tokens.token = `token-${tokens.renewals + 1}`;
      if (!tokens.isLocked) fixture().server.tokens.add(tokens.token);
    }
    return tokens.token;
  };
  return tokens;
}

function createFixtureWithTokens(options) {
  let fixture = null;
  const tokens = createTokenSource(() => fixture);
  fixture = createClientFixture({ getToken: tokens.getToken, ...options });
  return { fixture, tokens };
}

test('a token that expires during a connection is renewed, and no event is lost', async () => {
  const { fixture, tokens } = createFixtureWithTokens();
  await fixture.startLive();
  await fixture.advance(6000);
  for (let i = 0; i < 5; i += 1) {
    fixture.server.append('progress');
    fixture.server.tokens.clear();
    fixture.link().close(4401, { code: 'UNAUTHORIZED' });
    await fixture.advance(6000);
    assert.equal(fixture.client.state(), 'live');
  }
  assert.equal(tokens.renewals, 5);
  assert.deepEqual(fixture.seqs(), [1, 2, 3, 4, 5]);
  assert.deepEqual(fixture.fatals, []);
});

test('a renewed token that is refused as well is fatal, without further retries', async () => {
  const { fixture, tokens } = createFixtureWithTokens();
  tokens.isLocked = true;
  fixture.server.tokens.clear();
  fixture.client.start();
  await fixture.advance(60000);
  assert.deepEqual(fixture.fatals, [{ code: 4401, problem: null }]);
  assert.equal(tokens.renewals, 1);
  assert.equal(fixture.server.connections.length, 2);
  assert.equal(fixture.client.state(), 'closed');
  assert.equal(fixture.clientClock.pending(), 0);
});

test('an expired session cookie is fatal after one retry', async () => {
  const fixture = createClientFixture({ getToken: async () => null });
  fixture.client.start();
  await fixture.advance(60000);
  assert.equal(fixture.fatals[0].code, 4401);
  assert.equal(fixture.server.connections.length, 2);
});

test('a token that is refused after the welcome is fatal after one renewal', async () => {
  const { fixture, tokens } = createFixtureWithTokens();
  fixture.server.faults.frame = (frame) => {
    if (frame.type === 'welcome') {
      const connection = fixture.link();
      fixture.clock.setTimeout(() => connection.close(4401), 10);
    }
    return null;
  };
  fixture.client.start();
  await fixture.advance(60000);
  assert.equal(fixture.fatals.length, 1);
  assert.equal(tokens.renewals, 1);
});

test('a refused poll renews the token and continues', async () => {
  const { fixture, tokens } = createFixtureWithTokens();
  fixture.server.faults.connect = () => 'refuse';
  fixture.server.tokens.clear();
  fixture.server.append('progress');
  fixture.client.start();
  await fixture.advance(6000);
  assert.equal(tokens.renewals, 1);
  assert.deepEqual(fixture.seqs(), [1]);
  fixture.server.tokens.clear();
  fixture.server.append('progress');
  await fixture.advance(60000);
  assert.equal(tokens.renewals, 2, 'an accepted token can expire again');
  assert.deepEqual(fixture.seqs(), [1, 2]);
});

test('polls that are refused with the renewed token are fatal', async () => {
  const { fixture, tokens } = createFixtureWithTokens();
  tokens.isLocked = true;
  fixture.server.faults.connect = () => 'refuse';
  fixture.server.tokens.clear();
  fixture.client.start();
  await fixture.advance(60000);
  assert.equal(fixture.fatals.length, 1);
  assert.equal(fixture.fatals[0].code, 401);
  assert.equal(fixture.fatals[0].problem.code, 'UNAUTHORIZED');
  assert.equal(fixture.server.polls.length, 2);
});

test('after a refusal the renewed token is tried within 0.3 s', async () => {
  const { fixture } = createFixtureWithTokens({ random: () => 0.9 });
  await fixture.startLive();
  fixture.link().close(4401);
  await fixture.advance(320);
  assert.equal(fixture.server.connections.length, 2);
});

test('a socket and a poll that are refused together renew once', async () => {
  const { fixture, tokens } = createFixtureWithTokens({ latencyMs: () => 1300 });
  fixture.server.tokens.clear();
  fixture.client.start();
  await fixture.advance(20000);
  assert.equal(tokens.renewals, 1);
  assert.equal(fixture.client.state(), 'live');
});

/** What a session's rejection looks like when the site refuses to sign the user in. */
const createRefusal = (code = 'UNAUTHORIZED') => Object.assign(new Error(code), { problem: { code } });

for (const error of [new Error('no network'), createRefusal('NETWORK_ERROR'), createRefusal('DATA_FORMAT_ERROR'), undefined]) {
  test(`a renewal that fails with ${error} is retried until it succeeds`, async () => {
    let isBroken = true;
    const fixture = createClientFixture({
      getToken: async ({ renew }) => {
        if (!renew) return 'old';
        if (isBroken) throw error;
        return 'token-1';
      },
    });
    fixture.server.append('progress');
    fixture.client.start();
    await fixture.advance(5 * 60 * 1000);
    assert.deepEqual(fixture.fatals, []);
    isBroken = false;
    await fixture.advance(62000);
    assert.deepEqual(fixture.seqs(), [1]);
  });
}

test('a refused renewal is retried with backoff, and fatal after three refusals', async () => {
  const asked = [];
  const fixture = createClientFixture({
    getToken: async ({ renew }) => {
      if (!renew) return 'old';
      asked.push(fixture.clock.now());
      throw createRefusal('FORBIDDEN');
    },
  });
  fixture.client.start();
  await fixture.advance(5 * 60 * 1000);
  assert.equal(asked.length, 3);
  assert.deepEqual(fixture.fatals, [{ code: 4401, problem: null }]);
});

test('three refused renewals after a live connection are fatal, without a poll', async () => {
  let renewals = 0;
  const fixture = createClientFixture({
    async getToken({ renew }) {
      if (!renew) return 'token-1';
      renewals += 1;
      throw createRefusal();
    },
  });
  await fixture.startLive();
  await fixture.advance(6000);
  fixture.link().close(4401);
  await fixture.advance(2400);
  assert.equal(renewals, 3);
  assert.deepEqual(fixture.fatals, [{ code: 4401, problem: null }]);
  assert.equal(fixture.server.polls.length, 0);
});

for (const how of ['socket', 'poll']) {
  test(`a renewal that fails after its ${how} was closed is not fatal`, async () => {
    let rejectRenewal = null;
    let renewals = 0;
    const fixture = createClientFixture({
      getToken({ renew }) {
        if (!renew) return 'token-1';
        renewals += 1;
        if (renewals > 3) return 'token-1';
        return new Promise((resolve, reject) => {
          rejectRenewal = () => reject(createRefusal());
          if (renewals < 3) rejectRenewal();
        });
      },
    });
    if (how === 'poll') {
      fixture.server.faults.connect = () => 'hang';
      fixture.server.faults.poll = () => 401;
      fixture.client.start();
    } else {
      await fixture.startLive();
      await fixture.advance(6000);
      fixture.link().close(4401);
    }
    assert.ok(await fixture.clock.until(() => renewals === 3, 30000));
    fixture.client.hide();
    rejectRenewal();
    fixture.server.faults.connect = () => null;
    await fixture.advance(1000);
    assert.deepEqual([fixture.client.state(), fixture.fatals], ['suspended', []]);
    fixture.client.show();
    await fixture.advance(1000);
    assert.equal(fixture.client.state(), 'live');
  });
}

test('a lost socket does not start a renewal while that of a poll is pending', async () => {
  let renewals = 0;
  const fixture = createClientFixture({
    random: () => 0,
    getToken({ renew }) {
      if (!renew) return 'token-1';
      renewals += 1;
      return new Promise(() => {});
    },
  });
  fixture.server.faults.connect = () => 'hang';
  fixture.server.faults.poll = () => 401;
  fixture.client.start();
  await fixture.advance(14000);
  assert.equal(fixture.link().isClosedByClient, true, 'lost after 5 s, and retried after 5 more');
  assert.equal(renewals, 1);
});

test('a temporary failure of getToken is retried', async () => {
  let isBroken = true;
  const fixture = createClientFixture({
    getToken() {
      if (isBroken) throw new Error('storage');
      return 'token-1';
    },
  });
  fixture.server.append('progress');
  fixture.client.start();
  await fixture.advance(60000);
  assert.equal(fixture.server.connections.length, 0);
  isBroken = false;
  await fixture.advance(62000);
  assert.deepEqual(fixture.seqs(), [1]);
  assert.deepEqual(fixture.fatals, []);
});

test('a renewal that never returns does not block the client', async () => {
  let renewals = 0;
  const fixture = createClientFixture({
    getToken({ renew }) {
      if (!renew) return Promise.resolve('old');
      renewals += 1;
      if (renewals === 1) return new Promise(() => {});
      return Promise.resolve('token-1');
    },
  });
  fixture.client.start();
  await fixture.advance(60000);
  assert.equal(fixture.client.state(), 'live');
});

test('a token that arrives after its attempt was cancelled opens no socket', async () => {
  const fixture = createClientFixture({
    getToken: () => new Promise((resolve) => { fixture.clock.setTimeout(() => resolve('token-1'), 7000); }),
  });
  fixture.client.start();
  await fixture.advance(4000);
  fixture.client.hide();
  await fixture.advance(60000);
  assert.equal(fixture.server.connections.length, 0);
  assert.equal(fixture.server.polls.length, 0);
});

/** A fixture whose tokens must be renewed after `lifeMs`; the server keeps only the two latest ones valid. */
function createFixtureWithShortTokens({ lifeMs = 60000, isBroken = () => false } = {}) {
  const issued = [];
  let fixture = null;
  const issue = () => {
    issued.push({ token: `token-${issued.length + 1}`, renewAt: fixture.clock.now() + lifeMs });
    fixture.server.tokens = new Set(issued.slice(-2).map((one) => one.token));
    return issued[issued.length - 1];
  };
  fixture = createClientFixture({
    getToken: async ({ renew }) => {
      if (isBroken()) throw new Error('no network');
      const newest = issued[issued.length - 1];
      return newest && !renew && fixture.clock.now() < newest.renewAt ? newest : issue();
    },
  });
  return { fixture, issued };
}

test('a token is renewed on the same connection by another hello before it expires', async () => {
  const { fixture, issued } = createFixtureWithShortTokens();
  await fixture.startLive();
  await fixture.advance(59900);
  assert.equal(issued.length, 1);
  fixture.server.append('progress');
  await fixture.advance(200);
  assert.equal(issued.length, 2);
  assert.equal(fixture.server.connections.length, 1);
  const [first, second] = fixture.link().of('hello');
  assert.equal(first.token, 'token-1');
  assert.deepEqual({ ...second, sentAt: 0 }, { type: 'hello', v: 1, token: 'token-2', after: 1, epoch: 'epoch-1', sentAt: 0 });
  await fixture.advance(9 * 60000);
  assert.equal(fixture.server.connections.length, 1);
  assert.equal(fixture.link().of('hello').length, 11);
  fixture.server.append('progress');
  await fixture.advance(100);
  assert.deepEqual(fixture.seqs(), [1, 2]);
  assert.deepEqual(fixture.fatals, []);
});

test('a failed renewal during a connection is retried every 5 s, and the connection continues', async () => {
  let isBroken = false;
  const { fixture, issued } = createFixtureWithShortTokens({ isBroken: () => isBroken });
  await fixture.startLive();
  isBroken = true;
  await fixture.advance(71000);
  assert.equal(fixture.client.state(), 'live');
  isBroken = false;
  await fixture.advance(5000);
  assert.equal(issued.length, 2);
  assert.equal(fixture.link().of('hello').length, 2);
});

test('an unchanged token is not sent again, and requested at most every 5 s', async () => {
  let asked = 0;
  const fixture = createClientFixture({
    getToken: async () => {
      asked += 1;
      return { token: 'token-1', renewAt: 0 };
    },
  });
  await fixture.startLive();
  await fixture.advance(50000);
  assert.equal(fixture.link().of('hello').length, 1);
  assert.equal(asked, 11);
});

test('a token that is valid for years does not overflow the timer', async () => {
  let asked = 0;
  const fixture = createClientFixture({
    getToken: async () => {
      asked += 1;
      return { token: 'token-1', renewAt: fixture.clock.now() + 1e12 };
    },
  });
  const waits = [];
  const { setTimeout: set } = fixture.clientClock;
  fixture.clientClock.setTimeout = (run, ms) => {
    waits.push(ms);
    return set(run, ms);
  };
  await fixture.startLive();
  assert.ok(Math.max(...waits) === 2 ** 31 - 1, `${waits}`);
  await fixture.advance(60000);
  assert.equal(asked, 1);
});

for (const way of ['hide', 'close']) {
  test(`after ${way} no token is renewed`, async () => {
    const { fixture, issued } = createFixtureWithShortTokens();
    await fixture.startLive();
    fixture.client[way]();
    assert.equal(fixture.clientClock.pending(), 0);
    await fixture.advance(200000);
    assert.equal(issued.length, 1);
  });
}

test('without a connection a token is requested once per attempt', async () => {
  let asked = 0;
  const fixture = createClientFixture({
    getToken: async () => {
      asked += 1;
      return { token: 'token-1', renewAt: fixture.clock.now() + 10000 };
    },
  });
  await fixture.startLive();
  fixture.server.faults.connect = () => 'hang';
  fixture.link().cut();
  await fixture.advance(120000);
  assert.equal(asked, fixture.server.connections.length + fixture.server.polls.length);
});

test('a new token that arrives after its connection was lost is sent on the next one', async () => {
  let release = null;
  const fixture = createClientFixture({
    getToken: ({ renew }) => {
      assert.equal(renew, false);
      if (fixture.clock.now() < fixture.startedAt + 30000) return { token: 'token-1', renewAt: fixture.startedAt + 30000 };
      return new Promise((resolve) => { release = resolve; });
    },
  });
  fixture.startedAt = fixture.clock.now();
  await fixture.startLive();
  await fixture.advance(30000);
  const old = fixture.link();
  fixture.client.hide();
  fixture.client.show();
  release({ token: 'token-2', renewAt: Infinity });
  await fixture.advance(1000);
  release({ token: 'token-1', renewAt: Infinity });
  await fixture.advance(1000);
  assert.equal(old.of('hello').length, 1);
  assert.equal(fixture.client.state(), 'live');
});

test('a renewal gets the refused token', async () => {
  const requests = [];
  const fixture = createClientFixture({
    getToken: async (request) => {
      requests.push(request);
      return request.renew ? { token: 'token-1', renewAt: Infinity } : 'stale';
    },
  });
  await fixture.startLive();
  assert.deepEqual(requests, [{ renew: false }, { renew: true, refused: 'stale' }]);
});
