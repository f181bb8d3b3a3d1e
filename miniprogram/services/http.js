/** wx.request as a promise: any status is an answer, only a missing one is a failure, and never too many at once. */
(function (/** @type {any} */ root, /** @type {() => any} */ factory) {
  if (typeof module === 'object' && module.exports) module.exports = factory();
  else {
    root.diag = root.diag || {};
    root.diag.http = factory();
  }
})(this, function () {
  'use strict';

  // The platform's limit is 10, and the stream's own poll is one of them.
  const MOST_AT_ONCE = 9;
  const TIMEOUT_MS = 15000;
  // After a freeze a callback may never come. Then the request is given up.
  const OVERDUE_MS = 5000;

  /**
   * @param {string} code
   * @returns {Error & {problem: any}}
   */
  function failure(code) {
    return Object.assign(new Error(code), { problem: { code } });
  }

  /** @param {any} error  of wx.request */
  const isTimeout = (error) => /timeout|timed out/i.test((error && error.errMsg) || '');

  /** @param {any} headers  whose names come in any case */
  function lowerCased(headers) {
    /** @type {{[name: string]: string}} */
    const lower = {};
    Object.keys(headers || {}).forEach((name) => { lower[name.toLowerCase()] = headers[name]; });
    return lower;
  }

  /**
   * @param {{wx: any, baseUrl: string, language?: string, clock?: any}} options
   * @returns {Diag.Http}
   */
  function createHttp({ wx, baseUrl, language = 'zh-CN', clock = { setTimeout, clearTimeout } }) {
    const site = baseUrl.replace(/\/$/, '');
    let underWay = 0;
    /** @type {Array<() => void>} */
    const waiting = [];

    /** @param {Diag.HttpRequest} request */
    function headersOf({ token, headers, body }) {
      const all = Object.assign({ Accept: 'application/json', 'Accept-Language': language }, headers);
      if (token) all.Authorization = `Bearer ${token}`;
      if (body !== undefined) all['Content-Type'] = 'application/json';
      return all;
    }
    /** @type {(request: Diag.HttpRequest, resolve: (answer: Diag.HttpAnswer) => void, reject: (error: any) => void) => void} */
    function run(request, resolve, reject) {
      const { method = 'GET', path, body, timeoutMs = TIMEOUT_MS } = request;
      let isOver = false;
      /** @type {any} */
      let task = null;
      /** @param {() => void} tell */
      function end(tell) {
        if (isOver) return;
        isOver = true;
        clock.clearTimeout(overdue);
        underWay -= 1;
        tell();
        const next = waiting.shift();
        if (next) next();
      }
      const overdue = clock.setTimeout(() => {
        end(() => reject(failure('NETWORK_TIMEOUT')));
        if (task) task.abort();
      }, timeoutMs + OVERDUE_MS);
      underWay += 1;
      try {
        task = wx.request({
          url: site + path,
          method,
          header: headersOf(request),
          data: body === undefined ? undefined : JSON.stringify(body),
          timeout: timeoutMs,
          success(/** @type {any} */ { statusCode, data, header }) {
            const isJson = data !== null && typeof data === 'object';
            end(() => resolve({ status: statusCode, body: isJson ? data : null, headers: lowerCased(header) }));
          },
          fail: (/** @type {any} */ error) => {
            end(() => reject(failure(isTimeout(error) ? 'NETWORK_TIMEOUT' : 'NETWORK_ERROR')));
          },
        });
      } catch (error) {
        end(() => reject(failure('NETWORK_ERROR')));
      }
    }
    return {
      send: (request) => new Promise((resolve, reject) => {
        const start = () => run(request, resolve, reject);
        if (underWay < MOST_AT_ONCE) start();
        else waiting.push(start);
      }),
    };
  }

  return { createHttp };
});
