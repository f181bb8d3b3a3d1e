'use strict';

const test = require('node:test');
const assert = require('node:assert/strict');
const { createSession } = require('../../services/session.js');
const { createClock } = require('../support/clock.js');
const { createStorage } = require('../support/storage.js');

const HOUR = 3600000;

/** A site whose tokens are valid for `lifeMs`, and whose clock is `aheadMs` ahead of the device's. */
function setUp({ lifeMs = HOUR, aheadMs = 0, storage = createStorage(), ...options } = {}) {
  const clock = createClock();
  const site = { codes: 0, sent: [], fail: null, answer: null, hold: false, held: [], lifeMs };
  const wx = {
    ...storage,
    login({ success, fail }) {
      site.codes += 1;
      if (site.fail === 'login') fail({ errMsg: 'login:fail' });
      else success({ code: site.fail === 'no code' ? '' : `code-${site.codes}` });
    },
  };
  const http = {
    async send(request) {
      site.sent.push(request);
      if (site.hold) await new Promise((resolve) => { site.held.push(resolve); });
      if (site.fail === 'network') throw Object.assign(new Error('x'), { problem: { code: 'NETWORK_ERROR' } });
      if (site.answer) return { headers: {}, ...site.answer };
      const now = clock.now() + aheadMs;
      return {
        status: 200,
        headers: aheadMs ? { date: new Date(now).toUTCString() } : {},
        body: { token: `token-${site.sent.length}`, expires_at: new Date(now + site.lifeMs).toISOString(), user: { id: 7 } },
      };
    },
  };
  const session = createSession({ wx, http, clock: clock.view(), ...options });
  return { session, site, clock, wx, http, storage, tokenOf: async (request) => (await session.getToken(request)).token };
}

test('signing in exchanges a code of wx.login for a token and stores it', async () => {
  const { session, site, clock, storage } = setUp();
  const now = clock.now();
  assert.equal(session.user(), null);
  const first = await session.getToken();
  assert.deepEqual(first, { token: 'token-1', user: { id: 7 }, begunAt: now, renewAt: now + HOUR - 60000, endsAt: now + HOUR });
  assert.deepEqual(site.sent, [{ method: 'POST', path: '/api/session', body: { code: 'code-1' } }]);
  assert.deepEqual(await session.getToken({}), first);
  assert.equal(site.sent.length, 1);
  assert.deepEqual(session.user(), { id: 7 });
  assert.deepEqual(storage.stored.get('diag.session'), first);
});

test('a stored token is used after a restart', async () => {
  const one = setUp();
  await one.session.getToken();
  const two = setUp({ storage: one.storage });
  assert.equal(await two.tokenOf(), 'token-1');
  assert.equal(two.site.sent.length, 0);
  assert.deepEqual(two.session.user(), { id: 7 });
});

test('other data in the storage is ignored', async () => {
  const storage = createStorage({ 'diag.session': { token: '' } });
  const { session, tokenOf } = setUp({ storage });
  assert.equal(session.user(), null);
  assert.equal(await tokenOf(), 'token-1');
});

test('a token is renewed a minute before it expires', async () => {
  const { clock, site, tokenOf } = setUp();
  await tokenOf();
  await clock.advance(HOUR - 60001);
  assert.equal(await tokenOf(), 'token-1');
  await clock.advance(1);
  assert.equal(await tokenOf(), 'token-2');
  assert.equal(site.codes, 2, 'a code is valid once');
});

test('a token with a short lifetime is renewed after three quarters of it', async () => {
  const { session, clock } = setUp({ lifeMs: 20000 });
  assert.equal((await session.getToken()).renewAt, clock.now() + 15000);
});

for (const aheadMs of [2 * HOUR, -2 * HOUR]) {
  test(`a device whose clock is ${-aheadMs / HOUR} hours ahead of the server's has the usual token lifetime`, async () => {
    const { session, clock } = setUp({ aheadMs });
    const { endsAt } = await session.getToken();
    assert.ok(Math.abs(endsAt - clock.now() - HOUR) <= 1000);
  });
}

test('after the clock was set back a new token is requested', async () => {
  const one = setUp();
  await one.clock.advance(HOUR);
  await one.session.getToken();
  const two = setUp({ storage: one.storage });
  assert.equal(await two.tokenOf(), 'token-1');
  assert.equal(two.site.sent.length, 1);
});

test('concurrent callers share one sign-in', async () => {
  const { site, tokenOf } = setUp();
  const tokens = await Promise.all([tokenOf(), tokenOf({ renew: true }), tokenOf({ renew: true, refused: 'old' })]);
  assert.deepEqual(tokens, ['token-1', 'token-1', 'token-1']);
  assert.equal(site.codes, 1);
  assert.equal(await tokenOf({ renew: true }), 'token-2', 'the next call starts a new one');
});

test('a caller whose refused token was renewed since gets the new one', async () => {
  const { site, tokenOf } = setUp();
  await tokenOf();
  assert.equal(await tokenOf({ renew: true, refused: 'token-1' }), 'token-2');
  assert.equal(await tokenOf({ renew: true, refused: 'token-1' }), 'token-2');
  assert.equal(site.sent.length, 2);
  assert.equal(await tokenOf({ renew: true, refused: 'token-2' }), 'token-3');
});

test('after a failed renewal the old token is used until it expires', async () => {
  const { site, clock, tokenOf } = setUp();
  await tokenOf();
  site.fail = 'network';
  await clock.advance(HOUR - 30000);
  assert.equal(await tokenOf(), 'token-1');
  await assert.rejects(tokenOf({ renew: true }), { problem: { code: 'NETWORK_ERROR' } }, 'a refused token is not used again');
  await clock.advance(30000);
  await assert.rejects(tokenOf(), { problem: { code: 'NETWORK_ERROR' } });
});

for (const [fail, code] of [['login', 'NETWORK_ERROR'], ['no code', 'UNAUTHORIZED'], ['network', 'NETWORK_ERROR']]) {
  test(`a sign-in without ${fail} is a ${code}, and the next call retries`, async () => {
    const { site, tokenOf } = setUp();
    site.fail = fail;
    await assert.rejects(tokenOf(), { message: fail === 'network' ? 'x' : code, problem: { code } });
    site.fail = null;
    assert.match(await tokenOf(), /^token-/);
    assert.equal(site.codes, 2);
  });
}

for (const [answer, problem] of [
  [{ status: 403, body: { code: 'FORBIDDEN', title: 'x' } }, { code: 'FORBIDDEN', title: 'x' }],
  [{ status: 502, body: null }, { code: 'DATA_FORMAT_ERROR', status: 502 }],
  [{ status: 200, body: null }, { code: 'DATA_FORMAT_ERROR', status: 200 }],
  [{ status: 200, body: { a: 1 } }, { code: 'DATA_FORMAT_ERROR', status: 200 }],
  [{ status: 500, body: { token: 'x' } }, { code: 'DATA_FORMAT_ERROR', status: 500 }],
]) {
  test(`a server that answers ${JSON.stringify(answer)} does not sign in`, async () => {
    const { site, session, tokenOf } = setUp();
    site.answer = answer;
    await assert.rejects(tokenOf(), { problem });
    assert.equal(session.user(), null);
  });
}

test('without a user in the response the user is null', async () => {
  const { site, session, clock } = setUp();
  site.answer = { status: 200, body: { token: 't', expires_at: new Date(clock.now() + HOUR).toISOString() } };
  await session.getToken();
  assert.equal(session.user(), null);
});

test('a sign-in times out after 20 s, and its late response is dropped', async () => {
  const { site, clock, session, tokenOf } = setUp();
  site.hold = true;
  const first = assert.rejects(tokenOf(), { problem: { code: 'NETWORK_TIMEOUT' } });
  await clock.advance(19999);
  assert.equal(site.codes, 1);
  await clock.advance(1);
  await first;
  site.hold = false;
  assert.equal(await tokenOf(), 'token-2');
  site.held.forEach((release) => release());
  await clock.settle();
  assert.equal(await tokenOf(), 'token-2');
  assert.equal(session.user().id, 7);
});

test('a finished sign-in leaves no timer', async () => {
  const clock = createClock().view();
  const { tokenOf } = setUp({ clock });
  await tokenOf();
  assert.equal(clock.pending(), 0);
});

test('signing out deletes the token here and on the server, reachable or not', async () => {
  const { site, session, storage, tokenOf } = setUp();
  await session.signOut();
  assert.equal(site.sent.length, 0, 'there was no session');
  await tokenOf();
  site.fail = 'network';
  assert.equal(await session.signOut(), undefined);
  assert.deepEqual(site.sent[1], { method: 'DELETE', path: '/api/session', token: 'token-1' });
  assert.equal(storage.stored.has('diag.session'), false);
  assert.equal(session.user(), null);
  site.fail = null;
  assert.equal(await tokenOf(), 'token-3');
  assert.equal(await session.signOut(), undefined);
});

test('signing out during a sign-in stays signed out', async () => {
  const { site, session, clock, storage, tokenOf } = setUp();
  site.hold = true;
  const asked = tokenOf();
  await clock.settle();
  session.signOut();
  site.held.forEach((release) => release());
  await asked;
  assert.equal(session.user(), null);
  assert.equal(storage.stored.size, 0);
});

test('a sign-in that was overtaken by a sign-out does not end the next one', async () => {
  const { site, session, clock, tokenOf } = setUp();
  site.hold = true;
  const old = tokenOf();
  await clock.settle();
  session.signOut();
  const next = tokenOf();
  await clock.settle();
  site.held[0]();
  await old;
  await clock.settle();
  const another = tokenOf();
  await clock.settle();
  assert.equal(site.codes, 2, 'the one under way is shared');
  site.held.slice(1).forEach((release) => release());
  assert.deepEqual([await next, await another], ['token-2', 'token-2']);
  assert.equal(session.user().id, 7, 'and kept');
});

test('a device whose storage fails signs in once per start', async () => {
  const broken = () => { throw new Error('storage'); };
  const storage = { getStorageSync: broken, setStorageSync: broken, removeStorageSync: broken };
  const { site, session, tokenOf } = setUp({ storage });
  assert.equal(session.user(), null);
  assert.equal(await tokenOf(), 'token-1');
  assert.equal(await tokenOf(), 'token-1');
  await session.signOut();
  assert.equal(session.user(), null);
  assert.equal(site.codes, 1);
});

test('a site of one\'s own may take other credentials than a code', async () => {
  const { site, tokenOf } = setUp({ credentials: () => ({ device_id: 'device-1' }) });
  await tokenOf();
  assert.deepEqual(site.sent[0].body, { device_id: 'device-1' });
  assert.equal(site.codes, 0);
});

test('the real clock is the default', async () => {
  const { http, wx } = setUp();
  const session = createSession({ wx, http });
  const { begunAt } = await session.getToken();
  assert.ok(Math.abs(begunAt - Date.now()) < 60000);
});
