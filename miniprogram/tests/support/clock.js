'use strict';

/** Virtual time that passes only by `advance`. Timers that are due at the same time run in the order of their creation. */
function createClock() {
  let time = 1_700_000_000_000;
  let count = 0;
  let timers = [];

  /** Let promise chains finish before the next timer fires. */
  async function settle() {
    for (let i = 0; i < 20; i += 1) await null;
  }
  function popNext(limit) {
    let next = null;
    for (const timer of timers) {
      if (timer.at <= limit && (!next || timer.at < next.at)) next = timer;
    }
    if (next) timers = timers.filter((timer) => timer !== next);
    return next;
  }
  async function advanceTo(limit) {
    await settle();
    for (let next = popNext(limit); next; next = popNext(limit)) {
      time = Math.max(time, next.at);
      next.run();
      await settle();
    }
    time = Math.max(time, limit);
  }
  /** The clock of one owner, whose pending timers a test can count. */
  function view() {
    const owner = {};
    return {
      now: () => time,
      setTimeout(run, ms) {
        const timer = { id: (count += 1), at: time + Math.max(0, ms), run, owner };
        timers.push(timer);
        return timer.id;
      },
      clearTimeout(id) {
        timers = timers.filter((timer) => timer.id !== id);
      },
      pending: () => timers.filter((timer) => timer.owner === owner).length,
    };
  }
  return {
    ...view(),
    view,
    settle,
    advance: (ms) => advanceTo(time + ms),
    /** Time passes without running timers, as in a frozen app. */
    freeze(ms) {
      time += ms;
    },
    async until(condition, limitMs) {
      const limit = time + limitMs;
      while (!condition() && time < limit) await advanceTo(Math.min(limit, time + 50));
      return condition();
    },
  };
}

/** The seeded random generator mulberry32. */
function createRandom(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

module.exports = { createClock, createRandom };
