'use strict';

const test = require('node:test');
const assert = require('node:assert/strict');
const { createApi } = require('../../services/api.js');
const { createClock } = require('../support/clock.js');

/** An API whose server returns `answers` one after the other, and the last one repeatedly. */
function setUp(answers = [{ status: 200, body: { ok: true } }], options = {}) {
  const clock = createClock();
  const fixture = { sent: [], asked: [], clock, at: [] };
  let renewals = 0;
  const session = {
    async getToken(request) {
      fixture.asked.push(request);
      if (request.renew) renewals += 1;
      return { token: `token-${renewals}` };
    },
  };
  const http = {
    async send(request) {
      const answer = answers[Math.min(fixture.sent.length, answers.length - 1)];
      fixture.sent.push(request);
      fixture.at.push(clock.now());
      if (answer.problem) throw Object.assign(new Error(answer.problem.code), answer);
      return { body: null, headers: {}, ...answer };
    },
  };
  fixture.api = createApi({ http, session, clock: clock.view(), random: () => 0.5, ...options });
  fixture.waits = () => fixture.at.slice(1).map((at, i) => at - fixture.at[i]);
  /** The outcome of a call, after advancing the clock far enough for all retries. */
  fixture.outcome = async (call) => {
    const done = call.then((value) => ({ value }), (error) => ({ error }));
    await clock.advance(60000);
    return done;
  };
  return fixture;
}

const CALLS = [
  [(api) => api.listPlatforms(), 'GET /api/platforms'],
  [(api) => api.suggestCompetitors('山 岚'), `GET /api/suggestions?brand=${encodeURIComponent('山 岚')}`],
  [(api) => api.listDiagnoses(), 'GET /api/diagnoses'],
  [(api) => api.listDiagnoses({ q: '山 岚', status: '', cursor: 'a/b' }), `GET /api/diagnoses?q=${encodeURIComponent('山 岚')}&cursor=a%2Fb`],
  [(api) => api.getDiagnosis('a/b'), 'GET /api/diagnoses/a%2Fb'],
  [(api) => api.getReport('d1'), 'GET /api/diagnoses/d1/report'],
  [(api) => api.listAnswers('d1'), 'GET /api/diagnoses/d1/answers'],
  [(api) => api.listAnswers('d1', 'c1'), 'GET /api/diagnoses/d1/answers?cursor=c1'],
  [(api) => api.createDiagnosis({ brand: 'x' }, 'key-1'), 'POST /api/diagnoses', { brand: 'x' }, 'key-1'],
  [(api) => api.retryDiagnosis('d1', 'key-2'), 'POST /api/diagnoses/d1/retry', undefined, 'key-2'],
  [(api) => api.cancelDiagnosis('d1'), 'POST /api/diagnoses/d1/cancel'],
  [(api) => api.checkQuestions({ questions: ['一？'] }), 'POST /api/questions/check', { questions: ['一？'] }],
  [(api) => api.get('/api/x', { surface: 'a b', host: '' }), 'GET /api/x?surface=a%20b'],
  [(api) => api.send('DELETE', '/api/x'), 'DELETE /api/x'],
];
for (const [call, line, body, key] of CALLS) {
  test(`${line} is sent with a token${key ? ', a body and an idempotency key' : ''}`, async () => {
    const { api, sent, outcome } = setUp();
    assert.deepEqual(await outcome(call(api)), { value: { ok: true } });
    assert.equal(`${sent[0].method || 'GET'} ${sent[0].path}`, line);
    assert.equal(sent[0].token, 'token-0');
    assert.deepEqual(sent[0].body, body);
    assert.deepEqual(sent[0].headers, key && { 'Idempotency-Key': key });
  });

  test(`${line} is sent three times unchanged, then rejected`, async () => {
    const { api, sent, outcome } = setUp([{ status: 503, body: { code: 'SERVICE_UNAVAILABLE', status: 503 } }]);
    const { error } = await outcome(call(api));
    assert.equal(error.message, 'SERVICE_UNAVAILABLE');
    assert.deepEqual(error.problem, { code: 'SERVICE_UNAVAILABLE', status: 503 });
    assert.equal(sent.length, 3);
    assert.deepEqual(sent[2], sent[0]);
  });
}

test('a missing body is null for status 204 and an error otherwise', async () => {
  const { api, outcome } = setUp([{ status: 204 }, { status: 200, body: null }]);
  assert.deepEqual(await outcome(api.cancelDiagnosis('d1')), { value: null });
  const { error } = await outcome(api.listPlatforms());
  assert.deepEqual(error.problem, { code: 'DATA_FORMAT_ERROR', status: 200 }, 'a captive portal answers 200 as well');
});

for (const [status, code] of [
  [300, 'DATA_FORMAT_ERROR'], [302, 'DATA_FORMAT_ERROR'], [400, 'DATA_FORMAT_ERROR'], [401, 'DATA_FORMAT_ERROR'], [403, 'DATA_FORMAT_ERROR'],
  [404, 'DATA_FORMAT_ERROR'], [429, 'RATE_LIMITED'],
  [500, 'SERVER_ERROR'], [502, 'SERVICE_UNAVAILABLE'], [503, 'SERVICE_UNAVAILABLE'], [504, 'NETWORK_TIMEOUT'], [599, 'SERVER_ERROR'],
]) {
  test(`a bare ${status} is a ${code}`, async () => {
    const { api, outcome } = setUp([{ status, body: { some: 'page' } }]);
    assert.deepEqual((await outcome(api.listPlatforms())).error.problem, { code, status });
  });
}

for (const [answer, attempts] of [
  [{ problem: { code: 'NETWORK_ERROR' } }, 3], [{ problem: { code: 'NETWORK_TIMEOUT' } }, 3],
  [{ status: 429 }, 3], [{ status: 502 }, 3], [{ status: 504 }, 3],
  [{ status: 500 }, 1], [{ status: 400 }, 1], [{ status: 404 }, 1], [{ status: 409, body: { code: 'CONFLICT', status: 409 } }, 1],
  [{ status: 503, headers: { 'retry-after': '6' } }, 1],
]) {
  test(`${JSON.stringify(answer)} is attempted ${attempts} times`, async () => {
    const { api, sent, outcome } = setUp([answer]);
    assert.ok((await outcome(api.listPlatforms())).error);
    assert.equal(sent.length, attempts);
  });
}

test('retries back off with jitter and then succeed', async () => {
  const { api, waits, outcome } = setUp([{ status: 503 }, { status: 503 }, { status: 200, body: { ok: 1 } }]);
  assert.deepEqual(await outcome(api.listPlatforms()), { value: { ok: 1 } });
  assert.deepEqual(waits(), [500, 1000]);
});

test('a short wait that the server asks for is respected, a long one is rejected at once', async () => {
  const asks = (retryAfterMs) => [{ status: 429, body: { code: 'RATE_LIMITED', status: 429, retry_after_ms: retryAfterMs } }];
  const short = setUp(asks(5000));
  await short.outcome(short.api.listPlatforms());
  assert.deepEqual(short.waits(), [5500, 6000]);
  const long = setUp(asks(5001));
  await long.outcome(long.api.listPlatforms());
  assert.equal(long.sent.length, 1);
});

test('a response without a problem body may ask for a wait in its Retry-After header', async () => {
  const { api, outcome } = setUp([{ status: 503, headers: { 'retry-after': '30' } }]);
  assert.equal((await outcome(api.listPlatforms())).error.problem.retry_after_ms, 30000);
});

test('a refused token is renewed once, and the call is repeated', async () => {
  const { api, sent, asked, outcome } = setUp([{ status: 401 }, { status: 200, body: { ok: 1 } }]);
  assert.deepEqual(await outcome(api.createDiagnosis({}, 'key')), { value: { ok: 1 } });
  assert.deepEqual(asked, [{}, { renew: true, refused: 'token-0' }]);
  assert.deepEqual(sent.map((request) => request.token), ['token-0', 'token-1']);
  assert.equal(sent[1].headers['Idempotency-Key'], 'key');
});

test('a renewed token that is refused as well is an error', async () => {
  const problem = { code: 'UNAUTHORIZED', status: 401 };
  const { api, sent, outcome } = setUp([{ status: 401, body: problem }]);
  assert.deepEqual((await outcome(api.listPlatforms())).error.problem, problem);
  assert.equal(sent.length, 2);
});

test('a failed sign-in fails the call, after the usual retries', async () => {
  let asked = 0;
  const session = {
    async getToken() {
      asked += 1;
      throw Object.assign(new Error('x'), { problem: { code: 'NETWORK_ERROR' } });
    },
  };
  const { api, outcome } = setUp([], { session });
  assert.deepEqual((await outcome(api.listPlatforms())).error.problem, { code: 'NETWORK_ERROR' });
  assert.equal(asked, 3);
});

test('an unexpected exception is not retried', async () => {
  let asked = 0;
  const session = {
    async getToken() {
      asked += 1;
      throw new TypeError('bug');
    },
  };
  const { api, outcome } = setUp([], { session });
  assert.match((await outcome(api.listPlatforms())).error.message, /bug/);
  assert.equal(asked, 1);
});

test('idempotency keys are unique', () => {
  const { api } = setUp([], { random: Math.random });
  const keys = Array.from({ length: 100 }, () => api.createKey());
  assert.equal(new Set(keys).size, 100);
  keys.forEach((key) => assert.match(key, /^[0-9a-f]{32}$/));
});

test('the real clock is the default', async () => {
  const answers = [{ status: 503, body: null, headers: {} }, { status: 200, body: { ok: 1 }, headers: {} }];
  const api = createApi({
    http: { send: async () => answers.shift() }, session: { getToken: async () => ({ token: 't' }) }, random: () => 0,
  });
  assert.deepEqual(await api.listPlatforms(), { ok: 1 });
});

test('a call that gets no answer is an error after 20 s, with its sign-in and all its attempts', async () => {
  const clock = createClock();
  const api = createApi({ http: { send: () => new Promise(() => {}) }, session: { getToken: async () => ({ token: 't' }) }, clock: clock.view() });
  let error = null;
  api.createDiagnosis({}, 'key').catch((caught) => { error = caught; });
  await clock.advance(19999);
  assert.equal(error, null);
  await clock.advance(1);
  assert.equal(error.problem.code, 'NETWORK_TIMEOUT');
});

test('attempts end with the time limit', async () => {
  const clock = createClock();
  let attempts = 0;
  const send = () => {
    attempts += 1;
    return new Promise((resolve, reject) => { clock.view().setTimeout(() => reject(Object.assign(new Error('x'), { problem: { code: 'NETWORK_ERROR' } })), 12000); });
  };
  const api = createApi({ http: { send }, session: { getToken: async () => ({ token: 't' }) }, clock: clock.view(), random: () => 0 });
  const outcome = api.listPlatforms().catch((error) => error);
  await clock.advance(60000);
  assert.equal((await outcome).problem.code, 'NETWORK_TIMEOUT');
  assert.equal(attempts, 2);
});

test('what can never succeed is not repeated', async () => {
  const { api, sent, outcome } = setUp([{ problem: { code: 'NETWORK_ERROR', retryable: false } }]);
  assert.ok((await outcome(api.listPlatforms())).error);
  assert.equal(sent.length, 1);
});
