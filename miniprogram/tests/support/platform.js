'use strict';

const http = require('node:http');
const { WebSocket } = require('ws');
const { createStorage } = require('./storage.js');

const MOST_SOCKETS = 5;
const MOST_REQUESTS = 10;
const FREEZE_AFTER_MS = 5000;

/**
 * A device: `wx` over real sockets and requests, with the platform's own limits. What breaks one is in `violations`,
 * and fails as on the platform. After `hide` the JavaScript is frozen: no timer runs, and callbacks arrive on return.
 *
 *   speed              how much faster than real this device's time runs, timers and clock
 *   closesSilently()   whether a close event is withheld
 */
function createDevice({ speed = 1, closesSilently = () => false, freezeAfterMs = FREEZE_AFTER_MS } = {}) {
  const device = { violations: [], isHidden: false, isFrozen: false, sockets: 0, requests: 0, codes: 0, hide, show };
  const late = [];
  let freezing = null;

  const fail = (option, errMsg) => call(() => option.fail && option.fail({ errMsg }));
  const complain = (what) => device.violations.push(what);

  /** A callback is never called in the tick that caused it, and not at all while the app is frozen. */
  function call(run) {
    setImmediate(() => now(run));
  }
  function now(run) {
    if (device.isFrozen) late.push(run);
    else run();
  }
  function hide() {
    device.isHidden = true;
    freezing = setTimeout(() => { device.isFrozen = true; }, freezeAfterMs / speed);
  }
  function show() {
    clearTimeout(freezing);
    device.isHidden = device.isFrozen = false;
    late.splice(0).forEach((run) => run());
  }

  const began = performance.now();
  const epoch = Date.now();
  device.clock = {
    now: () => epoch + (performance.now() - began) * speed,
    setTimeout: (run, ms) => setTimeout(() => now(run), ms / speed),
    clearTimeout,
  };

  function connectSocket(option) {
    if (device.isHidden) complain('connectSocket while hidden');
    if (/token=/.test(option.url)) complain('a token in an address');
    if (device.sockets >= MOST_SOCKETS) {
      complain('more than 5 sockets');
      fail(option, 'connectSocket:fail exceed max task count');
      return undefined;
    }
    return createTask(device, { option, call, fail, complain, closesSilently });
  }

  function request(option) {
    if (device.isHidden) complain('request while hidden');
    if (device.requests >= MOST_REQUESTS) {
      complain('more than 10 requests');
      fail(option, 'request:fail exceed max task count');
      return { abort() {} };
    }
    return send(device, { option, call, fail, speed });
  }

  device.wx = {
    ...createStorage(),
    connectSocket,
    request,
    login({ success }) {
      device.codes += 1;
      const code = `code-${process.pid}-${Math.random()}`;
      call(() => success({ code }));
    },
  };
  return device;
}

function createTask(device, { option, call, fail, complain, closesSilently }) {
  const socket = new WebSocket(option.url, { perMessageDeflate: Boolean(option.perMessageDeflate) });
  const listeners = {};
  let isSameTick = true;
  let isGone = false;
  queueMicrotask(() => { isSameTick = false; });
  device.sockets += 1;

  const listen = (name) => (listener) => {
    if (!isSameTick) complain(`${name} is attached too late`);
    if (listeners[name]) complain(`${name} is attached twice`);
    listeners[name] = listener;
  };
  const tell = (name, ...args) => call(() => listeners[name] && listeners[name](...args));

  socket.on('open', () => tell('onOpen', {}));
  socket.on('message', (data) => tell('onMessage', { data: data.toString() }));
  socket.on('error', (error) => tell('onError', { errMsg: error.message }));
  socket.on('close', (code, reason) => {
    isGone = true;
    device.sockets -= 1;
    if (!closesSilently()) tell('onClose', { code, reason: reason.toString() });
  });
  return {
    onOpen: listen('onOpen'),
    onMessage: listen('onMessage'),
    onClose: listen('onClose'),
    onError: listen('onError'),
    send(message) {
      if (device.isHidden) complain('send while hidden');
      if (socket.readyState !== WebSocket.OPEN) fail(message, 'sendSocketMessage:fail');
      else socket.send(message.data);
    },
    close(options) {
      if (isGone) fail(options, 'closeSocket:fail taskID not exist');
      else if (socket.readyState === WebSocket.OPEN) hangUp(socket, options.code);
      else socket.terminate();
    },
  };
}

/** A peer that is not there any more is not waited for. */
function hangUp(socket, code) {
  socket.close(code);
  setTimeout(() => socket.terminate(), 200).unref();
}

function send(device, { option, call, fail, speed }) {
  let isOver = false;
  device.requests += 1;
  const end = (tell) => {
    if (isOver) return;
    isOver = true;
    device.requests -= 1;
    tell();
  };
  const sent = http.request(option.url, {
    method: option.method || 'GET', headers: option.header, timeout: option.timeout / speed, agent: false,
  }, (response) => {
    const chunks = [];
    response.on('data', (chunk) => chunks.push(chunk));
    response.on('error', () => end(() => fail(option, 'request:fail socket hang up')));
    response.on('end', () => end(() => {
      const answer = { statusCode: response.statusCode, data: parse(Buffer.concat(chunks).toString()), header: response.headers };
      call(() => option.success(answer));
    }));
  });
  sent.on('timeout', () => sent.destroy(new Error('timeout')));
  sent.on('error', (error) => end(() => fail(option, `request:fail ${error.message}`)));
  sent.end(option.data);
  return {
    abort() {
      end(() => fail(option, 'request:fail abort'));
      sent.destroy();
    },
  };
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    return text;
  }
}

module.exports = { createDevice };
