/**
 * Batches the changes of a page's data into `setData` calls: at most five per second, none while the page is hidden,
 * and only what differs from the last call.
 */
'use strict';

const MIN_INTERVAL_MS = 200;

/** @type {(path: string, other: string) => boolean} whether `other` lies within `path` */
const contains = (path, other) => other.startsWith(path) && /^[.[]/.test(other.slice(path.length));

/**
 * @param {{data: any, setData(changes: object, done?: () => void): void}} page
 * @param {{now(): number, setTimeout(run: () => void, ms: number): any, clearTimeout(id: any): void}} [clock]
 */
function createViewUpdates(page, clock = { now: Date.now, setTimeout, clearTimeout }) {
  const { now, setTimeout: startTimer, clearTimeout: stopTimer } = clock; // native timers must be called without `this`
  /** @type {Map<string, any>} */
  let pending = new Map();
  /** path -> the JSON that was set last. @type {Map<string, string>} */
  const sent = new Map();
  /** @type {Array<() => void>} */
  let callbacks = [];
  let flushedAt = -Infinity;
  let isPaused = false;
  /** @type {any} */
  let timer = null;

  function flush() {
    timer = null;
    if (isPaused || !pending.size) return;
    /** @type {{[path: string]: any}} */
    const changes = {};
    pending.forEach((value, path) => { changes[path] = value; });
    pending = new Map();
    flushedAt = now();
    const done = callbacks;
    callbacks = [];
    page.setData(changes, () => done.forEach((run) => run()));
  }

  function schedule() {
    if (timer !== null || isPaused || !pending.size) return;
    // Never in the same tick: one event may change several paths.
    timer = startTimer(flush, Math.max(0, flushedAt + MIN_INTERVAL_MS - now()));
  }

  /** @type {(path: string, value: any) => void} */
  function put(path, value) {
    const text = JSON.stringify(value);
    const before = sent.has(path) ? sent.get(path) : JSON.stringify(page.data[path]);
    if (before === text) return;
    Array.from(pending.keys()).filter((other) => contains(path, other)).forEach((other) => pending.delete(other));
    Array.from(sent.keys()).filter((other) => contains(path, other) || contains(other, path)).forEach((other) => sent.delete(other));
    sent.set(path, text);
    pending.delete(path);
    pending.set(path, value);
  }

  return {
    /** Set these paths with the next call, then call back. @type {(changes: {[path: string]: any}, done?: () => void) => void} */
    update(changes, done) {
      Object.keys(changes).forEach((path) => put(path, changes[path]));
      if (done) callbacks.push(done);
      schedule();
    },
    pause() {
      isPaused = true;
      if (timer !== null) stopTimer(timer);
      timer = null;
    },
    resume() {
      isPaused = false;
      schedule();
    },
  };
}

module.exports = { createViewUpdates };
