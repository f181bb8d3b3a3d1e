/** The client's way out of a mini-program: a SocketTask and wx.request. */
(function (/** @type {any} */ root, /** @type {() => any} */ factory) {
  if (typeof module === 'object' && module.exports) module.exports = factory();
  else {
    root.diag = root.diag || {};
    root.diag.wxTransport = factory();
  }
})(this, function () {
  'use strict';

  // What the platform answers when there is nothing left to close, or not yet anything. Other failures are ours.
  const NOTHING_TO_CLOSE = /taskID not exist|is not connected|readyState is not OPEN/i;

  /** @param {any} error  of a close */
  function tolerate(error) {
    if (!NOTHING_TO_CLOSE.test((error && (error.errMsg || error.message)) || '')) throw error;
  }

  /** @param {any} headers  whose names come in any case */
  function retryAfterMs(headers) {
    const name = Object.keys(headers || {}).find((key) => key.toLowerCase() === 'retry-after');
    const value = name && headers[name];
    if (!value) return null;
    return isFinite(value) ? value * 1000 : Date.parse(value) - Date.now();
  }

  /**
   * @param {{wx: any, baseUrl: string}} options
   * @returns {Diag.Transport}
   */
  function createWxTransport({ wx, baseUrl }) {
    const site = baseUrl.replace(/\/$/, '');

    /** @type {Diag.Transport['connect']} */
    function connect(path, handlers) {
      let isGivenUp = false;
      const task = wx.connectSocket({
        url: site.replace(/^http/, 'ws') + path,
        perMessageDeflate: true,
        fail: (/** @type {any} */ error) => handlers.onError(error),
      });
      if (!task) throw new Error('no socket');
      // In this tick, or onOpen can be missed.
      task.onOpen(() => {
        if (isGivenUp) shut(1000);
        else handlers.onOpen();
      });
      task.onMessage((/** @type {any} */ message) => handlers.onMessage(message.data));
      task.onClose((/** @type {any} */ result) => {
        const { code, reason } = result || {};
        handlers.onClose(code, reason);
      });
      task.onError((/** @type {any} */ error) => handlers.onError(error));

      /** @param {number} code */
      function shut(code) {
        try {
          task.close({ code, fail: tolerate });
        } catch (error) {
          tolerate(error);
        }
      }
      return {
        send: (text) => task.send({ data: text, fail: (/** @type {any} */ error) => handlers.onError(error) }),
        /** A task that is still connecting may refuse, and open later: then it is closed again. */
        close(code) {
          isGivenUp = true;
          shut(code);
        },
      };
    }

    /** @type {Diag.Transport['poll']} */
    function poll(path, { token, timeoutMs }, callback) {
      let isOver = false;
      /** @type {(error: any, answer?: any) => void} */
      function end(error, answer) {
        if (isOver) return;
        isOver = true;
        callback(error, answer);
      }
      const task = wx.request({
        url: site + path,
        header: Object.assign({ Accept: 'application/json' }, token === null ? {} : { Authorization: `Bearer ${token}` }),
        timeout: timeoutMs,
        // Every status lands here; a body that is no JSON stays a string.
        success(/** @type {any} */ { statusCode, data, header }) {
          const body = data && typeof data === 'object' ? data : null;
          end(null, { status: statusCode, body, retryAfterMs: retryAfterMs(header) });
        },
        fail: (/** @type {any} */ error) => end(error || new Error('request failed')),
      });
      return {
        abort() {
          isOver = true;
          if (task) task.abort();
        },
      };
    }

    return { connect, poll };
  }

  return { createWxTransport };
});
