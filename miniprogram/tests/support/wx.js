'use strict';

/** The parts of `wx` that the services use; a violation of the platform's rules throws. */
function createWx() {
  const wx = { sockets: [], requests: [], connectSocket, request, returnsNoTask: false };

  function connectSocket(options) {
    if (/[?&]token=/.test(options.url)) throw new Error('a token in the address');
    if (wx.returnsNoTask) {
      options.fail({ errMsg: 'connectSocket:fail exceed max task count' });
      return undefined;
    }
    const task = createTask(options);
    wx.sockets.push(task);
    return task;
  }

  function createTask(options) {
    let isSameTick = true;
    queueMicrotask(() => { isSameTick = false; });
    const listeners = {};
    const listen = (name) => (listener) => {
      if (!isSameTick) throw new Error(`${name} is attached too late`);
      if (listeners[name]) throw new Error(`${name} is attached twice`);
      listeners[name] = listener;
    };
    return {
      options,
      listeners,
      sent: [],
      closes: [],
      closeFails: null,
      closeThrows: null,
      sendFails: null,
      onOpen: listen('onOpen'),
      onMessage: listen('onMessage'),
      onClose: listen('onClose'),
      onError: listen('onError'),
      send({ data, fail }) {
        if (typeof data !== 'string') throw new Error('data is not a string');
        this.sent.push(data);
        if (this.sendFails) fail(this.sendFails);
      },
      close(option) {
        this.closes.push(option.code);
        if (this.closeThrows) throw this.closeThrows;
        if (this.closeFails) option.fail(this.closeFails);
      },
    };
  }

  function request(options) {
    const task = { options, isAborted: false, abort };
    /** As on the platform, an abort calls fail. */
    function abort() {
      task.isAborted = true;
      options.fail({ errMsg: 'request:fail abort' });
    }
    wx.requests.push(task);
    return task;
  }

  return wx;
}

module.exports = { createWx };
