/**
 * Reads one event stream over a socket or, while that is down, by long polling the same log.
 *
 * Every event reaches `onEvents` exactly once and in order under any network failure, because one buffer
 * orders the events of both transports by sequence number. The file depends on no platform: sockets, requests,
 * tokens and, optionally, clock and randomness are passed in. A mini-program requires it; a page loads it with
 * a script tag. The types are in types.d.ts.
 */
(function (/** @type {any} */ root, /** @type {() => {createClient: Diag.CreateClient}} */ factory) {
  if (typeof module === 'object' && module.exports) module.exports = factory();
  else {
    root.diag = root.diag || {};
    root.diag.webSocketClient = factory();
  }
})(this, function () {
  'use strict';

  const VERSION = 1;
  const RETRY_BASE_MS = 500;
  const MAX_RETRY_MS = 20000;
  const QUICK_RETRY_MS = 300;
  const RESUME_JITTER_MS = 150;
  // While a site restarts, nothing answers for a while: retry often, to be back as soon as it is.
  const RESTART_MS = 60000;
  const RESTART_RETRY_MS = 250;
  // After a change of network, the connection must answer within this time.
  const PROBE_TIMEOUT_MS = 750;
  const STABLE_MS = 5000;
  const WELCOME_TIMEOUT_MS = 5000;
  const POLL_FALLBACK_MS = 2500;
  const MAX_UNSTABLE = 3;
  const MIN_RECONNECT_MS = 5000;
  const MAX_RECONNECT_MS = 60000;
  const POLL_PAUSE_MS = 1000;
  const POLL_WAIT_S = 20;
  const POLL_TIMEOUT_MS = (POLL_WAIT_S + 10) * 1000;
  // After a freeze a transport may never call back: the poll then fails.
  const POLL_CALLBACK_TIMEOUT_MS = POLL_TIMEOUT_MS + 5000;
  const PING_S = 10;
  const PING_GRACE_MS = 5000;
  const MIN_REQUEST_INTERVAL_MS = 2000;
  const MAX_SERVER_WAIT_MS = 60000;
  const MAX_RENEWAL_FAILURES = 3;
  const MIN_RENEWAL_INTERVAL_MS = 5000;
  const MAX_TIMER_MS = 2 ** 31 - 1; // a longer one would run at once
  // How many events behind a gap are buffered. Later ones are requested again, so the bound loses no event.
  const MAX_BUFFERED = 1000;
  // A socket often reports its close code right after an error, and the code decides what to do.
  const ERROR_GRACE_MS = 100;

  const BAD_FRAME = 4400;
  const UNAUTHORIZED = 4401;
  const GOING_AWAY = 4503;
  const FATAL_CLOSE_CODES = [BAD_FRAME, 4404, 4409, 4413];
  const ORIGIN_REFUSED = 4403;
  // A firewall, or a proxy during a deployment, answers with the same statuses: only the site's own code is final.
  const FATAL_CODES = /^(UNAUTHORIZED|FORBIDDEN|DATA_NOT_FOUND)$/;

  const ignore = () => {};

  /** @param {any} ms  the wait that the server asks for */
  const limitServerWait = (ms) => (ms > 0 ? Math.min(ms, MAX_SERVER_WAIT_MS) : 0);

  /** @param {any} problem */
  const isFatal = (problem) => FATAL_CODES.test(Object(problem).code);

  /** @returns {Diag.Clock} */
  function systemClock() {
    return {
      now: () => Date.now(),
      setTimeout: (run, ms) => setTimeout(run, ms),
      clearTimeout: (id) => clearTimeout(id),
    };
  }

  /**
   * Timers by name: starting one again replaces it.
   * @param {Diag.Clock} clock
   */
  function createTimers(clock) {
    /** @type {Map<string, any>} */
    const ids = new Map();
    /** @param {string} name */
    function cancel(name) {
      if (ids.has(name)) clock.clearTimeout(ids.get(name));
      ids.delete(name);
    }
    /** @type {(name: string, ms: number, run: () => void) => void} */
    function start(name, ms, run) {
      cancel(name);
      ids.set(name, clock.setTimeout(() => {
        ids.delete(name);
        run();
      }, ms));
    }
    return {
      start,
      cancel,
      cancelAll: () => Array.from(ids.keys()).forEach(cancel),
      has: (/** @type {string} */ name) => ids.has(name),
      now: clock.now,
    };
  }

  /**
   * Decides which events are new and complete the sequence, for both transports.
   * @param {number} after
   * @param {string | null} epoch
   */
  function createEventBuffer(after, epoch) {
    let head = after;
    /** @type {Map<number, Diag.StreamEvent>} */
    const buffered = new Map();

    /** @param {number} last */
    function rewind(last) {
      after = head = last;
      buffered.clear();
    }
    /** @param {any} last  the sequence number of the server's newest event */
    function raiseHead(last) {
      if (Number.isInteger(last)) head = Math.max(head, last);
    }
    /** @param {any} event */
    function add(event) {
      const seq = Array.isArray(event) ? event[0] : null;
      if (!Number.isInteger(seq) || seq <= after) return;
      raiseHead(seq);
      if (seq <= after + MAX_BUFFERED) buffered.set(seq, event);
    }
    /**
     * @param {any} events
     * @returns {Diag.StreamEvent[]} the new events that follow without a gap
     */
    function insert(events) {
      if (Array.isArray(events)) events.forEach(add);
      const ready = [];
      for (let next = buffered.get(after + 1); next; next = buffered.get(after + 1)) {
        buffered.delete(++after);
        ready.push(next);
        if (next[1] === 'complete') break;
      }
      return ready;
    }
    /**
     * Sequence numbers are only valid within an epoch: under another one, reading starts again.
     * @param {any} current  the server's epoch
     * @returns {{moved: boolean, lost: boolean}} whether the epoch has changed, and whether events of the old one were read
     */
    function adopt(current) {
      const moved = epoch !== null && epoch !== current;
      const lost = moved && after > 0;
      epoch = current;
      if (moved) rewind(0);
      return { moved, lost };
    }
    return {
      insert, raiseHead, adopt, rewind,
      isBehind: () => head > after,
      cursor: () => ({ after, epoch }),
    };
  }

  /**
   * Provides tokens. A refused token is renewed once for both transports; when the new one is refused too,
   * the refusal is final, or the client would retry for ever.
   * @param {Diag.ClientOptions['getToken']} getToken
   */
  function createTokens(getToken) {
    let renewals = 0;
    let failures = 0;
    let isStale = false;
    /** @type {string | null} */
    let refusedToken = null;
    /** @type {Promise<any> | null} */
    let renewing = null;
    /** @type {{[channel: string]: number}} per channel, the oldest renewal refused since it last worked */
    const refused = {};

    /** @param {Diag.TokenRequest} request */
    const requestToken = (request) => Promise.resolve().then(() => getToken(request));
    /** @type {(result: any, renewal: number) => Diag.IssuedToken} */
    function toIssuedToken(result, renewal) {
      const { token = result, renewAt = Infinity } = Object(result);
      return { token, renewAt, renewal };
    }

    function renew() {
      renewing = requestToken({ renew: true, refused: refusedToken }).then((result) => {
        renewals += 1;
        failures = 0;
        isStale = false;
        renewing = null;
        return toIssuedToken(result, renewals);
      }, (error) => {
        // Without the site's refusal, the sign-in may have failed on the way, so it is tried again.
        if (isFatal(Object(error).problem)) failures += 1;
        renewing = null;
        throw error;
      });
      return renewing;
    }
    return {
      get() {
        if (isStale) return renewing || renew();
        const renewal = renewals;
        return requestToken({ renew: false }).then((result) => toIssuedToken(result, renewal));
      },
      /** @type {(channel: string, auth: Diag.IssuedToken) => boolean} whether the refusal is final */
      refuse(channel, { token, renewal }) {
        if (channel in refused && renewal > refused[channel]) return true;
        refused[channel] = Math.min(renewal, channel in refused ? refused[channel] : renewal);
        if (renewal === renewals) {
          isStale = true;
          refusedToken = token;
        }
        return false;
      },
      /** @param {string} channel */
      accept(channel) { delete refused[channel]; },
      /** Do not wait any longer for a renewal that may never return. */
      abandon() { renewing = null; },
      isExhausted: () => failures >= MAX_RENEWAL_FAILURES,
    };
  }

  /**
   * Long polls, one at a time, with a pause in between, until it is stopped.
   * @param {object} options
   * @param {ReturnType<typeof createTimers>} options.timers
   * @param {ReturnType<typeof createTokens>} options.tokens
   * @param {Diag.Transport} options.transport
   * @param {(ms: number) => number} options.jitter
   * @param {() => Diag.Cursor} options.cursor
   * @param {(cursor: Diag.Cursor) => string} options.buildPollPath
   * @param {(body: any, poll: any) => void} options.onBody
   * @param {(code: number, problem: any) => void} options.onFatal
   */
  function createPoller({ timers, tokens, transport, jitter, cursor, buildPollPath, onBody, onFatal }) {
    let isOn = false;
    let failures = 0;
    let endedAt = -Infinity;
    let isAnswered = false;
    /** @type {any} the current poll; late answers of earlier ones are dropped */
    let current = null;

    function start() {
      if (isOn) return;
      isOn = true;
      const sinceLast = Math.max(0, timers.now() - endedAt);
      timers.start('poll', Math.max(0, POLL_PAUSE_MS - sinceLast), startPoll);
    }
    function stop() {
      isOn = isAnswered = false;
      timers.cancel('poll');
      const old = current;
      if (!old) return;
      end();
      if (old.handle) old.handle.abort();
    }
    function end() {
      current = null;
      endedAt = timers.now();
    }
    function startPoll() {
      /** @type {any} gets `auth`, `epoch` and `handle` when it is sent */
      const poll = current = {};
      timers.start('poll', POLL_CALLBACK_TIMEOUT_MS, () => fail(poll));
      tokens.get().then((auth) => send(poll, auth), () => handleTokenFailure(poll));
    }
    /** @type {(poll: any, auth: Diag.IssuedToken) => void} */
    function send(poll, auth) {
      if (poll !== current) return;
      const from = cursor();
      poll.auth = auth;
      poll.epoch = from.epoch;
      try {
        poll.handle = transport.poll(buildPollPath(from), { token: auth.token, timeoutMs: POLL_TIMEOUT_MS }, (error, response) => {
          if (error || !response) fail(poll);
          else if (poll === current) handleResponse(poll, response);
        });
      } catch (error) {
        fail(poll);
      }
    }
    /** @param {any} poll */
    function handleTokenFailure(poll) {
      if (poll === current && tokens.isExhausted()) onFatal(UNAUTHORIZED, null);
      else fail(poll);
    }
    /** @type {(poll: any, retryAfterMs?: number | null) => void} */
    function fail(poll, retryAfterMs) {
      if (poll !== current) return;
      end();
      if (poll.handle) poll.handle.abort();
      pause(backOff(++failures), retryAfterMs);
    }
    /** @param {number} count */
    function backOff(count) {
      return jitter(Math.min(MAX_RETRY_MS, RETRY_BASE_MS * 2 ** (count - 1)));
    }
    /** @type {(ms: number, retryAfterMs?: number | null) => void} */
    function pause(ms, retryAfterMs) {
      timers.start('poll', Math.max(POLL_PAUSE_MS, limitServerWait(retryAfterMs)) + ms, startPoll);
    }
    /** @type {(poll: any, response: Diag.PollResponse) => void} */
    function handleResponse(poll, { status, body, retryAfterMs }) {
      if (isFatal(body)) {
        if (status !== 401 || tokens.refuse('poll', poll.auth)) return onFatal(status, body);
        end();
        return pause(0);
      }
      if (status !== 200 || !isReadable(body)) return fail(poll, retryAfterMs || (body && body.retry_after_ms));
      end();
      tokens.accept('poll');
      isAnswered = true;
      // A pruned log answers immediately every time, so resets back off like failures.
      failures = body.reset ? failures + 1 : 0;
      pause(failures ? backOff(failures) : 0);
      onBody(body, poll);
    }
    /** @param {any} body  any JSON: a captive portal answers 200 as well */
    const isReadable = (body) => body && body.epoch && (body.reset || Array.isArray(body.events));

    return { start, stop, isOn: () => isOn, isAnswered: () => isAnswered };
  }

  /** @param {Diag.ClientOptions} options */
  function createClient(options) {
    const { stream, transport, random = Math.random } = options;
    const { onEvents = ignore, onState = ignore, onReset = ignore, onFatal = ignore } = options;
    const clock = options.clock || systemClock();
    const timers = createTimers(clock);
    const tokens = createTokens(options.getToken);
    const buffer = createEventBuffer(options.after || 0, options.epoch || null);
    const jitter = (/** @type {number} */ ms) => random() * ms;
    const poller = createPoller({
      timers, tokens, transport, jitter, cursor: buffer.cursor, buildPollPath, onBody: handlePollBody, onFatal: fail,
    });

    /** @type {Diag.State} */
    let state = 'idle';
    let isHidden = false;
    let isOnline = true;
    let unstable = 0;
    let reconnects = 0;
    let requestedAt = -Infinity;
    let lastReportedReset = '';
    /** @type {any} the current connection; late reports of earlier ones are dropped */
    let current = null;

    const isOver = () => state === 'done' || state === 'closed';

    /** @param {Diag.Cursor} cursor */
    function buildPollPath({ after, epoch }) {
      const query = `after=${after}&epoch=${encodeURIComponent(epoch || '')}&wait=${POLL_WAIT_S}`;
      return `/api/streams/${encodeURIComponent(stream)}/events?${query}`;
    }

    // States

    /** @type {(next: Diag.State, detail?: {code?: number}) => void} */
    function setState(next, detail) {
      if (next === state) return;
      state = next;
      onState(next, detail || {});
    }
    /** The app was shown or hidden, or the network has changed. */
    function handleAvailabilityChange() {
      if (state !== 'idle' && !isOver()) resume(jitter(RESUME_JITTER_MS));
    }
    /** @param {number} delayMs */
    function resume(delayMs) {
      if (isHidden || !isOnline) return suspend();
      if (current) return current.isWelcome ? watchSilence(current) : undefined;
      unstable = reconnects = 0;
      if (!poller.isOn()) setState('connecting');
      scheduleConnect(delayMs);
    }
    /** Nothing may be sent from the background, and a close event may never come: stop everything now. */
    function suspend() {
      stopAll();
      setState(isHidden ? 'suspended' : 'offline');
    }
    function stopAll() {
      timers.cancelAll();
      poller.stop();
      closeConnection();
    }
    /** @type {(next: Diag.State, detail?: {code?: number}) => void} */
    function finish(next, detail) {
      if (isOver()) return;
      stopAll();
      setState(next, detail);
    }
    /** @type {(code: number, problem: any) => void} */
    function fail(code, problem) {
      if (isOver()) return;
      finish('closed', { code });
      onFatal({ code, problem: problem || null });
    }

    // The connection

    /** @param {number} delayMs */
    function scheduleConnect(delayMs) {
      if (state === 'connecting' || state === 'polling') timers.start('connect', delayMs, connect);
    }
    function connect() {
      /** @type {any} gets `handle`, `auth`, `epoch`, `problem`, `heardAt`, `isOpen`, `isWelcome` and `isStable` as it goes */
      const connection = current = { pingMs: PING_S * 1000 };
      timers.start('welcome', WELCOME_TIMEOUT_MS, () => disconnect(connection));
      if (!poller.isOn() && !timers.has('polling')) timers.start('polling', POLL_FALLBACK_MS, startPolling);
      tokens.get().then((auth) => openSocket(connection, auth), () => handleTokenFailure(connection));
    }
    /** @param {any} connection */
    function handleTokenFailure(connection) {
      if (connection === current && tokens.isExhausted()) fail(UNAUTHORIZED, null);
      else disconnect(connection);
    }
    /** @type {(connection: any, auth: Diag.IssuedToken) => void} */
    function openSocket(connection, auth) {
      if (connection !== current) return;
      connection.auth = auth;
      try {
        connection.handle = transport.connect(`/ws/diagnosis/${encodeURIComponent(stream)}/`, createHandlers(connection));
      } catch (error) {
        return disconnect(connection);
      }
      // A transport may call a handler before it returns.
      if (connection === current) handleOpen(connection);
      else closeHandle(connection.handle);
    }
    /**
     * @param {any} connection
     * @returns {Diag.SocketHandlers}
     */
    function createHandlers(connection) {
      return {
        onOpen() {
          connection.isOpen = true;
          handleOpen(connection);
        },
        onMessage: (text) => handleFrame(connection, text),
        onClose: (code) => disconnect(connection, code),
        onError() {
          if (connection === current) timers.start('error', ERROR_GRACE_MS, () => disconnect(connection));
        },
      };
    }
    /** @param {any} connection */
    function handleOpen(connection) {
      if (connection !== current || !connection.isOpen || !connection.handle) return;
      requestedAt = timers.now();
      connection.epoch = buffer.cursor().epoch;
      sendHello(connection);
    }
    /** @param {any} connection */
    function sendHello(connection) {
      send(connection, Object.assign({ type: 'hello', v: VERSION, token: connection.auth.token }, buffer.cursor()));
    }
    /** The connection may have died silently with the old network; a hello is always answered. @param {any} connection */
    function probe(connection) {
      connection.isHeard = false;
      timers.start('probe', PROBE_TIMEOUT_MS, () => {
        if (!connection.isHeard) disconnect(connection);
      });
      sendHello(connection);
    }
    /** An expired token would end the connection, so a new one is sent in time. @param {any} connection */
    function scheduleTokenRenewal(connection) {
      const wait = Math.min(MAX_TIMER_MS, Math.max(MIN_RENEWAL_INTERVAL_MS, connection.auth.renewAt - timers.now()));
      timers.start('renew', wait, () => {
        const isEarly = timers.now() < connection.auth.renewAt;
        if (!isEarly) tokens.get().then((auth) => sendNewToken(connection, auth), ignore);
        scheduleTokenRenewal(connection); // until there is a new token
      });
    }
    /** @type {(connection: any, auth: Diag.IssuedToken) => void} */
    function sendNewToken(connection, auth) {
      if (connection !== current || auth.token === connection.auth.token) return;
      connection.auth = auth;
      scheduleTokenRenewal(connection);
      sendHello(connection);
    }
    /** @type {(connection: any, frame: object) => void} */
    function send(connection, frame) {
      try {
        connection.handle.send(JSON.stringify(frame));
      } catch (error) {
        disconnect(connection);
      }
    }
    /** @type {(connection: any, code?: number) => void} */
    function disconnect(connection, code) {
      if (connection !== current) return;
      closeConnection();
      if (!connection.auth) tokens.abandon();
      if (connection.isStable) timers.start('restart', RESTART_MS, ignore);
      else unstable += 1;
      if (isFinal(connection, code)) return fail(/** @type {number} */ (code), connection.problem);
      if (unstable >= MAX_UNSTABLE || code === ORIGIN_REFUSED) startPolling();
      if (!poller.isOn()) setState('connecting', { code });
      scheduleConnect(retryDelay(connection, code));
    }
    /** @type {(connection: any, code?: number) => boolean} */
    function isFinal(connection, code) {
      if (code === UNAUTHORIZED && connection.auth) return tokens.refuse('socket', connection.auth);
      return FATAL_CLOSE_CODES.includes(/** @type {number} */ (code));
    }
    /** @type {(connection: any, code?: number) => number} */
    function retryDelay(connection, code) {
      const isRetryInvited = code === UNAUTHORIZED || (code === GOING_AWAY && unstable === 1);
      if (connection.isStable || isRetryInvited) return jitter(QUICK_RETRY_MS);
      if (timers.has('restart') && !connection.isOpen && !poller.isAnswered()) return RESTART_RETRY_MS + jitter(RESTART_RETRY_MS);
      if (poller.isOn()) {
        const limit = Math.min(MAX_RECONNECT_MS, MIN_RECONNECT_MS * 2 ** ++reconnects);
        return MIN_RECONNECT_MS + jitter(limit - MIN_RECONNECT_MS);
      }
      return limitServerWait(connection.problem && connection.problem.retry_after_ms)
        + jitter(Math.min(MAX_RETRY_MS, RETRY_BASE_MS * 2 ** (unstable - 1)));
    }
    /** Close even a socket that never opened: it counts toward the platform's limit. */
    function closeConnection() {
      ['welcome', 'stable', 'silence', 'request', 'error', 'renew', 'probe'].forEach(timers.cancel);
      const connection = current;
      current = null;
      if (connection && connection.handle) closeHandle(connection.handle);
    }
    /** @param {Diag.SocketHandle} handle */
    function closeHandle(handle) {
      try {
        handle.close(1000);
      } catch (error) {
        // Report the error without interrupting the state machine.
        clock.setTimeout(() => { throw error; }, 0);
      }
    }

    // Frames

    /** @type {{[type: string]: (link: any, frame: any) => void}} */
    const frames = {
      events: (connection, frame) => deliver(frame.e),
      ping(connection, frame) {
        markStable(connection);
        send(connection, { type: 'pong', nonce: frame.nonce });
        checkGap(frame.last);
      },
      reset: (connection, frame) => handleReset(frame, connection),
    };
    /** @type {(connection: any, text: any) => void} */
    function handleFrame(connection, text) {
      const frame = connection === current ? parseFrame(text) : null;
      if (!frame) return;
      connection.heardAt = timers.now();
      connection.isHeard = true;
      if (frame.type === 'error') connection.problem = frame.problem;
      else if (frame.type === 'welcome' && !connection.isWelcome) handleWelcome(connection, frame);
      else if (!connection.isWelcome && frame.type !== 'reset') return; // its epoch is not known yet
      else if (frames.hasOwnProperty(frame.type)) frames[frame.type](connection, frame);
    }
    /** @param {any} text */
    function parseFrame(text) {
      try {
        return JSON.parse(text);
      } catch (error) {
        return null;
      }
    }
    /** @type {(connection: any, frame: any) => void} */
    function handleWelcome(connection, frame) {
      timers.cancel('welcome');
      timers.cancel('polling');
      poller.stop();
      connection.isWelcome = true;
      if (frame.ping > 0) connection.pingMs = frame.ping * 1000;
      timers.start('stable', STABLE_MS, () => markStable(connection));
      watchSilence(connection);
      scheduleTokenRenewal(connection);
      setState('live');
      if (connection !== current) return;
      if (adopt(frame)) requestEvents(); // the server still has the old cursor from the hello
      checkGap(frame.last);
    }
    /** "Open" proves little, as a proxy may open and then drop everything: only a stable connection resets the retries. */
    function markStable(/** @type {any} */ connection) {
      connection.isStable = true;
      unstable = reconnects = 0;
      tokens.accept('socket');
    }
    /** Compare timestamps, as timers stand still while the app is frozen and the connection may die meanwhile. */
    function watchSilence(/** @type {any} */ connection) {
      const limit = connection.pingMs + PING_GRACE_MS;
      const now = timers.now();
      connection.heardAt = Math.min(connection.heardAt, now); // the clock may be set back
      const wait = connection.heardAt + limit - now;
      if (wait <= 0) disconnect(connection);
      else timers.start('silence', wait, () => watchSilence(connection));
    }

    // Events

    /** @type {(body: any, poll: any) => void} */
    function handlePollBody(body, poll) {
      // A closed log ends with an event, so a closed and empty one has been pruned.
      if (body.reset || (body.closed && body.last === 0)) return handleReset(body, poll);
      adopt(body);
      deliver(body.events);
      checkGap(body.last);
      const isRead = !buffer.isBehind();
      if (body.closed && isRead && canDeliver()) finish('done');
    }
    const canDeliver = () => state === 'live' || state === 'polling';

    /** @param {any} events */
    function deliver(events) {
      if (!canDeliver()) return;
      const ready = buffer.insert(events);
      // Events that are still arriving must not be requested again.
      if (ready.length && timers.has('request')) requestedAt = timers.now();
      const isEnd = ready.some((event) => event[1] === 'complete');
      try {
        if (ready.length) onEvents(ready, buffer.cursor().epoch);
      } finally {
        if (isEnd) finish('done');
        else checkGap(0);
      }
    }
    /** @param {any} last */
    function checkGap(last) {
      buffer.raiseHead(last);
      if (current && current.isWelcome && buffer.isBehind()) scheduleRequest();
      else timers.cancel('request');
    }
    /** At most one request per interval: one per sign of a gap would multiply the traffic. */
    function scheduleRequest() {
      requestedAt = Math.min(requestedAt, timers.now());
      const wait = requestedAt + MIN_REQUEST_INTERVAL_MS - timers.now();
      if (wait <= 0) requestEvents();
      timers.start('request', wait > 0 ? wait : MIN_REQUEST_INTERVAL_MS, () => checkGap(0));
    }
    function requestEvents() {
      if (!current) return;
      requestedAt = timers.now();
      send(current, { type: 'after', after: buffer.cursor().after });
    }
    /**
     * @param {any} source  a frame or a poll's body with the log's epoch
     * @returns {boolean} whether reading starts again from 0
     */
    function adopt(source) {
      if (!source.epoch) return false;
      const { moved, lost } = buffer.adopt(source.epoch);
      if (lost) reportReset(source);
      return moved;
    }
    /** @type {(source: any, requester: any) => void} the requester is the connection or the poll */
    function handleReset(source, requester) {
      const isOutdated = requester.epoch && requester.epoch !== source.epoch;
      requester.epoch = source.epoch;
      if (adopt(source)) {
        if (requester === current) requestEvents();
      } else if (!isOutdated) { // else that epoch has been left since, and nothing is skipped
        buffer.rewind(source.last || 0);
        reportReset(source);
      }
      buffer.raiseHead(source.last);
      if (source.closed && !buffer.isBehind()) finish('done');
    }
    /** @param {any} source */
    function reportReset({ epoch, last, closed }) {
      const reset = `${epoch} ${last}`;
      if (reset === lastReportedReset) return;
      lastReportedReset = reset;
      onReset({ epoch, last: last || 0, closed: Boolean(closed) });
    }

    function startPolling() {
      timers.cancel('polling');
      if (poller.isOn()) return;
      poller.start();
      setState('polling');
    }

    return {
      start() {
        if (state === 'idle') resume(0);
      },
      hide() {
        isHidden = true;
        handleAvailabilityChange();
      },
      show() {
        isHidden = false;
        handleAvailabilityChange();
      },
      /** @param {boolean} isNowOnline  also call it with true when another network replaces the current one */
      networkChanged(isNowOnline) {
        isOnline = isNowOnline;
        handleAvailabilityChange();
        if (state === 'live' && current.isWelcome) probe(current);
      },
      close: () => finish('closed'),
      state: () => state,
      cursor: buffer.cursor,
    };
  }

  return { createClient };
});
