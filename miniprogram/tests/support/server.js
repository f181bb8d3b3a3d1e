'use strict';

const assert = require('node:assert/strict');

const PAGE = 200;
/** The site's codes; without one, a status comes from something in front of it. */
const CODES = { 401: 'UNAUTHORIZED', 403: 'FORBIDDEN', 404: 'DATA_NOT_FOUND' };

/**
 * A simulated server of one stream and the network in front of it, in virtual time. It follows the protocol; a test
 * injects failures by the properties of `faults` and the methods of a connection.
 */
function createServer({ clock, latencyMs = () => 5 }) {
  const server = {
    epoch: 'epoch-1',
    log: [],
    prunedTo: 0,
    pingS: 10,
    /** the valid tokens */
    tokens: new Set(['token-1']),
    connections: [],
    polls: [],
    faults: {
      connect: () => null, // 'refuse', 'throw', 'silent' (opens but sends nothing), 'hang' (never opens)
      hello: () => null, // a close code instead of a welcome
      frame: () => null, // 'drop', 'twice', 'late'
      poll: () => null, // 'error', 'hang', a status, or a whole {status, body}
      notify: () => true, // false: the append is not pushed; only the next ping or append reveals it
      staleEpoch: 'reset', // or 'reset, events', 'events', 'wait': what follows the welcome after a hello of another epoch
    },
    open: () => server.connections.filter((connection) => !connection.isClosedByClient && !connection.isDead),
    last: () => server.log.length,
    isClosed: () => server.log.some((event) => event[1] === 'complete'),
    append,
    replaceLog,
    transport: { connect, poll },
  };

  function append(kind, data = {}) {
    server.log.push([server.log.length + 1, kind, data]);
    if (server.faults.notify()) server.connections.forEach((connection) => connection.push());
    server.polls.forEach((request) => request.notify());
    return server.log.length;
  }

  function replaceLog(epoch) {
    server.epoch = epoch;
    server.log = [];
    server.connections.forEach((connection) => connection.cut());
  }

  function connect(path, handlers) {
    const fault = server.faults.connect();
    if (fault === 'throw') throw new Error('too many sockets');
    const connection = createConnection(server, clock, latencyMs, path, handlers);
    server.connections.push(connection);
    connection.begin(fault);
    return connection.handle;
  }

  function poll(path, options, callback) {
    const request = createPoll(server, clock, latencyMs, path, options, callback);
    server.polls.push(request);
    request.begin();
    return request.handle;
  }

  return server;
}

function createConnection(server, clock, latencyMs, path, handlers) {
  const connection = {
    path,
    at: clock.now(),
    /** the client's frames, with their time */
    sent: [],
    isClosedByClient: false,
    isDead: false,
    /** a half-open connection silently drops everything in both directions */
    isHalfOpen: false,
    cursor: null,
    handlers,
    handle: { send: fromClient, close: closedByClient },
    begin,
    push,
    send,
    cut,
    close,
    of: (type) => connection.sent.filter((frame) => frame.type === type),
  };
  let arrival = 0;
  let isOpen = false;

  function begin(fault) {
    if (fault === 'hang') return;
    if (fault === 'refuse') return cut();
    connection.isSilent = fault === 'silent';
    clock.setTimeout(() => {
      if (connection.isDead || connection.isClosedByClient) return;
      isOpen = true;
      handlers.onOpen();
    }, latencyMs());
  }

  function fromClient(text) {
    assert.ok(isOpen, 'a send before the socket is open');
    const frame = JSON.parse(text);
    assert.ok(frame.type === 'hello' || connection.of('hello').length > 0, 'the hello comes first');
    connection.sent.push({ ...frame, sentAt: clock.now() });
    if (connection.isHalfOpen || connection.isSilent) return;
    clock.setTimeout(() => {
      if (!connection.isDead && !connection.isHalfOpen) receive(frame);
    }, latencyMs());
  }

  function receive(frame) {
    if (frame.type === 'hello') hello(frame);
    if (frame.type === 'after') {
      connection.cursor = frame.after;
      push();
    }
  }

  function hello(frame) {
    const code = server.faults.hello(frame) || (server.tokens.has(frame.token) ? null : 4401);
    if (code) return close(code);
    send({ type: 'welcome', v: 1, epoch: server.epoch, last: server.last(), ping: server.pingS });
    if (connection.cursor !== null) return undefined; // a new token on a connection that is subscribed already
    ping();
    const isStale = frame.epoch !== null && frame.epoch !== server.epoch;
    const isPruned = !isStale && frame.after < server.prunedTo;
    const { staleEpoch } = server.faults;
    const startsAgain = isStale && staleEpoch.endsWith('events');
    connection.cursor = startsAgain ? 0 : frame.after;
    if (isPruned || (isStale && staleEpoch.startsWith('reset'))) {
      send({ type: 'reset', epoch: server.epoch, last: server.last(), closed: server.isClosed() });
      if (!startsAgain) connection.cursor = server.last();
    }
    return push();
  }

  function ping() {
    clock.setTimeout(() => {
      if (connection.isDead || connection.isClosedByClient) return;
      send({ type: 'ping', last: server.last() });
      ping();
    }, server.pingS * 1000);
  }

  function push() {
    if (connection.cursor === null || connection.isDead || connection.isHalfOpen) return;
    while (connection.cursor < server.last()) {
      const events = server.log.slice(connection.cursor, connection.cursor + PAGE);
      connection.cursor += events.length;
      send({ type: 'events', e: events });
    }
    if (server.isClosed()) close(1000);
  }

  /** Send to the client, in order unless a fault says otherwise. Frames in transit arrive even after a cut. */
  function send(frame) {
    if (connection.isHalfOpen || connection.isDead) return;
    const fault = server.faults.frame(frame);
    if (fault === 'drop') return;
    if (fault === 'late') return deliver(frame, clock.now() + latencyMs() + 3000);
    arrival = Math.max(arrival, clock.now() + latencyMs());
    deliver(frame, arrival);
    if (fault === 'twice') deliver(frame, arrival + 1);
  }

  function deliver(frame, at) {
    clock.setTimeout(() => handlers.onMessage(JSON.stringify(frame)), at - clock.now());
  }

  /** Close after all frames in transit. */
  function close(code, problem) {
    if (connection.isDead) return;
    if (problem) send({ type: 'error', problem });
    connection.isDead = true;
    arrival = Math.max(arrival, clock.now() + latencyMs());
    clock.setTimeout(() => handlers.onClose(code, ''), arrival - clock.now());
  }

  function cut(reports = 'close') {
    if (connection.isDead) return;
    connection.isDead = true;
    clock.setTimeout(() => {
      if (reports === 'error' || reports === 'both') handlers.onError(new Error('cut'));
      if (reports === 'close' || reports === 'both') handlers.onClose(1006, '');
    }, 1);
  }

  function closedByClient(code) {
    connection.isClosedByClient = true;
    connection.closeCode = code;
  }

  return connection;
}

function createPoll(server, clock, latencyMs, path, options, callback) {
  const query = new URLSearchParams(path.split('?')[1]);
  const after = Number(query.get('after'));
  const request = {
    path, options, at: clock.now(), endedAt: null, isAborted: false, handle: { abort }, begin, notify,
  };
  let isWaiting = false;

  function begin() {
    const fault = server.faults.poll();
    if (fault === 'throw') {
      request.endedAt = clock.now();
      throw new Error('too many requests');
    }
    clock.setTimeout(() => end(new Error('poll timed out')), options.timeoutMs);
    clock.setTimeout(() => serve(fault), latencyMs());
  }
  function serve(fault) {
    if (fault === 'hang') return undefined;
    if (fault === 'error') return end(new Error('no network'));
    if (typeof fault === 'number') return answer(fault, { code: CODES[fault] || 'SERVER_ERROR', status: fault });
    if (fault) return end(null, fault);
    if (!server.tokens.has(options.token)) return answer(401, { code: 'UNAUTHORIZED', status: 401 });
    isWaiting = true;
    clock.setTimeout(respond, Number(query.get('wait')) * 1000);
    return notify();
  }
  function notify() {
    if (isWaiting && (server.last() > after || isMoved() || server.isClosed())) respond();
  }
  const isMoved = () => Boolean(query.get('epoch')) && query.get('epoch') !== server.epoch;
  function respond() {
    if (!isWaiting) return;
    isWaiting = false;
    const base = { epoch: server.epoch, last: server.last(), closed: server.isClosed() };
    if (isMoved() || after < server.prunedTo) answer(200, { ...base, reset: true });
    else answer(200, { ...base, events: server.log.slice(after, after + PAGE) });
  }
  function answer(status, body) {
    clock.setTimeout(() => end(null, { status, body: JSON.parse(JSON.stringify(body)), retryAfterMs: null }), latencyMs());
  }
  function end(error, result) {
    if (request.endedAt !== null) return;
    request.endedAt = clock.now();
    isWaiting = false;
    callback(error, result);
  }
  function abort() {
    if (request.endedAt !== null) return;
    request.isAborted = true;
    request.endedAt = clock.now();
    isWaiting = false;
  }
  return request;
}

module.exports = { createServer };
