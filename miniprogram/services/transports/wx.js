/** The client's transport in a mini-program: a SocketTask and wx.request. */
(function (/** @type {any} */ root, /** @type {() => {createWxTransport(options: {wx: any, baseUrl: string, compresses?: boolean}): Diag.Transport}} */ factory) {
  if (typeof module === 'object' && module.exports) module.exports = factory();
  else {
    root.diag = root.diag || {};
    root.diag.wxTransport = factory();
  }
})(this, function () {
  'use strict';

  // WeChat's default is 60 s; the client polls long before that.
  const CONNECT_TIMEOUT_MS = 10000;
  // The platform's messages when no socket is open, or none yet. Any other failure of a close is a bug of this code.
  const NOT_OPEN = /taskID not exist|is not connected|readyState is not OPEN/i;

  /** @param {any} error  of a close */
  function ignoreNotOpen(error) {
    if (!NOT_OPEN.test((error && (error.errMsg || error.message)) || '')) throw error;
  }

  /** @param {any} headers  names may be in any case */
  function parseRetryAfter(headers) {
    const name = Object.keys(headers || {}).find((key) => key.toLowerCase() === 'retry-after');
    const value = name && headers[name];
    if (!value) return null;
    return isFinite(value) ? value * 1000 : Date.parse(value) - Date.now();
  }

  /**
   * @param {{wx: any, baseUrl: string, compresses?: boolean}} options  `compresses`: whether sockets use permessage-deflate
   * @returns {Diag.Transport}
   */
  function createWxTransport({ wx, baseUrl, compresses = true }) {
    const origin = baseUrl.replace(/\/$/, '');

    /** @type {Diag.Transport['connect']} */
    function connect(path, handlers) {
      let isClosed = false;
      const task = wx.connectSocket({
        url: origin.replace(/^http/, 'ws') + path,
        perMessageDeflate: compresses,
        tcpNoDelay: true,
        timeout: CONNECT_TIMEOUT_MS,
        fail: (/** @type {any} */ error) => handlers.onError(error),
      });
      if (!task) throw new Error('no socket');
      // Attach the listeners in this tick, or onOpen can be missed.
      task.onOpen(() => {
        if (isClosed) closeTask(1000);
        else handlers.onOpen();
      });
      task.onMessage((/** @type {any} */ message) => handlers.onMessage(message.data));
      task.onClose((/** @type {any} */ result) => {
        const { code, reason } = result || {};
        handlers.onClose(code, reason);
      });
      task.onError((/** @type {any} */ error) => handlers.onError(error));

      /** @param {number} code */
      function closeTask(code) {
        try {
          task.close({ code, fail: ignoreNotOpen });
        } catch (error) {
          ignoreNotOpen(error);
        }
      }
      return {
        send: (text) => task.send({ data: text, fail: (/** @type {any} */ error) => handlers.onError(error) }),
        /** A task that is still connecting may refuse to close and open later: onOpen then closes it again. */
        close(code) {
          isClosed = true;
          closeTask(code);
        },
      };
    }

    /** @type {Diag.Transport['poll']} */
    function poll(path, { token, timeoutMs }, callback) {
      let isSettled = false;
      /** @type {(error: any, response?: any) => void} */
      function finish(error, response) {
        if (isSettled) return;
        isSettled = true;
        callback(error, response);
      }
      const task = wx.request({
        url: origin + path,
        header: Object.assign({ Accept: 'application/json' }, token === null ? {} : { Authorization: `Bearer ${token}` }),
        timeout: timeoutMs,
        // Called for every status; a body that is not JSON stays a string.
        success(/** @type {any} */ { statusCode, data, header }) {
          const body = data && typeof data === 'object' ? data : null;
          finish(null, { status: statusCode, body, retryAfterMs: parseRetryAfter(header) });
        },
        fail: (/** @type {any} */ error) => finish(error || new Error('request failed')),
      });
      return {
        abort() {
          isSettled = true;
          if (task) task.abort();
        },
      };
    }

    return { connect, poll };
  }

  return { createWxTransport };
});
