/** The calls of the HTTP API: a token with each, tried again where that is safe, and every failure a problem body. */
(function (/** @type {any} */ root, /** @type {() => any} */ factory) {
  if (typeof module === 'object' && module.exports) module.exports = factory();
  else {
    root.diag = root.diag || {};
    root.diag.api = factory();
  }
})(this, function () {
  'use strict';

  const ATTEMPTS = 3;
  const RETRY_BASE_MS = 500;
  // A person is waiting. What the server wants to be left alone for longer is told instead.
  const MOST_WAIT_MS = 5000;
  const RETRIED = [429, 502, 503, 504];
  /** What a status means when no problem body says so, as in a proxy's page. @type {{[status: number]: string}} */
  const CODES = { 401: 'UNAUTHORIZED', 403: 'FORBIDDEN', 404: 'DATA_NOT_FOUND', 429: 'RATE_LIMITED',
    502: 'SERVICE_UNAVAILABLE', 503: 'SERVICE_UNAVAILABLE', 504: 'NETWORK_TIMEOUT' };

  /** @param {any} problem */
  const failure = (problem) => Object.assign(new Error(problem.code), { problem });

  /** @param {Diag.HttpAnswer} answer */
  function problemOf({ status, body, headers }) {
    if (body && body.code) return body;
    const code = CODES[status] || (status >= 500 ? 'SERVER_ERROR' : 'DATA_FORMAT_ERROR');
    const waitMs = Number(headers['retry-after']) * 1000;
    return Object.assign({ code, status }, waitMs > 0 ? { retry_after_ms: waitMs } : {});
  }

  /** @param {{[name: string]: any}} values */
  function query(values) {
    const given = Object.keys(values || {}).filter((name) => values[name]);
    const pairs = given.map((name) => `${name}=${encodeURIComponent(values[name])}`);
    return pairs.length ? `?${pairs.join('&')}` : '';
  }

  /**
   * @param {Diag.ApiOptions} options
   * @returns {Diag.Api}
   */
  function createApi({ http, session, random = Math.random, clock = { setTimeout } }) {
    /** @param {number} ms */
    const pause = (ms) => new Promise((resolve) => { clock.setTimeout(() => resolve(null), ms); });

    /**
     * A refused token is renewed once; if the new one is refused too, that is the answer.
     * @param {Diag.HttpRequest} request
     */
    function sendSigned(request) {
      /** @type {(renewal: object) => Promise<{answer: Diag.HttpAnswer, token: string}>} */
      const once = (renewal) => session.getToken(renewal).then(({ token }) => (
        http.send(Object.assign({ token }, request)).then((answer) => ({ answer, token }))
      ));
      return once({}).then(({ answer, token }) => (
        answer.status === 401 ? once({ renew: true, refused: token }).then((again) => again.answer) : answer
      ));
    }
    /** @param {Diag.HttpAnswer} answer */
    function read(answer) {
      if (answer.status === 204) return null;
      if (answer.status >= 200 && answer.status < 300 && answer.body) return answer.body;
      throw failure(problemOf(answer));
    }
    /** @type {(problem: any, attempt: number) => number | null} how long to wait before the next; null for none */
    function waitAfter(problem, attempt) {
      const isWorth = RETRIED.includes(problem.status) || /^NETWORK_/.test(problem.code);
      const asked = problem.retry_after_ms || 0;
      if (!isWorth || attempt >= ATTEMPTS || asked > MOST_WAIT_MS) return null;
      return asked + random() * RETRY_BASE_MS * 2 ** attempt;
    }
    /**
     * @param {Diag.HttpRequest} request
     * @param {boolean} isRepeatable  whether the server takes the same again for the same
     * @param {number} [attempt]
     * @returns {Promise<any>}
     */
    function call(request, isRepeatable, attempt = 1) {
      return sendSigned(request).then(read).catch((error) => {
        const wait = isRepeatable && error.problem ? waitAfter(error.problem, attempt) : null;
        if (wait === null) throw error;
        return pause(wait).then(() => call(request, isRepeatable, attempt + 1));
      });
    }
    /** @type {(path: string) => Promise<any>} */
    const get = (path) => call({ path }, true);
    /** The same key with every attempt, so what got through is not done twice. @type {Function} */
    const post = (/** @type {string} */ path, /** @type {any} */ body, /** @type {string} */ key) => (
      call({ method: 'POST', path, body, headers: { 'Idempotency-Key': key } }, true)
    );
    /** @param {string} id */
    const pathOf = (id) => `/api/diagnoses/${encodeURIComponent(id)}`;

    return {
      listPlatforms: () => get('/api/platforms'),
      suggestCompetitors: (brand) => get(`/api/suggestions${query({ brand })}`),
      listDiagnoses: (filters = {}) => get(`/api/diagnoses${query(filters)}`),
      getDiagnosis: (id) => get(pathOf(id)),
      getReport: (id) => get(`${pathOf(id)}/report`),
      listAnswers: (id, cursor) => get(`${pathOf(id)}/answers${query({ cursor })}`),
      createDiagnosis: (body, key) => post('/api/diagnoses', body, key),
      retryDiagnosis: (id, key) => post(`${pathOf(id)}/retry`, undefined, key),
      cancelDiagnosis: (id) => call({ method: 'POST', path: `${pathOf(id)}/cancel` }, true),
      /** The last word on a place counts, so saying it again changes nothing. */
      judgeHit: (id, hit) => call({ method: 'POST', path: `${pathOf(id)}/corrections`, body: hit }, true),
      /** A page keeps it until its call has succeeded, so that pressing again does not start a second. */
      newKey: () => Array.from({ length: 32 }, () => Math.floor(random() * 16).toString(16)).join(''),
    };
  }

  return { createApi };
});
