/** The user's session: signs in with wx.login, stores the token and renews it before it expires. */
(function (/** @type {any} */ root, /** @type {() => {createSession(options: Diag.SessionOptions): Diag.Session}} */ factory) {
  if (typeof module === 'object' && module.exports) module.exports = factory();
  else {
    root.diag = root.diag || {};
    root.diag.session = factory();
  }
})(this, function () {
  'use strict';

  const STORAGE_KEY = 'diag.session';
  // A token is renewed this long before it expires, or after three quarters of a shorter lifetime.
  const RENEWAL_MARGIN_MS = 60000;
  // After a freeze the platform may never call back: the sign-in then fails, and the next call starts a new one.
  const SIGN_IN_TIMEOUT_MS = 20000;

  /** @param {any} problem */
  const createError = (problem) => Object.assign(new Error(problem.code), { problem });

  /**
   * Times are by the device's clock, which may be wrong: only the token's lifetime comes from the server.
   * @type {(response: Diag.HttpResponse, now: number) => Diag.StoredSession}
   */
  function toSession({ body, headers }, now) {
    const lifetimeMs = Date.parse(body.expires_at) - (Date.parse(headers.date) || now);
    return {
      token: body.token,
      user: body.user || null,
      begunAt: now,
      renewAt: now + lifetimeMs - Math.min(RENEWAL_MARGIN_MS, lifetimeMs / 4),
      endsAt: now + lifetimeMs,
    };
  }

  /**
   * @param {Diag.SessionOptions} options  `credentials` replaces wx.login, as on a development site
   * @returns {Diag.Session}
   */
  function createSession({ wx, http, credentials, clock = { now: Date.now, setTimeout, clearTimeout } }) {
    /** @type {Diag.StoredSession | null} */
    let session = restore();
    /** @type {Promise<Diag.StoredSession> | null} */
    let pending = null;

    /** @returns {Diag.StoredSession | null} */
    function restore() {
      try {
        const stored = wx.getStorageSync(STORAGE_KEY);
        return stored && stored.token ? stored : null;
      } catch (error) {
        return null; // a device without storage signs in more often
      }
    }
    /** @param {Diag.StoredSession | null} next */
    function save(next) {
      session = next;
      try {
        if (next) wx.setStorageSync(STORAGE_KEY, next);
        else wx.removeStorageSync(STORAGE_KEY);
      } catch (error) {
        return; // still in memory
      }
    }
    /** A code is valid once, so every attempt needs a new one. */
    function getLoginCode() {
      return new Promise((resolve, reject) => {
        wx.login({
          success: (/** @type {any} */ { code }) => (code ? resolve({ code }) : reject(createError({ code: 'UNAUTHORIZED' }))),
          fail: () => reject(createError({ code: 'NETWORK_ERROR' })),
        });
      });
    }
    /** @param {Diag.HttpResponse} response */
    function readSession(response) {
      const { status, body } = response;
      if (status === 200 && body && body.token) return toSession(response, clock.now());
      throw createError(body && body.code ? body : { code: 'DATA_FORMAT_ERROR', status });
    }
    /** @param {Promise<any>} work */
    function withTimeout(work) {
      return new Promise((resolve, reject) => {
        const timer = clock.setTimeout(() => reject(createError({ code: 'NETWORK_TIMEOUT' })), SIGN_IN_TIMEOUT_MS);
        work.then(resolve, reject).then(() => clock.clearTimeout(timer));
      });
    }
    /** Single flight: concurrent callers share one sign-in. */
    function signIn() {
      if (pending) return pending;
      const work = Promise.resolve().then(credentials || getLoginCode)
        .then((/** @type {any} */ body) => http.send({ method: 'POST', path: '/api/session', body }))
        .then(readSession);
      const attempt = pending = withTimeout(work).then((next) => {
        if (pending === attempt) save(next);
        return next;
      });
      const done = () => {
        if (pending === attempt) pending = null;
      };
      attempt.then(done, done);
      return attempt;
    }
    /** A session from the future means that the clock was set back: it counts as expired. */
    function isBefore(/** @type {'renewAt' | 'endsAt'} */ end) {
      const now = clock.now();
      return session !== null && session.begunAt <= now && now < session[end];
    }
    /** @type {Diag.Session['getToken']} */
    function getToken({ renew = false, refused = null } = {}) {
      const isNewer = session && refused && session.token !== refused; // another caller has renewed it since
      if (session && isBefore('renewAt') && (!renew || isNewer)) return Promise.resolve(session);
      return signIn().catch((error) => {
        // The old token is still valid.
        if (session && !renew && isBefore('endsAt')) return session;
        throw error;
      });
    }
    /** Delete the token on this device, whether or not the server can be reached. */
    function signOut() {
      const old = session;
      pending = null;
      save(null);
      if (!old) return Promise.resolve();
      const ignore = () => undefined;
      return http.send({ method: 'DELETE', path: '/api/session', token: old.token }).then(ignore, ignore);
    }
    return { getToken, signOut, user: () => session && session.user };
  }

  return { createSession };
});
