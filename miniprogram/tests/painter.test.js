'use strict';

const test = require('node:test');
const assert = require('node:assert/strict');
const { createPainter } = require('../presentation/painter');

/** A page that remembers what it was given, and a clock that goes when it is told to. */
function open(data = {}) {
  const painted = [];
  let time = 0;
  let timers = [];
  const clock = {
    now: () => time,
    setTimeout(run, ms) { const timer = { run, at: time + ms }; timers.push(timer); return timer; },
    clearTimeout(timer) { timers = timers.filter((other) => other !== timer); },
  };
  function pass(ms) {
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
  const painter = createPainter({ data, setData: (changes) => painted.push({ time, changes }) }, clock);
  return { painter, painted, pass };
}
const changesOf = (painted) => painted.map(({ changes }) => changes);

test('what is changed in one go is painted in one go', () => {
  const { painter, painted, pass } = open();
  painter.paint({ a: 1 });
  painter.paint({ b: 2 });
  pass(1);
  assert.deepEqual(changesOf(painted), [{ a: 1, b: 2 }]);
});

test('it paints five times a second at most, and the newest value', () => {
  const { painter, painted, pass } = open();
  for (let n = 1; n <= 100; n += 1) {
    painter.paint({ n });
    pass(10);
  }
  pass(1000);
  assert.ok(painted.length <= 6, String(painted.length));
  painted.slice(1).forEach(({ time }, index) => assert.ok(time - painted[index].time >= 200));
  assert.deepEqual(painted[painted.length - 1].changes, { n: 100 });
});

test('what is there already is not painted again', () => {
  const { painter, painted, pass } = open({ t: { title: '标题' } });
  painter.paint({ t: { title: '标题' }, a: [1] });
  pass(300);
  painter.paint({ a: [1] });
  pass(300);
  assert.deepEqual(changesOf(painted), [{ a: [1] }]);
});

test('while hidden nothing is painted, and then all of it', () => {
  const { painter, painted, pass } = open();
  painter.paint({ a: 1 });
  painter.hide();
  pass(5000);
  painter.paint({ b: 2 });
  pass(5000);
  assert.deepEqual(painted, []);
  painter.show();
  pass(1);
  assert.deepEqual(changesOf(painted), [{ a: 1, b: 2 }]);
});

test('a whole replaces the parts that wait, and a part is painted after its whole', () => {
  const { painter, painted, pass } = open();
  painter.paint({ 'list[0]': 1, listing: 2 });
  painter.paint({ list: [5] });
  painter.paint({ 'list[0]': 6 });
  pass(1);
  assert.deepEqual(Object.entries(painted[0].changes), [['listing', 2], ['list', [5]], ['list[0]', 6]]);
  painter.paint({ list: [5] });
  pass(300);
  assert.deepEqual(painted[1].changes, { list: [5] });
});
