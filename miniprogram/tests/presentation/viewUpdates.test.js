'use strict';

const test = require('node:test');
const assert = require('node:assert/strict');
const { createViewUpdates } = require('../../presentation/viewUpdates');

/** A page that records its setData calls, and a virtual clock. */
function open(data = {}) {
  const calls = [];
  let time = 0;
  let timers = [];
  const clock = {
    now: () => time,
    setTimeout(run, ms) { const timer = { run, at: time + ms }; timers.push(timer); return timer; },
    clearTimeout(timer) { timers = timers.filter((other) => other !== timer); },
  };
  function advance(ms) {
    const until = time + ms;
    for (;;) {
      const next = timers.filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      timers = timers.filter((timer) => timer !== next);
      time = Math.max(time, next.at);
      next.run();
    }
    time = until;
  }
  const setData = (changes, done) => { calls.push({ time, changes }); done(); };
  const updates = createViewUpdates({ data, setData }, clock);
  return { updates, calls, advance };
}
const getChanges = (calls) => calls.map(({ changes }) => changes);

test('changes in the same tick are one call', () => {
  const { updates, calls, advance } = open();
  updates.update({ a: 1 });
  updates.update({ b: 2 });
  advance(1);
  assert.deepEqual(getChanges(calls), [{ a: 1, b: 2 }]);
});

test('there are at most five calls per second, with the latest value', () => {
  const { updates, calls, advance } = open();
  for (let n = 1; n <= 100; n += 1) {
    updates.update({ n });
    advance(10);
  }
  advance(1000);
  assert.ok(calls.length <= 6, String(calls.length));
  calls.slice(1).forEach(({ time }, index) => assert.ok(time - calls[index].time >= 200));
  assert.deepEqual(calls[calls.length - 1].changes, { n: 100 });
});

test('an unchanged value is not set again', () => {
  const { updates, calls, advance } = open({ t: { title: '标题' } });
  updates.update({ t: { title: '标题' }, a: [1] });
  advance(300);
  updates.update({ a: [1] });
  advance(300);
  assert.deepEqual(getChanges(calls), [{ a: [1] }]);
});

test('a paused page gets no calls, and all changes on resume', () => {
  const { updates, calls, advance } = open();
  updates.update({ a: 1 });
  updates.pause();
  advance(5000);
  updates.update({ b: 2 });
  advance(5000);
  assert.deepEqual(calls, []);
  updates.resume();
  advance(1);
  assert.deepEqual(getChanges(calls), [{ a: 1, b: 2 }]);
});

test('a path replaces the pending changes within it, and later changes within it come after it', () => {
  const { updates, calls, advance } = open();
  updates.update({ 'list[0]': 1, listing: 2 });
  updates.update({ list: [5] });
  updates.update({ 'list[0]': 6 });
  advance(1);
  assert.deepEqual(Object.entries(calls[0].changes), [['listing', 2], ['list', [5]], ['list[0]', 6]]);
  updates.update({ list: [5] });
  advance(300);
  assert.deepEqual(calls[1].changes, { list: [5] });
});

test('a large change is split into calls of at most 32 kB, and the callback waits for the last', () => {
  const { updates, calls, advance } = open();
  const seen = [];
  for (let n = 0; n < 10; n += 1) updates.update({ [`part${n}`]: '品'.repeat(3000) });
  updates.afterUpdate(() => seen.push(calls.length));
  advance(5000);
  assert.ok(calls.length > 2 && calls.every(({ changes }) => Buffer.byteLength(JSON.stringify(changes)) <= 32000));
  assert.equal(Object.keys(Object.assign({}, ...getChanges(calls))).length, 10);
  assert.deepEqual(seen, [calls.length]);
});

test('a callback without a change runs too', () => {
  const { updates, advance } = open();
  let isCalled = false;
  updates.afterUpdate(() => { isCalled = true; });
  advance(1);
  assert.ok(isCalled);
});
