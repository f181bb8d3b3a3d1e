/** The client's way out of a browser: a WebSocket and fetch. */
(function (/** @type {any} */ root, /** @type {(root: any) => any} */ factory) {
  if (typeof module === 'object' && module.exports) module.exports = factory({});
  else {
    root.diag = root.diag || {};
    root.diag.browserTransport = factory(root);
  }
})(this, function (/** @type {any} */ root) {
  'use strict';

  /** @param {string | null} header  Retry-After: seconds or a date */
  function toMs(header) {
    if (!header) return null;
    return isFinite(Number(header)) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  }

  /** @param {any} response  whose body may be anything: a proxy's page, nothing at all */
  function readAnswer(response) {
    return response.json().catch(() => null).then((/** @type {any} */ body) => (
      { status: response.status, body, retryAfterMs: toMs(response.headers.get('Retry-After')) }
    ));
  }

  /**
   * @param {{baseUrl?: string, WebSocket?: any, fetch?: any}} [options]  an empty baseUrl is the page's own site
   * @returns {Diag.Transport}
   */
  function createBrowserTransport(options) {
    const { baseUrl = '', WebSocket = root.WebSocket, fetch = root.fetch } = options || {};
    const site = (baseUrl || root.location.origin).replace(/\/$/, '');

    /** @type {Diag.Transport['connect']} */
    function connect(path, handlers) {
      const socket = new WebSocket(site.replace(/^http/, 'ws') + path);
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
      let isOver = false;
      /** @type {(error: any, answer?: any) => void} */
      function end(error, answer) {
        if (isOver) return;
        isOver = true;
        clearTimeout(timer);
        callback(error, answer);
      }
      const timer = setTimeout(() => {
        end(new Error('poll timed out'));
        controller.abort();
      }, timeoutMs);
      /** @type {{[name: string]: string}} */
      const headers = { Accept: 'application/json' };
      if (token !== null) headers.Authorization = `Bearer ${token}`;
      fetch(site + path, { headers, credentials: 'same-origin', cache: 'no-store', signal: controller.signal })
        .then(readAnswer)
        .then((/** @type {any} */ answer) => end(null, answer), end);
      return {
        abort() {
          isOver = true;
          clearTimeout(timer);
          controller.abort();
        },
      };
    }

    return { connect, poll };
  }

  return { createBrowserTransport };
});
