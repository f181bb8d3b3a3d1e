/** The calls of the HTTP API: each with a token, retried where that is safe; every rejection has a problem body. */
(function (/** @type {any} */ root, /** @type {() => {createApi(options: Diag.ApiOptions): Diag.Api}} */ factory) {
  if (typeof module === 'object' && module.exports) module.exports = factory();
  else {
    root.diag = root.diag || {};
    root.diag.api = factory();
  }
})(this, function () {
  'use strict';

  const MAX_ATTEMPTS = 3;
  const RETRY_BASE_MS = 500;
  // The user is waiting: a longer delay that the server asks for is reported as an error instead.
  const MAX_SERVER_DELAY_MS = 5000;
  // Of a call with its sign-in and all its attempts, so that no page waits for ever.
  const DEADLINE_MS = 20000;
  const RETRIED_STATUSES = [429, 502, 503, 504];
  /** The code of a response without a problem body, such as a proxy's page. @type {{[status: number]: string}} */
  const CODES_BY_STATUS = { 429: 'RATE_LIMITED', 502: 'SERVICE_UNAVAILABLE', 503: 'SERVICE_UNAVAILABLE', 504: 'NETWORK_TIMEOUT' };

  /** @param {any} problem */
  const createError = (problem) => Object.assign(new Error(problem.code), { problem });

  /** @param {Diag.HttpResponse} response */
  function toProblem({ status, body, headers }) {
    if (body && body.code) return body;
    const code = CODES_BY_STATUS[status] || (status >= 500 ? 'SERVER_ERROR' : 'DATA_FORMAT_ERROR');
    const delayMs = Number(headers['retry-after']) * 1000;
    return Object.assign({ code, status }, delayMs > 0 ? { retry_after_ms: delayMs } : {});
  }

  /** @param {{[name: string]: any}} values */
  function buildQuery(values) {
    const present = Object.keys(values || {}).filter((name) => values[name]);
    const pairs = present.map((name) => `${name}=${encodeURIComponent(values[name])}`);
    return pairs.length ? `?${pairs.join('&')}` : '';
  }

  /**
   * @param {Diag.ApiOptions} options
   * @returns {Diag.Api}
   */
  function createApi({ http, session, random = Math.random, clock = { setTimeout, clearTimeout } }) {
    /** @param {number} ms */
    const pause = (ms) => new Promise((resolve) => { clock.setTimeout(() => resolve(null), ms); });

    /**
     * Renew a refused token once; when the new one is refused too, return that response.
     * @param {Diag.HttpRequest} request
     */
    function sendAuthorized(request) {
      /** @type {(tokenRequest: object) => Promise<{response: Diag.HttpResponse, token: string}>} */
      const send = (tokenRequest) => session.getToken(tokenRequest).then(({ token }) => (
        http.send(Object.assign({ token }, request)).then((response) => ({ response, token }))
      ));
      return send({}).then(({ response, token }) => (
        response.status === 401 ? send({ renew: true, refused: token }).then((second) => second.response) : response
      ));
    }
    /** @param {Diag.HttpResponse} response */
    function readBody(response) {
      if (response.status === 204) return null;
      if (response.status >= 200 && response.status < 300 && response.body) return response.body;
      throw createError(toProblem(response));
    }
    /** @type {(problem: any, attempt: number) => number | null} the delay before the next attempt; null for no retry */
    function getRetryDelay(problem, attempt) {
      const isRetryable = problem.retryable !== false && (RETRIED_STATUSES.includes(problem.status) || /^NETWORK_/.test(problem.code));
      const serverDelay = problem.retry_after_ms || 0;
      if (!isRetryable || attempt >= MAX_ATTEMPTS || serverDelay > MAX_SERVER_DELAY_MS) return null;
      return serverDelay + random() * RETRY_BASE_MS * 2 ** attempt;
    }
    /** @type {(request: Diag.HttpRequest, isOver: () => boolean, attempt?: number) => Promise<any>} */
    function attemptCall(request, isOver, attempt = 1) {
      return sendAuthorized(request).then(readBody).catch((error) => {
        const delay = error.problem ? getRetryDelay(error.problem, attempt) : null;
        if (delay === null || isOver()) throw error;
        return pause(delay).then(() => {
          if (isOver()) throw error;
          return attemptCall(request, isOver, attempt + 1);
        });
      });
    }
    /** Repeating the request must be safe. @type {(request: Diag.HttpRequest) => Promise<any>} */
    function call(request) {
      return new Promise((resolve, reject) => {
        let isOver = false;
        const timer = clock.setTimeout(() => {
          isOver = true;
          reject(createError({ code: 'NETWORK_TIMEOUT' }));
        }, DEADLINE_MS);
        attemptCall(request, () => isOver).then(resolve, reject).then(() => clock.clearTimeout(timer));
      });
    }
    /** @type {(path: string, filters?: object) => Promise<any>} */
    const get = (path, filters = {}) => call({ path: path + buildQuery(filters) });
    /** Every attempt has the same idempotency key, so a retry never repeats the effect. @type {Function} */
    const post = (/** @type {string} */ path, /** @type {any} */ body, /** @type {string} */ key) => (
      call({ method: 'POST', path, body, headers: { 'Idempotency-Key': key } })
    );
    /** @param {string} id */
    const getPath = (id) => `/api/diagnoses/${encodeURIComponent(id)}`;

    return {
      listPlatforms: () => get('/api/platforms'),
      suggestCompetitors: (brand) => get('/api/suggestions', { brand }),
      listDiagnoses: (filters = {}) => get('/api/diagnoses', filters),
      checkQuestions: (body) => call({ method: 'POST', path: '/api/questions/check', body }),
      getDiagnosis: (id) => get(getPath(id)),
      getReport: (id) => get(`${getPath(id)}/report`),
      listAnswers: (id, cursor) => get(`${getPath(id)}/answers`, { cursor }),
      createDiagnosis: (body, key) => post('/api/diagnoses', body, key),
      retryDiagnosis: (id, key) => post(`${getPath(id)}/retry`, undefined, key),
      cancelDiagnosis: (id) => call({ method: 'POST', path: `${getPath(id)}/cancel` }),
      get,
      send: (method, path, body) => call({ method, path, body }),
      /** An idempotency key. A page keeps it until its call succeeds, so that a second tap does not repeat the effect. */
      createKey: () => Array.from({ length: 32 }, () => Math.floor(random() * 16).toString(16)).join(''),
    };
  }

  return { createApi };
});
