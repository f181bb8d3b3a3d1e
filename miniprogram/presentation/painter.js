/**
 * The one way from data to the screen: gathers changes and hands them to `setData` together, at most five times a
 * second, never while the page is hidden, and only what differs from what was painted last.
 */
'use strict';

const PAUSE_MS = 200;

/** @type {(path: string, other: string) => boolean} whether `other` lies within `path` */
const holds = (path, other) => other.startsWith(path) && /^[.[]/.test(other.slice(path.length));

/**
 * @param {{data: any, setData(changes: object, done?: () => void): void}} page
 * @param {{now(): number, setTimeout(run: () => void, ms: number): any, clearTimeout(id: any): void}} [clock]
 */
function createPainter(page, clock) {
  const { now, setTimeout: later, clearTimeout: cancel } = clock || { now: Date.now, setTimeout, clearTimeout };
  /** @type {Map<string, any>} */
  let waiting = new Map();
  /** @type {Map<string, string>} */
  const painted = new Map();
  /** @type {Array<() => void>} */
  let afterwards = [];
  let paintedAt = -Infinity;
  let isHidden = false;
  /** @type {any} */
  let timer = null;

  function flush() {
    timer = null;
    if (isHidden || !waiting.size) return;
    /** @type {{[path: string]: any}} */
    const changes = {};
    waiting.forEach((value, path) => { changes[path] = value; });
    waiting = new Map();
    paintedAt = now();
    const told = afterwards;
    afterwards = [];
    page.setData(changes, () => told.forEach((run) => run()));
  }

  function plan() {
    if (timer !== null || isHidden || !waiting.size) return;
    // Never at once: what one event changes in several places is one change.
    timer = later(flush, Math.max(0, paintedAt + PAUSE_MS - now()));
  }

  /** @type {(path: string, value: any) => void} */
  function put(path, value) {
    const text = JSON.stringify(value);
    const before = painted.has(path) ? painted.get(path) : JSON.stringify(page.data[path]);
    if (before === text) return;
    Array.from(waiting.keys()).filter((other) => holds(path, other)).forEach((other) => waiting.delete(other));
    Array.from(painted.keys()).filter((other) => holds(path, other) || holds(other, path)).forEach((other) => painted.delete(other));
    painted.set(path, text);
    waiting.delete(path);
    waiting.set(path, value);
  }

  return {
    /** Paint these paths soon, then call back. @type {(changes: {[path: string]: any}, done?: () => void) => void} */
    paint(changes, done) {
      Object.keys(changes).forEach((path) => put(path, changes[path]));
      if (done) afterwards.push(done);
      plan();
    },
    hide() {
      isHidden = true;
      if (timer !== null) cancel(timer);
      timer = null;
    },
    show() {
      isHidden = false;
      plan();
    },
  };
}

module.exports = { createPainter };
