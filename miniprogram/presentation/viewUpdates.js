/**
 * Batches the changes of a page's data into `setData` calls: at most five per second, none while the page is hidden, only what
 * differs from the last call, and at most 32 kB each unless a single change is larger.
 */
'use strict';

const MIN_INTERVAL_MS = 200;
const MAX_BYTES = 30000;

/** The size in UTF-8, at most. @param {string} text */
const countBytes = (text) => text.replace(/[^\x20-\x7e]/g, 'xxx').length;

/** @type {(path: string, other: string) => boolean} whether `other` lies within `path` */
const contains = (path, other) => other.startsWith(path) && /^[.[]/.test(other.slice(path.length));

/**
 * @param {{data: any, setData(changes: object, done?: () => void): void}} page
 * @param {{now(): number, setTimeout(run: () => void, ms: number): any, clearTimeout(id: any): void}} [clock]
 */
function createViewUpdates(page, clock = { now: Date.now, setTimeout, clearTimeout }) {
  const { now, setTimeout: startTimer, clearTimeout: stopTimer } = clock; // native timers must be called without `this`
  /** @type {Map<string, any>} */
  const pending = new Map();
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
    if (isPaused || !isNeeded()) return;
    const changes = takeChanges();
    flushedAt = now();
    const done = pending.size ? [] : callbacks;
    if (!pending.size) callbacks = [];
    page.setData(changes, () => done.forEach((run) => run()));
    schedule();
  }

  const isNeeded = () => pending.size > 0 || callbacks.length > 0;

  /** The pending changes in their order, as many as fit into one call. */
  function takeChanges() {
    /** @type {{[path: string]: any}} */
    const changes = {};
    let bytes = 0;
    Array.from(pending).every(([path, value]) => {
      bytes += countBytes(`${path}${sent.get(path)}`);
      if (bytes > MAX_BYTES && Object.keys(changes).length) return false;
      changes[path] = value;
      return pending.delete(path);
    });
    return changes;
  }

  function schedule() {
    if (timer !== null || isPaused || !isNeeded()) return;
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
    /** Set these paths with the next call. @param {{[path: string]: any}} changes */
    update(changes) {
      Object.keys(changes).forEach((path) => put(path, changes[path]));
      schedule();
    },
    /** Call back when the view has followed all changes so far. @param {() => void} run */
    afterUpdate(run) {
      callbacks.push(run);
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
