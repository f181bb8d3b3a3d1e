/** The client's transport in a browser: WebSocket and fetch. */
(function (/** @type {any} */ root, /** @type {(root: any) => {createBrowserTransport(options?: any): Diag.Transport}} */ factory) {
  if (typeof module === 'object' && module.exports) module.exports = factory({});
  else {
    root.diag = root.diag || {};
    root.diag.browserTransport = factory(root);
  }
})(this, function (/** @type {any} */ root) {
  'use strict';

  /** @param {string | null} header  Retry-After: seconds or a date */
  function parseRetryAfter(header) {
    if (!header) return null;
    return isFinite(Number(header)) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  }

  /** @param {any} response  the body may be a proxy's page, or empty */
  function readResponse(response) {
    return response.json().catch(() => null).then((/** @type {any} */ body) => (
      { status: response.status, body, retryAfterMs: parseRetryAfter(response.headers.get('Retry-After')) }
    ));
  }

  /**
   * @param {{baseUrl?: string, WebSocket?: any, fetch?: any}} [options]  an empty baseUrl means the page's own origin
   * @returns {Diag.Transport}
   */
  function createBrowserTransport(options) {
    const { baseUrl = '', WebSocket = root.WebSocket, fetch = root.fetch } = options || {};
    const origin = (baseUrl || root.location.origin).replace(/\/$/, '');

    /** @type {Diag.Transport['connect']} */
    function connect(path, handlers) {
      const socket = new WebSocket(origin.replace(/^http/, 'ws') + path);
      socket.onopen = () => handlers.onOpen();
      socket.onmessage = (/** @type {any} */ event) => handlers.onMessage(event.data);
      socket.onclose = (/** @type {any} */ event) => handlers.onClose(event.code, event.reason);
      socket.onerror = () => handlers.onError();
      return {
        send: (text) => socket.send(text),
        close: (code) => socket.close(code),
      };
    }

    /** @type {Diag.Transport['poll']} */
    function poll(path, { token, timeoutMs }, callback) {
      const controller = new AbortController();
      let isSettled = false;
      /** @type {(error: any, response?: any) => void} */
      function finish(error, response) {
        if (isSettled) return;
        isSettled = true;
        clearTimeout(timer);
        callback(error, response);
      }
      const timer = setTimeout(() => {
        finish(new Error('poll timed out'));
        controller.abort();
      }, timeoutMs);
      /** @type {{[name: string]: string}} */
      const headers = { Accept: 'application/json' };
      if (token !== null) headers.Authorization = `Bearer ${token}`;
      fetch(origin + path, { headers, credentials: 'same-origin', cache: 'no-store', signal: controller.signal })
        .then(readResponse)
        .then((/** @type {any} */ response) => finish(null, response), finish);
      return {
        abort() {
          isSettled = true;
          clearTimeout(timer);
          controller.abort();
        },
      };
    }

    return { connect, poll };
  }

  return { createBrowserTransport };
});
