/** wx.request as a promise that resolves for every status, with a bound on concurrent requests. */
(function (/** @type {any} */ root, /** @type {() => {createHttp(options: {wx: any, baseUrl: string, language?: string, clock?: any}): Diag.Http}} */ factory) {
  if (typeof module === 'object' && module.exports) module.exports = factory();
  else {
    root.diag = root.diag || {};
    root.diag.http = factory();
  }
})(this, function () {
  'use strict';

  // The platform's limit is 10, and the event stream's long poll is one of them.
  const MAX_CONCURRENT = 9;
  const TIMEOUT_MS = 15000;
  // After a freeze the platform may never call back: the request then fails this long after its timeout.
  const CALLBACK_GRACE_MS = 5000;

  /**
   * @param {string} code
   * @returns {Error & {problem: any}}
   */
  function createError(code) {
    return Object.assign(new Error(code), { problem: { code } });
  }

  /** @param {any} error  of wx.request */
  const isTimeout = (error) => /timeout|timed out/i.test((error && error.errMsg) || '');

  /**
   * The problem of a failed request. A domain that is not registered at WeChat fails at once and always, so it is named.
   * @param {any} error  of wx.request
   */
  function toError(error) {
    const errMsg = (error && error.errMsg) || '';
    if (!/not in domain list/i.test(errMsg)) return createError(isTimeout(error) ? 'NETWORK_TIMEOUT' : 'NETWORK_ERROR');
    const copy = {
      title: '服务器域名没有登记',
      message: `微信拒绝了请求：${errMsg}`,
      suggestion: '请联系运营人员在小程序后台登记域名。 The domain of the server is not registered at WeChat.',
      display: 'modal',
      action: { kind: 'dismiss', label: '', params: {} },
    };
    return Object.assign(new Error('NETWORK_ERROR'), { problem: { code: 'NETWORK_ERROR', retryable: false, copy } });
  }

  /** @param {any} headers  names may be in any case */
  function withLowerCaseNames(headers) {
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
    let active = 0;
    /** @type {Array<() => void>} */
    const queue = [];

    /** @param {Diag.HttpRequest} request */
    function buildHeaders({ token, headers, body }) {
      const all = Object.assign({ Accept: 'application/json', 'Accept-Language': language }, headers);
      if (token) all.Authorization = `Bearer ${token}`;
      if (body !== undefined) all['Content-Type'] = 'application/json';
      return all;
    }
    /** @type {(request: Diag.HttpRequest, resolve: (response: Diag.HttpResponse) => void, reject: (error: any) => void) => void} */
    function run(request, resolve, reject) {
      const { method = 'GET', path, body, timeoutMs = TIMEOUT_MS } = request;
      let isSettled = false;
      /** @type {any} */
      let task = null;
      /** @param {() => void} settle */
      function finish(settle) {
        if (isSettled) return;
        isSettled = true;
        clock.clearTimeout(watchdog);
        active -= 1;
        settle();
        const next = queue.shift();
        if (next) next();
      }
      const watchdog = clock.setTimeout(() => {
        finish(() => reject(createError('NETWORK_TIMEOUT')));
        if (task) task.abort();
      }, timeoutMs + CALLBACK_GRACE_MS);
      active += 1;
      try {
        task = wx.request({
          url: site + path,
          method,
          header: buildHeaders(request),
          data: body === undefined ? undefined : JSON.stringify(body),
          timeout: timeoutMs,
          success(/** @type {any} */ { statusCode, data, header }) {
            const isJson = data !== null && typeof data === 'object';
            finish(() => resolve({ status: statusCode, body: isJson ? data : null, headers: withLowerCaseNames(header) }));
          },
          fail: (/** @type {any} */ error) => {
            finish(() => reject(toError(error)));
          },
        });
      } catch (error) {
        finish(() => reject(createError('NETWORK_ERROR')));
      }
    }
    return {
      send: (request) => new Promise((resolve, reject) => {
        const start = () => run(request, resolve, reject);
        if (active < MAX_CONCURRENT) start();
        else queue.push(start);
      }),
    };
  }

  return { createHttp };
});
