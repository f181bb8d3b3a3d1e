/**
 * Reads one event stream, over a socket or, while that is cut, by long polling the same log.
 *
 * Every event reaches `onEvents` exactly once and in order, whatever the network does, because one funnel
 * counts the sequence numbers of both transports. The file knows no platform: sockets, requests, tokens and,
 * if wanted, time and chance are handed in. A mini-program requires it; a page loads it with a script tag.
 * The types are in types.d.ts.
 */
(function (/** @type {any} */ root, /** @type {() => any} */ factory) {
  if (typeof module === 'object' && module.exports) module.exports = factory();
  else {
    root.diag = root.diag || {};
    root.diag.webSocketClient = factory();
  }
})(this, function () {
  'use strict';

  const VERSION = 1;
  const RETRY_BASE_MS = 500;
  const RETRY_CAP_MS = 20000;
  const QUICK_RETRY_MS = 300;
  const COME_BACK_MS = 150;
  // A site that is restarted answers nothing at all for a while, and is wanted back as soon as it does.
  const RESTART_MS = 60000;
  const RESTART_RETRY_MS = 250;
  // How long a connection has to prove that it has survived a change of the network.
  const PROOF_MS = 750;
  const STABLE_MS = 5000;
  const WELCOME_MS = 5000;
  const POLL_ALONGSIDE_MS = 2500;
  const UNSTABLE_LIMIT = 3;
  const PROBE_MIN_MS = 5000;
  const PROBE_MAX_MS = 60000;
  const POLL_PAUSE_MS = 1000;
  const POLL_WAIT_S = 20;
  const POLL_LIMIT_MS = (POLL_WAIT_S + 10) * 1000;
  // A transport may never call back, as after a freeze. Then its poll is given up.
  const POLL_OVERDUE_MS = POLL_LIMIT_MS + 5000;
  const PING_S = 10;
  const PING_GRACE_MS = 5000;
  const ASK_PAUSE_MS = 2000;
  const MAX_SERVER_WAIT_MS = 60000;
  const RENEWAL_LIMIT = 3;
  const RENEWAL_PAUSE_MS = 5000;
  const MAX_TIMER_MS = 2 ** 31 - 1; // a longer one would run at once
  // How far ahead of a gap events are kept. What lies beyond is asked for again, so the bound costs no event.
  const GAP_LIMIT = 1000;
  // A socket that reports an error often reports its close code right after, and the code decides what to do.
  const ERROR_GRACE_MS = 100;

  const BAD_FRAME = 4400;
  const UNAUTHORIZED = 4401;
  const GOING_AWAY = 4503;
  const FATAL_CLOSES = [BAD_FRAME, 4403, 4404, 4409, 4413];
  const FATAL_STATUSES = [403, 404];

  const nothing = () => {};

  /** @param {any} ms  how long the server asks us to stay away */
  const serverWait = (ms) => (ms > 0 ? Math.min(ms, MAX_SERVER_WAIT_MS) : 0);

  /** @returns {Diag.Clock} */
  function systemClock() {
    return {
      now: () => Date.now(),
      setTimeout: (run, ms) => setTimeout(run, ms),
      clearTimeout: (id) => clearTimeout(id),
    };
  }

  /**
   * Timers by name: setting one again replaces it, so no purpose ever has two.
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
    function later(name, ms, run) {
      cancel(name);
      ids.set(name, clock.setTimeout(() => {
        ids.delete(name);
        run();
      }, ms));
    }
    return {
      later,
      cancel,
      cancelAll: () => Array.from(ids.keys()).forEach(cancel),
      has: (/** @type {string} */ name) => ids.has(name),
      now: clock.now,
    };
  }

  /**
   * The one place that decides which events are new. Both transports pour into it.
   * @param {number} after
   * @param {string | null} epoch
   */
  function createFunnel(after, epoch) {
    let head = after;
    /** @type {Map<number, Diag.StreamEvent>} */
    const early = new Map();

    /** @param {number} last */
    function rewind(last) {
      after = head = last;
      early.clear();
    }
    /** @param {any} last  what the server says its newest event is */
    function note(last) {
      if (Number.isInteger(last)) head = Math.max(head, last);
    }
    /** @param {any} event */
    function keep(event) {
      const seq = Array.isArray(event) ? event[0] : null;
      if (!Number.isInteger(seq) || seq <= after) return;
      note(seq);
      if (seq <= after + GAP_LIMIT) early.set(seq, event);
    }
    /**
     * @param {any} events
     * @returns {Diag.StreamEvent[]} those that are new and follow without a gap
     */
    function offer(events) {
      if (Array.isArray(events)) events.forEach(keep);
      const ready = [];
      for (let next = early.get(after + 1); next; next = early.get(after + 1)) {
        early.delete(++after);
        ready.push(next);
        if (next[1] === 'complete') break;
      }
      return ready;
    }
    /**
     * Sequence numbers mean nothing under another epoch, so reading starts again.
     * @param {any} current  the server's epoch
     * @returns {{moved: boolean, lost: boolean}} whether we were under another, and had read some of it
     */
    function adopt(current) {
      const moved = epoch !== null && epoch !== current;
      const lost = moved && after > 0;
      epoch = current;
      if (moved) rewind(0);
      return { moved, lost };
    }
    return {
      offer, note, adopt, rewind,
      isBehind: () => head > after,
      cursor: () => ({ after, epoch }),
    };
  }

  /**
   * Hands out tokens. A refused token is renewed once for both transports; if the new one is refused too,
   * asking on would loop for ever, so the refusal is final.
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
    /** @type {{[channel: string]: number}} the oldest renewal that a channel has refused since it last worked */
    const refused = {};

    /** @param {Diag.Renewal} renewal */
    const ask = (renewal) => Promise.resolve().then(() => getToken(renewal));
    /** @type {(given: any, renewal: number) => Diag.Key} */
    function keyOf(given, renewal) {
      const { token = given, renewAt = Infinity } = Object(given);
      return { token, renewAt, renewal };
    }

    function renew() {
      renewing = ask({ renew: true, refused: refusedToken }).then((given) => {
        renewals += 1;
        failures = 0;
        isStale = false;
        renewing = null;
        return keyOf(given, renewals);
      }, (error) => {
        failures += 1;
        renewing = null;
        throw error;
      });
      return renewing;
    }
    return {
      get() {
        if (isStale) return renewing || renew();
        const renewal = renewals;
        return ask({ renew: false }).then((given) => keyOf(given, renewal));
      },
      /** @type {(channel: string, key: Diag.Key) => boolean} whether that was the last word */
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
      /** A call that never comes back must not hold up the next attempt. */
      forget() { renewing = null; },
      isExhausted: () => failures >= RENEWAL_LIMIT,
    };
  }

  /**
   * One long poll at a time, with a pause between two, until it is stopped.
   * @param {object} options
   * @param {ReturnType<typeof createTimers>} options.timers
   * @param {ReturnType<typeof createTokens>} options.tokens
   * @param {Diag.Transport} options.transport
   * @param {(ms: number) => number} options.spread
   * @param {() => Diag.Cursor} options.cursor
   * @param {(cursor: Diag.Cursor) => string} options.pathOf
   * @param {(body: any, poll: any) => void} options.onAnswer
   * @param {(code: number, problem: any) => void} options.onFatal
   */
  function createPoller({ timers, tokens, transport, spread, cursor, pathOf, onAnswer, onFatal }) {
    let isOn = false;
    let failures = 0;
    let endedAt = -Infinity;
    let isAnswered = false;
    /** @type {any} the poll under way; what comes from another one is dropped */
    let current = null;

    function start() {
      if (isOn) return;
      isOn = true;
      const sinceLast = Math.max(0, timers.now() - endedAt);
      timers.later('poll', Math.max(0, POLL_PAUSE_MS - sinceLast), ask);
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
    function ask() {
      /** @type {any} */
      const poll = current = { key: null, epoch: null, handle: null };
      timers.later('poll', POLL_OVERDUE_MS, () => fail(poll));
      tokens.get().then((key) => send(poll, key), () => failToken(poll));
    }
    /** @type {(poll: any, key: Diag.Key) => void} */
    function send(poll, key) {
      if (poll !== current) return;
      const from = cursor();
      poll.key = key;
      poll.epoch = from.epoch;
      try {
        poll.handle = transport.poll(pathOf(from), { token: key.token, timeoutMs: POLL_LIMIT_MS }, (error, answer) => {
          if (error || !answer) fail(poll);
          else if (poll === current) receive(poll, answer);
        });
      } catch (error) {
        fail(poll);
      }
    }
    /** @param {any} poll */
    function failToken(poll) {
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
      return spread(Math.min(RETRY_CAP_MS, RETRY_BASE_MS * 2 ** (count - 1)));
    }
    /** @type {(ms: number, retryAfterMs?: number | null) => void} */
    function pause(ms, retryAfterMs) {
      timers.later('poll', Math.max(POLL_PAUSE_MS, serverWait(retryAfterMs)) + ms, ask);
    }
    /** @type {(poll: any, answer: Diag.PollAnswer) => void} */
    function receive(poll, { status, body, retryAfterMs }) {
      const isRefused = status === 401;
      const isFinal = isRefused ? tokens.refuse('poll', poll.key) : FATAL_STATUSES.includes(status);
      if (isFinal) return onFatal(status, body && body.code ? body : null);
      if (!isRefused && (status !== 200 || !isReadable(body))) {
        return fail(poll, retryAfterMs || (body && body.retry_after_ms));
      }
      end();
      if (isRefused) return pause(0);
      tokens.accept('poll');
      isAnswered = true;
      // A pruned log answers at once, every time, so resets are paced like failures.
      failures = body.reset ? failures + 1 : 0;
      pause(failures ? backOff(failures) : 0);
      onAnswer(body, poll);
    }
    /** @param {any} body  a captive portal answers 200 as well */
    const isReadable = (body) => Boolean(body && body.epoch && (body.reset || Array.isArray(body.events)));

    return { start, stop, isOn: () => isOn, isAnswered: () => isAnswered };
  }

  /** @param {Diag.ClientOptions} options */
  function createClient(options) {
    const { stream, transport, random = Math.random } = options;
    const { onEvents = nothing, onState = nothing, onReset = nothing, onFatal = nothing } = options;
    const clock = options.clock || systemClock();
    const timers = createTimers(clock);
    const tokens = createTokens(options.getToken);
    const funnel = createFunnel(options.after || 0, options.epoch || null);
    const spread = (/** @type {number} */ ms) => random() * ms;
    const poller = createPoller({
      timers, tokens, transport, spread, cursor: funnel.cursor, pathOf, onAnswer: answered, onFatal: fail,
    });

    /** @type {Diag.State} */
    let state = 'idle';
    let isHidden = false;
    let isOnline = true;
    let unstable = 0;
    let probes = 0;
    let askedAt = -Infinity;
    let lastReset = '';
    /** @type {any} the only connection whose reports count; those of earlier ones are late and dropped */
    let current = null;

    const isOver = () => state === 'done' || state === 'closed';

    /** @param {Diag.Cursor} cursor */
    function pathOf({ after, epoch }) {
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
    /** Whether the app is on screen or has a network has changed. */
    function reconsider() {
      if (state !== 'idle' && !isOver()) proceed(spread(COME_BACK_MS));
    }
    /** @param {number} delayMs */
    function proceed(delayMs) {
      if (isHidden || !isOnline) return sleep();
      if (current) return current.isWelcome ? watch(current) : undefined;
      unstable = probes = 0;
      if (!poller.isOn()) setState('connecting');
      dialIn(delayMs);
    }
    /** Nothing may be sent from the background, and a close event may never come: let go of everything now. */
    function sleep() {
      release();
      setState(isHidden ? 'suspended' : 'offline');
    }
    function release() {
      timers.cancelAll();
      poller.stop();
      hangUp();
    }
    /** @type {(next: Diag.State, detail?: {code?: number}) => void} */
    function finish(next, detail) {
      if (isOver()) return;
      release();
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
    function dialIn(delayMs) {
      if (state === 'connecting' || state === 'polling') timers.later('dial', delayMs, dial);
    }
    function dial() {
      /** @type {any} */
      const link = current = {
        handle: null, key: null, epoch: null, problem: null, pingMs: PING_S * 1000, heardAt: 0,
        isOpen: false, isWelcome: false, isStable: false,
      };
      timers.later('welcome', WELCOME_MS, () => lose(link));
      if (!poller.isOn() && !timers.has('alongside')) timers.later('alongside', POLL_ALONGSIDE_MS, startPolling);
      tokens.get().then((key) => open(link, key), () => failToken(link));
    }
    /** @param {any} link */
    function failToken(link) {
      if (link === current && tokens.isExhausted()) fail(UNAUTHORIZED, null);
      else lose(link);
    }
    /** @type {(link: any, key: Diag.Key) => void} */
    function open(link, key) {
      if (link !== current) return;
      link.key = key;
      try {
        link.handle = transport.connect(`/ws/diagnosis/${encodeURIComponent(stream)}/`, handlersOf(link));
      } catch (error) {
        return lose(link);
      }
      // A transport may have reported before it returned.
      if (link === current) greet(link);
      else closeHandle(link.handle);
    }
    /**
     * @param {any} link
     * @returns {Diag.SocketHandlers}
     */
    function handlersOf(link) {
      return {
        onOpen() {
          link.isOpen = true;
          greet(link);
        },
        onMessage: (text) => receive(link, text),
        onClose: (code) => lose(link, code),
        onError() {
          if (link === current) timers.later('error', ERROR_GRACE_MS, () => lose(link));
        },
      };
    }
    /** @param {any} link */
    function greet(link) {
      if (link !== current || !link.isOpen || !link.handle) return;
      askedAt = timers.now();
      link.epoch = funnel.cursor().epoch;
      hello(link);
    }
    /** @param {any} link */
    function hello(link) {
      send(link, Object.assign({ type: 'hello', v: VERSION, token: link.key.token }, funnel.cursor()));
    }
    /** The network may have taken the connection along without a word. A hello is always answered. @param {any} link */
    function prove(link) {
      link.isHeard = false;
      timers.later('proof', PROOF_MS, () => {
        if (!link.isHeard) lose(link);
      });
      hello(link);
    }
    /** A token that ends in mid-stream would end the connection, so its successor is told in time. @param {any} link */
    function keepSignedIn(link) {
      const wait = Math.min(MAX_TIMER_MS, Math.max(RENEWAL_PAUSE_MS, link.key.renewAt - timers.now()));
      timers.later('renew', wait, () => {
        const isEarly = timers.now() < link.key.renewAt;
        if (!isEarly) tokens.get().then((key) => tellToken(link, key), nothing);
        keepSignedIn(link); // until there is a new one
      });
    }
    /** @type {(link: any, key: Diag.Key) => void} */
    function tellToken(link, key) {
      if (link !== current || key.token === link.key.token) return;
      link.key = key;
      keepSignedIn(link);
      hello(link);
    }
    /** @type {(link: any, frame: object) => void} */
    function send(link, frame) {
      try {
        link.handle.send(JSON.stringify(frame));
      } catch (error) {
        lose(link);
      }
    }
    /** @type {(link: any, code?: number) => void} */
    function lose(link, code) {
      if (link !== current) return;
      hangUp();
      if (!link.key) tokens.forget();
      if (link.isStable) timers.later('restart', RESTART_MS, nothing);
      else unstable += 1;
      if (isFinal(link, code)) return fail(/** @type {number} */ (code), link.problem);
      if (unstable >= UNSTABLE_LIMIT) startPolling();
      if (!poller.isOn()) setState('connecting', { code });
      dialIn(retryDelay(link, code));
    }
    /** @type {(link: any, code?: number) => boolean} */
    function isFinal(link, code) {
      if (code === UNAUTHORIZED && link.key) return tokens.refuse('socket', link.key);
      return FATAL_CLOSES.includes(code || 0);
    }
    /** @type {(link: any, code?: number) => number} */
    function retryDelay(link, code) {
      const isInvited = code === UNAUTHORIZED || (code === GOING_AWAY && unstable === 1);
      if (link.isStable || isInvited) return spread(QUICK_RETRY_MS);
      if (timers.has('restart') && !link.isOpen && !poller.isAnswered()) return RESTART_RETRY_MS + spread(RESTART_RETRY_MS);
      if (poller.isOn()) {
        const limit = Math.min(PROBE_MAX_MS, PROBE_MIN_MS * 2 ** ++probes);
        return PROBE_MIN_MS + spread(limit - PROBE_MIN_MS);
      }
      return serverWait(link.problem && link.problem.retry_after_ms)
        + spread(Math.min(RETRY_CAP_MS, RETRY_BASE_MS * 2 ** (unstable - 1)));
    }
    /** Closes even what never opened: a socket that is left alone counts toward the platform's limit. */
    function hangUp() {
      ['welcome', 'stable', 'watch', 'seek', 'error', 'renew', 'proof'].forEach(timers.cancel);
      const link = current;
      current = null;
      if (link && link.handle) closeHandle(link.handle);
    }
    /** @param {Diag.SocketHandle} handle */
    function closeHandle(handle) {
      try {
        handle.close(1000);
      } catch (error) {
        // Not hidden, but it must not stop the state machine half-way.
        clock.setTimeout(() => { throw error; }, 0);
      }
    }

    // Frames

    /** @type {{[type: string]: (link: any, frame: any) => void}} */
    const frames = {
      events: (link, frame) => take(frame.e),
      ping(link, frame) {
        settle(link);
        send(link, { type: 'pong' });
        catchUp(frame.last);
      },
      reset: (link, frame) => pruned(frame, link),
    };
    /** @type {(link: any, text: any) => void} */
    function receive(link, text) {
      const frame = link === current ? parse(text) : null;
      if (!frame) return;
      link.heardAt = timers.now();
      link.isHeard = true;
      if (frame.type === 'error') link.problem = frame.problem || null;
      else if (frame.type === 'welcome' && !link.isWelcome) welcome(link, frame);
      else if (!link.isWelcome && frame.type !== 'reset') return; // of an epoch that we don't know yet
      else if (frames.hasOwnProperty(frame.type)) frames[frame.type](link, frame);
    }
    /** @param {any} text */
    function parse(text) {
      try {
        return JSON.parse(text);
      } catch (error) {
        return null;
      }
    }
    /** @type {(link: any, frame: any) => void} */
    function welcome(link, frame) {
      timers.cancel('welcome');
      timers.cancel('alongside');
      poller.stop();
      link.isWelcome = true;
      if (frame.ping > 0) link.pingMs = frame.ping * 1000;
      timers.later('stable', STABLE_MS, () => settle(link));
      watch(link);
      keepSignedIn(link);
      setState('live');
      if (link !== current) return;
      if (adopt(frame)) ask(); // the server still has the old cursor from our hello
      catchUp(frame.last);
    }
    /** "Open" proves little: proxies open and then swallow. Only now does the connection clear the record. */
    function settle(/** @type {any} */ link) {
      link.isStable = true;
      unstable = probes = 0;
      tokens.accept('socket');
    }
    /** By timestamps: while the app is frozen timers stand still, and the connection dies unnoticed. */
    function watch(/** @type {any} */ link) {
      const limit = link.pingMs + PING_GRACE_MS;
      const now = timers.now();
      link.heardAt = Math.min(link.heardAt, now); // the clock may be set back
      const wait = link.heardAt + limit - now;
      if (wait <= 0) lose(link);
      else timers.later('watch', wait, () => watch(link));
    }

    // Events

    /** @type {(body: any, poll: any) => void} */
    function answered(body, poll) {
      // A closed log ends with an event, so one that is closed and empty has been pruned.
      if (body.reset || (body.closed && body.last === 0)) return pruned(body, poll);
      adopt(body);
      take(body.events);
      catchUp(body.last);
      const isRead = !funnel.isBehind();
      if (body.closed && isRead && isReading()) finish('done');
    }
    const isReading = () => state === 'live' || state === 'polling';

    /** @param {any} events */
    function take(events) {
      if (!isReading()) return;
      const ready = funnel.offer(events);
      // An answer that is still arriving must not be asked for again.
      if (ready.length && timers.has('seek')) askedAt = timers.now();
      const isEnd = ready.length > 0 && ready[ready.length - 1][1] === 'complete';
      try {
        if (ready.length) onEvents(ready, funnel.cursor().epoch);
      } finally {
        if (isEnd) finish('done');
        else catchUp(0);
      }
    }
    /** @param {any} last */
    function catchUp(last) {
      funnel.note(last);
      if (current && current.isWelcome && funnel.isBehind()) seek();
      else timers.cancel('seek');
    }
    /** At most one question per pause: asking at every sign of a gap multiplies the traffic. */
    function seek() {
      askedAt = Math.min(askedAt, timers.now());
      const wait = askedAt + ASK_PAUSE_MS - timers.now();
      if (wait <= 0) ask();
      timers.later('seek', wait > 0 ? wait : ASK_PAUSE_MS, () => catchUp(0));
    }
    function ask() {
      if (!current) return;
      askedAt = timers.now();
      send(current, { type: 'after', after: funnel.cursor().after });
    }
    /**
     * @param {any} source  a frame or an answer that names the log's epoch
     * @returns {boolean} whether reading starts again from 0
     */
    function adopt(source) {
      if (!source.epoch) return false;
      const { moved, lost } = funnel.adopt(source.epoch);
      if (lost) tellReset(source);
      return moved;
    }
    /** @type {(source: any, asker: any) => void} the asker is the link or the poll that has asked */
    function pruned(source, asker) {
      const isAskedBefore = asker.epoch && asker.epoch !== source.epoch;
      asker.epoch = source.epoch;
      if (adopt(source)) {
        if (asker === current) ask();
      } else if (!isAskedBefore) { // else we have left that epoch since: no news, and nothing to skip
        funnel.rewind(source.last || 0);
        tellReset(source);
      }
      funnel.note(source.last);
      if (source.closed && !funnel.isBehind()) finish('done');
    }
    /** @param {any} source */
    function tellReset({ epoch, last, closed }) {
      const reset = `${epoch} ${last}`;
      if (reset === lastReset) return;
      lastReset = reset;
      onReset({ epoch, last: last || 0, closed: Boolean(closed) });
    }

    function startPolling() {
      timers.cancel('alongside');
      if (poller.isOn()) return;
      poller.start();
      setState('polling');
    }

    return {
      start() {
        if (state === 'idle') proceed(0);
      },
      hide() {
        isHidden = true;
        reconsider();
      },
      show() {
        isHidden = false;
        reconsider();
      },
      /** @param {boolean} isNowOnline  also told when one network has followed another */
      networkChanged(isNowOnline) {
        isOnline = isNowOnline;
        reconsider();
        if (state === 'live' && current.isWelcome) prove(current);
      },
      close: () => finish('closed'),
      state: () => state,
      cursor: funnel.cursor,
    };
  }

  return { createClient };
});
