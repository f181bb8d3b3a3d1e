'use strict';

const test = require('node:test');
const assert = require('node:assert/strict');
const { createWorld } = require('./support/world.js');

/** A wallet whose token expires on the server, and can be renewed unless `isLocked`. */
function createWallet(world) {
  const wallet = { token: 'token-1', renewals: 0, isLocked: false };
  wallet.getToken = async ({ renew }) => {
    if (renew) {
      wallet.renewals += 1;
      if (!wallet.isLocked) wallet.token = `token-${wallet.renewals + 1}`;
      if (!wallet.isLocked) world().server.tokens.add(wallet.token);
    }
    return wallet.token;
  };
  return wallet;
}

function createWorldWithWallet(options) {
  let world = null;
  const wallet = createWallet(() => world);
  world = createWorld({ getToken: wallet.getToken, ...options });
  return { world, wallet };
}

test('a token that expires in the middle is renewed, and no event is lost', async () => {
  const { world, wallet } = createWorldWithWallet();
  await world.startLive();
  await world.advance(6000);
  for (let i = 0; i < 5; i += 1) {
    world.server.append('progress');
    world.server.tokens.clear();
    world.link().close(4401, { code: 'UNAUTHORIZED' });
    await world.advance(6000);
    assert.equal(world.client.state(), 'live');
  }
  assert.equal(wallet.renewals, 5);
  assert.deepEqual(world.seqs(), [1, 2, 3, 4, 5]);
  assert.deepEqual(world.fatals, []);
});

test('a renewed token that is refused as well is fatal: the client never loops', async () => {
  const { world, wallet } = createWorldWithWallet();
  wallet.isLocked = true;
  world.server.tokens.clear();
  world.client.start();
  await world.advance(60000);
  assert.deepEqual(world.fatals, [{ code: 4401, problem: null }]);
  assert.equal(wallet.renewals, 1);
  assert.equal(world.server.connections.length, 2);
  assert.equal(world.client.state(), 'closed');
  assert.equal(world.clientClock.pending(), 0);
});

test('a session cookie that is over is fatal after one more try', async () => {
  const world = createWorld({ getToken: async () => null });
  world.client.start();
  await world.advance(60000);
  assert.equal(world.fatals[0].code, 4401);
  assert.equal(world.server.connections.length, 2);
});

test('a server that welcomes and then refuses is fatal too', async () => {
  const { world, wallet } = createWorldWithWallet();
  world.server.faults.frame = (frame) => {
    if (frame.type === 'welcome') {
      const connection = world.link();
      world.clock.setTimeout(() => connection.close(4401), 10);
    }
    return null;
  };
  world.client.start();
  await world.advance(60000);
  assert.equal(world.fatals.length, 1);
  assert.equal(wallet.renewals, 1);
});

test('a poll that is refused renews the token and goes on', async () => {
  const { world, wallet } = createWorldWithWallet();
  world.server.faults.connect = () => 'refuse';
  world.server.tokens.clear();
  world.server.append('progress');
  world.client.start();
  await world.advance(6000);
  assert.equal(wallet.renewals, 1);
  assert.deepEqual(world.seqs(), [1]);
  world.server.tokens.clear();
  world.server.append('progress');
  await world.advance(60000);
  assert.equal(wallet.renewals, 2, 'an accepted token may expire again');
  assert.deepEqual(world.seqs(), [1, 2]);
});

test('polls that are refused with the renewed token are fatal', async () => {
  const { world, wallet } = createWorldWithWallet();
  wallet.isLocked = true;
  world.server.faults.connect = () => 'refuse';
  world.server.tokens.clear();
  world.client.start();
  await world.advance(60000);
  assert.equal(world.fatals.length, 1);
  assert.equal(world.fatals[0].code, 401);
  assert.equal(world.fatals[0].problem.code, 'UNAUTHORIZED');
  assert.equal(world.server.polls.length, 2);
});

test('after a refusal the renewed token is tried within 0.3 s, stable or not', async () => {
  const { world } = createWorldWithWallet({ random: () => 0.9 });
  await world.startLive();
  world.link().close(4401);
  await world.advance(320);
  assert.equal(world.server.connections.length, 2);
});

test('socket and poll that are refused together renew once', async () => {
  const { world, wallet } = createWorldWithWallet({ latencyMs: () => 1300 });
  world.server.tokens.clear();
  world.client.start();
  await world.advance(20000);
  assert.equal(wallet.renewals, 1);
  assert.equal(world.client.state(), 'live');
});

test('a renewal that fails is tried again with back-off, and given up after three', async () => {
  const asked = [];
  const world = createWorld({
    getToken: async ({ renew }) => {
      if (!renew) return 'old';
      asked.push(world.clock.now());
      throw new Error('no network');
    },
  });
  world.client.start();
  await world.advance(5 * 60 * 1000);
  assert.equal(asked.length, 3);
  assert.deepEqual(world.fatals, [{ code: 4401, problem: null }]);
});

test('three renewals that fail after a live connection are the end, without a single poll', async () => {
  let renewals = 0;
  const world = createWorld({
    async getToken({ renew }) {
      if (!renew) return 'token-1';
      renewals += 1;
      throw new Error('no network');
    },
  });
  await world.startLive();
  await world.advance(6000);
  world.link().close(4401);
  await world.advance(2400);
  assert.equal(renewals, 3);
  assert.deepEqual(world.fatals, [{ code: 4401, problem: null }]);
  assert.equal(world.server.polls.length, 0);
});

for (const how of ['socket', 'poll']) {
  test(`a renewal that fails after its ${how} was let go is not the end`, async () => {
    let giveUp = null;
    let renewals = 0;
    const world = createWorld({
      getToken({ renew }) {
        if (!renew) return 'token-1';
        renewals += 1;
        if (renewals > 3) return 'token-1';
        return new Promise((resolve, reject) => {
          giveUp = () => reject(new Error('no network'));
          if (renewals < 3) giveUp();
        });
      },
    });
    if (how === 'poll') {
      world.server.faults.connect = () => 'hang';
      world.server.faults.poll = () => 401;
      world.client.start();
    } else {
      await world.startLive();
      await world.advance(6000);
      world.link().close(4401);
    }
    assert.ok(await world.clock.until(() => renewals === 3, 30000));
    world.client.hide();
    giveUp();
    world.server.faults.connect = () => null;
    await world.advance(1000);
    assert.deepEqual([world.client.state(), world.fatals], ['suspended', []]);
    world.client.show();
    await world.advance(1000);
    assert.equal(world.client.state(), 'live');
  });
}

test('a socket that is lost does not begin a renewal that a poll has begun already', async () => {
  let renewals = 0;
  const world = createWorld({
    random: () => 0,
    getToken({ renew }) {
      if (!renew) return 'token-1';
      renewals += 1;
      return new Promise(() => {});
    },
  });
  world.server.faults.connect = () => 'hang';
  world.server.faults.poll = () => 401;
  world.client.start();
  await world.advance(14000);
  assert.equal(world.link().isClosedByClient, true, 'lost after 5 s, and tried again after 5 more');
  assert.equal(renewals, 1);
});

test('a token that cannot be read for a while is no reason to give up', async () => {
  let isBroken = true;
  const world = createWorld({
    getToken() {
      if (isBroken) throw new Error('storage');
      return 'token-1';
    },
  });
  world.server.append('progress');
  world.client.start();
  await world.advance(60000);
  assert.equal(world.server.connections.length, 0);
  isBroken = false;
  await world.advance(62000);
  assert.deepEqual(world.seqs(), [1]);
  assert.deepEqual(world.fatals, []);
});

test('a renewal that never comes back does not hold up the client for ever', async () => {
  let renewals = 0;
  const world = createWorld({
    getToken({ renew }) {
      if (!renew) return Promise.resolve('old');
      renewals += 1;
      if (renewals === 1) return new Promise(() => {});
      return Promise.resolve('token-1');
    },
  });
  world.client.start();
  await world.advance(60000);
  assert.equal(world.client.state(), 'live');
});

test('a token that arrives after its attempt was given up opens no socket', async () => {
  const world = createWorld({
    getToken: () => new Promise((resolve) => { world.clock.setTimeout(() => resolve('token-1'), 7000); }),
  });
  world.client.start();
  await world.advance(4000);
  world.client.hide();
  await world.advance(60000);
  assert.equal(world.server.connections.length, 0);
  assert.equal(world.server.polls.length, 0);
});

/** A world whose tokens must be renewed after `lifeMs`; the server drops a token 10 s later. */
function createWorldOfShortTokens({ lifeMs = 60000, isBroken = () => false } = {}) {
  const issued = [];
  let world = null;
  const issue = () => {
    issued.push({ token: `token-${issued.length + 1}`, renewAt: world.clock.now() + lifeMs });
    world.server.tokens = new Set(issued.slice(-2).map((one) => one.token));
    return issued[issued.length - 1];
  };
  world = createWorld({
    getToken: async ({ renew }) => {
      if (isBroken()) throw new Error('no network');
      const newest = issued[issued.length - 1];
      return newest && !renew && world.clock.now() < newest.renewAt ? newest : issue();
    },
  });
  return { world, issued };
}

test('a token is renewed in mid-stream: a hello with the new one, before the old one ends, on the same connection', async () => {
  const { world, issued } = createWorldOfShortTokens();
  await world.startLive();
  await world.advance(59900);
  assert.equal(issued.length, 1);
  world.server.append('progress');
  await world.advance(200);
  assert.equal(issued.length, 2);
  assert.equal(world.server.connections.length, 1);
  const [first, second] = world.link().of('hello');
  assert.equal(first.token, 'token-1');
  assert.deepEqual({ ...second, sentAt: 0 }, { type: 'hello', v: 1, token: 'token-2', after: 1, epoch: 'epoch-1', sentAt: 0 });
  await world.advance(9 * 60000);
  assert.equal(world.server.connections.length, 1);
  assert.equal(world.link().of('hello').length, 11);
  world.server.append('progress');
  await world.advance(100);
  assert.deepEqual(world.seqs(), [1, 2]);
  assert.deepEqual(world.fatals, []);
});

test('a renewal in mid-stream that fails is tried again every 5 s, and the connection goes on', async () => {
  let isBroken = false;
  const { world, issued } = createWorldOfShortTokens({ isBroken: () => isBroken });
  await world.startLive();
  isBroken = true;
  await world.advance(71000);
  assert.equal(world.client.state(), 'live');
  isBroken = false;
  await world.advance(5000);
  assert.equal(issued.length, 2);
  assert.equal(world.link().of('hello').length, 2);
});

test('the same token again is not said again, and asked for no more than every 5 s', async () => {
  let asked = 0;
  const world = createWorld({
    getToken: async () => {
      asked += 1;
      return { token: 'token-1', renewAt: 0 };
    },
  });
  await world.startLive();
  await world.advance(50000);
  assert.equal(world.link().of('hello').length, 1);
  assert.equal(asked, 11);
});

test('a token that lasts for years is no timer that runs at once', async () => {
  let asked = 0;
  const world = createWorld({
    getToken: async () => {
      asked += 1;
      return { token: 'token-1', renewAt: world.clock.now() + 1e12 };
    },
  });
  const waits = [];
  const { setTimeout: set } = world.clientClock;
  world.clientClock.setTimeout = (run, ms) => {
    waits.push(ms);
    return set(run, ms);
  };
  await world.startLive();
  assert.ok(Math.max(...waits) === 2 ** 31 - 1, `${waits}`);
  await world.advance(60000);
  assert.equal(asked, 1);
});

for (const way of ['hide', 'close']) {
  test(`after ${way} no token is renewed`, async () => {
    const { world, issued } = createWorldOfShortTokens();
    await world.startLive();
    world.client[way]();
    assert.equal(world.clientClock.pending(), 0);
    await world.advance(200000);
    assert.equal(issued.length, 1);
  });
}

test('while nothing is open a token is asked for with each attempt, and no more often', async () => {
  let asked = 0;
  const world = createWorld({
    getToken: async () => {
      asked += 1;
      return { token: 'token-1', renewAt: world.clock.now() + 10000 };
    },
  });
  await world.startLive();
  world.server.faults.connect = () => 'hang';
  world.link().cut();
  await world.advance(120000);
  assert.equal(asked, world.server.connections.length + world.server.polls.length);
});

test('a new token that arrives after its connection was lost is said on the next one', async () => {
  let release = null;
  const world = createWorld({
    getToken: ({ renew }) => {
      assert.equal(renew, false);
      if (world.clock.now() < world.startedAt + 30000) return { token: 'token-1', renewAt: world.startedAt + 30000 };
      return new Promise((resolve) => { release = resolve; });
    },
  });
  world.startedAt = world.clock.now();
  await world.startLive();
  await world.advance(30000);
  const old = world.link();
  world.client.hide();
  world.client.show();
  release({ token: 'token-2', renewAt: Infinity });
  await world.advance(1000);
  release({ token: 'token-1', renewAt: Infinity });
  await world.advance(1000);
  assert.equal(old.of('hello').length, 1);
  assert.equal(world.client.state(), 'live');
});

test('whoever renews is told which token was refused', async () => {
  const requests = [];
  const world = createWorld({
    getToken: async (request) => {
      requests.push(request);
      return request.renew ? { token: 'token-1', renewAt: Infinity } : 'stale';
    },
  });
  await world.startLive();
  assert.deepEqual(requests, [{ renew: false }, { renew: true, refused: 'stale' }]);
});
