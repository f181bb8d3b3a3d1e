/** Who is asking: signs in with wx.login, keeps the token, and renews it before it ends. */
(function (/** @type {any} */ root, /** @type {() => any} */ factory) {
  if (typeof module === 'object' && module.exports) module.exports = factory();
  else {
    root.diag = root.diag || {};
    root.diag.session = factory();
  }
})(this, function () {
  'use strict';

  const STORED_AS = 'diag.session';
  // How long before its end a token is renewed; of a short life, a quarter.
  const MARGIN_MS = 60000;
  // A callback may never come, as after a freeze. Then the sign-in is given up, and the next one begins anew.
  const SIGN_IN_MS = 30000;

  /** @param {any} problem */
  const failure = (problem) => Object.assign(new Error(problem.code), { problem });

  /**
   * The times are the device's, whatever its clock says: only the length of the token's life is the server's.
   * @type {(answer: Diag.HttpAnswer, now: number) => Diag.StoredSession}
   */
  function sessionOf({ body, headers }, now) {
    const lifeMs = Date.parse(body.expires_at) - (Date.parse(headers.date) || now);
    return {
      token: body.token,
      user: body.user || null,
      begunAt: now,
      renewAt: now + lifeMs - Math.min(MARGIN_MS, lifeMs / 4),
      endsAt: now + lifeMs,
    };
  }

  /**
   * @param {Diag.SessionOptions} options  `credentials` replaces wx.login, as on a site of a developer's own
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
        const stored = wx.getStorageSync(STORED_AS);
        return stored && stored.token ? stored : null;
      } catch (error) {
        return null; // a device without storage signs in more often
      }
    }
    /** @param {Diag.StoredSession | null} next */
    function keep(next) {
      session = next;
      try {
        if (next) wx.setStorageSync(STORED_AS, next);
        else wx.removeStorageSync(STORED_AS);
      } catch (error) {
        return; // the memory has it
      }
    }
    /** The code works once, so every attempt asks for a new one. */
    function loginCode() {
      return new Promise((resolve, reject) => {
        wx.login({
          success: (/** @type {any} */ { code }) => (code ? resolve({ code }) : reject(failure({ code: 'UNAUTHORIZED' }))),
          fail: () => reject(failure({ code: 'NETWORK_ERROR' })),
        });
      });
    }
    /** @param {Diag.HttpAnswer} answer */
    function take(answer) {
      const { status, body } = answer;
      if (status === 200 && body && body.token) return sessionOf(answer, clock.now());
      throw failure(body && body.code ? body : { code: 'DATA_FORMAT_ERROR', status });
    }
    /** @param {Promise<any>} work */
    function inTime(work) {
      return new Promise((resolve, reject) => {
        const timer = clock.setTimeout(() => reject(failure({ code: 'NETWORK_TIMEOUT' })), SIGN_IN_MS);
        work.then(resolve, reject).then(() => clock.clearTimeout(timer));
      });
    }
    /** One at a time, however many ask. */
    function signIn() {
      if (pending) return pending;
      const work = Promise.resolve().then(credentials || loginCode)
        .then((/** @type {any} */ body) => http.send({ method: 'POST', path: '/api/session', body }))
        .then(take);
      const mine = pending = inTime(work).then((next) => {
        if (pending === mine) keep(next);
        return next;
      });
      const done = () => {
        if (pending === mine) pending = null;
      };
      mine.then(done, done);
      return mine;
    }
    /** A clock that was set back says nothing about a token. */
    function isWithin(/** @type {'renewAt' | 'endsAt'} */ end) {
      const now = clock.now();
      return session !== null && session.begunAt <= now && now < session[end];
    }
    /** @type {Diag.Session['getToken']} */
    function getToken({ renew = false, refused = null } = {}) {
      const isNewer = session && refused && session.token !== refused; // somebody else has renewed it since
      if (session && isWithin('renewAt') && (!renew || isNewer)) return Promise.resolve(session);
      return signIn().catch((error) => {
        // Good for a while yet: no reason to stop.
        if (session && !renew && isWithin('endsAt')) return session;
        throw error;
      });
    }
    /** Whatever comes of it, this device forgets the token. */
    function signOut() {
      const old = session;
      pending = null;
      keep(null);
      if (!old) return Promise.resolve();
      const nothing = () => undefined;
      return http.send({ method: 'DELETE', path: '/api/session', token: old.token }).then(nothing, nothing);
    }
    return { getToken, signOut, user: () => session && session.user };
  }

  return { createSession };
});
