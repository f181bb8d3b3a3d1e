'use strict';

const http = require('node:http');
const https = require('node:https');
const { WebSocket } = require('ws');
const { PROFILES } = require('./deviceProfiles.js');
const { createStorage } = require('./storage.js');

const MAX_SOCKETS = 5;
const MAX_REQUESTS = 10;
const FREEZE_AFTER_MS = 5000;

/**
 * A device: `wx` over real sockets and requests, with the platform's limits. A call that exceeds one fails as on the
 * platform and is listed in `violations`. Some seconds after `hide` the JavaScript is frozen: timers and callbacks wait
 * for `show`.
 *
 *   speed              factor by which this device's timers and clock run faster than real time
 *   closesSilently()   whether a close event is dropped
 *   profile            the kind of client, of deviceProfiles.js: its handshake, and how it reports a lost connection
 *   certificate        the authority that this device trusts, for an https site
 */
function createDevice({ speed = 1, profile = 'devtools', certificate, closesSilently = () => false, freezeAfterMs = FREEZE_AFTER_MS } = {}) {
  const device = { violations: [], isHidden: false, isFrozen: false, sockets: 0, requests: 0, codes: 0, hide, show };
  const delayed = [];
  let freezing = null;

  const fail = (option, errMsg) => call(() => option.fail && option.fail({ errMsg }));
  const addViolation = (what) => device.violations.push(what);

  /** Callbacks run in a later tick, and only while the app is not frozen. */
  function call(run) {
    setImmediate(() => runUnlessFrozen(run));
  }
  function runUnlessFrozen(run) {
    if (device.isFrozen) delayed.push(run);
    else run();
  }
  function hide() {
    device.isHidden = true;
    freezing = setTimeout(() => { device.isFrozen = true; }, freezeAfterMs / speed);
  }
  function show() {
    clearTimeout(freezing);
    device.isHidden = device.isFrozen = false;
    delayed.splice(0).forEach((run) => run());
  }

  const began = performance.now();
  const epoch = Date.now();
  device.clock = {
    now: () => epoch + (performance.now() - began) * speed,
    setTimeout: (run, ms) => setTimeout(() => runUnlessFrozen(run), ms / speed),
    clearTimeout,
  };

  function connectSocket(option) {
    if (device.isHidden) addViolation('connectSocket while hidden');
    if (/token=/.test(option.url)) addViolation('a token in an address');
    if (device.sockets >= MAX_SOCKETS) {
      addViolation('more than 5 sockets');
      fail(option, 'connectSocket:fail exceed max task count');
      return undefined;
    }
    return createTask(device, { option, call, fail, addViolation, closesSilently, certificate, profile: PROFILES[profile] });
  }

  function request(option) {
    if (device.isHidden) addViolation('request while hidden');
    if (device.requests >= MAX_REQUESTS) {
      addViolation('more than 10 requests');
      fail(option, 'request:fail exceed max task count');
      return { abort() {} };
    }
    return send(device, { option, call, fail, speed, certificate, profile: PROFILES[profile] });
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

/** The options of a handshake as a kind of client makes it. */
function buildHandshake(option, { origin, headers }, certificate) {
  const { protocol, host } = new URL(option.url);
  const site = `${protocol.replace('ws', 'http')}//${host}`;
  return { perMessageDeflate: Boolean(option.perMessageDeflate), handshakeTimeout: option.timeout, origin: origin(site), headers, ca: certificate };
}

function createTask(device, { option, call, fail, addViolation, closesSilently, certificate, profile }) {
  const socket = new WebSocket(option.url, buildHandshake(option, profile, certificate));
  const listeners = {};
  let isSameTick = true;
  let isClosed = false;
  queueMicrotask(() => { isSameTick = false; });
  device.sockets += 1;

  const listen = (name) => (listener) => {
    if (!isSameTick) addViolation(`${name} is attached too late`);
    if (listeners[name]) addViolation(`${name} is attached twice`);
    listeners[name] = listener;
  };
  const emit = (name, ...args) => call(() => listeners[name] && listeners[name](...args));

  socket.on('open', () => emit('onOpen', {}));
  socket.on('message', (data) => emit('onMessage', { data: data.toString() }));
  socket.on('error', (error) => emit('onError', { errMsg: error.message }));
  socket.on('close', (code, reason) => {
    isClosed = true;
    device.sockets -= 1;
    const isLost = code === 1006;
    if (!closesSilently() && !(isLost && profile.closesSilently && device.isHidden)) emit('onClose', { code: isLost ? profile.lostCode : code, reason: reason.toString() });
  });
  return {
    onOpen: listen('onOpen'),
    onMessage: listen('onMessage'),
    onClose: listen('onClose'),
    onError: listen('onError'),
    send(message) {
      if (device.isHidden) addViolation('send while hidden');
      if (socket.readyState !== WebSocket.OPEN) fail(message, 'sendSocketMessage:fail');
      else socket.send(message.data);
    },
    close(options) {
      if (isClosed) fail(options, 'closeSocket:fail taskID not exist');
      else if (socket.readyState === WebSocket.OPEN) closeSocket(socket, options.code);
      else socket.terminate();
    },
  };
}

/** Do not wait for a peer that is gone. */
function closeSocket(socket, code) {
  socket.close(code);
  setTimeout(() => socket.terminate(), 200).unref();
}

function send(device, { option, call, fail, speed, certificate, profile }) {
  let isSettled = false;
  device.requests += 1;
  const finish = (settle) => {
    if (isSettled) return;
    isSettled = true;
    device.requests -= 1;
    settle();
  };
  const sent = (option.url.startsWith('https:') ? https : http).request(option.url, {
    ca: certificate, method: option.method || 'GET', headers: { ...profile.headers, ...option.header }, timeout: option.timeout / speed, agent: false,
  }, (response) => {
    const chunks = [];
    response.on('data', (chunk) => chunks.push(chunk));
    response.on('error', () => finish(() => fail(option, 'request:fail socket hang up')));
    response.on('end', () => finish(() => {
      const answer = { statusCode: response.statusCode, data: parse(Buffer.concat(chunks).toString()), header: response.headers };
      call(() => option.success(answer));
    }));
  });
  sent.on('timeout', () => sent.destroy(new Error('timeout')));
  sent.on('error', (error) => finish(() => fail(option, `request:fail ${error.message}`)));
  sent.end(option.data);
  return {
    abort() {
      finish(() => fail(option, 'request:fail abort'));
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
