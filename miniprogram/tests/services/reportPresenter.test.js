'use strict';

const test = require('node:test');
const assert = require('node:assert/strict');
const { createPresenter } = require('../../pages/report-v2/stream/reportPresenter.js');
const { createRandom } = require('../support/clock.js');

const progress = (seq, data) => [seq, 'progress', { stage: 'asking', percent: 0, done: 0, planned: 6, eta_s: 9, ...data }];
const result = (seq, data) => [seq, 'result', {
  answer: 'a-1', question: 'q-1', platform: 'p-1', repeat: 1, state: 'valid', mentioned: ['Brand'], ms: 900, ...data,
}];

/** Apply changes as setData does, for the paths that the presenter uses. */
function setData(page, changes) {
  for (const [path, value] of Object.entries(changes)) {
    const [head, key] = path.split('.');
    if (key === undefined) page[head] = value;
    else page[head] = { ...page[head], [key]: value };
  }
}

function assertNothingUndefined(value, path = 'changes') {
  assert.notEqual(value, undefined, path);
  if (value && typeof value === 'object') {
    Object.entries(value).forEach(([key, inner]) => assertNothingUndefined(inner, `${path}.${key}`));
  }
}

test('a new presenter shows a queued diagnosis', () => {
  assert.deepEqual(createPresenter().view(), {
    stage: 'queued', percent: 0, done: 0, planned: 0, etaSeconds: null,
    counts: { valid: 0, failed: 0, filtered: 0 }, answers: {}, notices: [], status: null, problem: null,
  });
});

test('progress reports only the changed paths', () => {
  const presenter = createPresenter();
  assert.deepEqual(presenter.apply([progress(1, { percent: 10, done: 1 })]), {
    stage: 'asking', percent: 10, done: 1, planned: 6, etaSeconds: 9,
  });
  assert.deepEqual(presenter.apply([progress(2, { percent: 20, done: 1 })]), { percent: 20 });
  assert.deepEqual(presenter.apply([progress(3, { percent: 20, done: 1 })]), {});
});

test('the percentage never decreases and stays within 0 to 100', () => {
  const presenter = createPresenter();
  const shown = [30, 20, undefined, 'x', -5, 40, 400].map((percent) => {
    presenter.apply([progress(1, { percent })]);
    return presenter.view().percent;
  });
  assert.deepEqual(shown, [30, 30, 30, 30, 30, 40, 100]);
});

test('a result adds its answer and counts it', () => {
  const presenter = createPresenter();
  assert.deepEqual(presenter.apply([result(1)]), {
    done: 1,
    'counts.valid': 1,
    'answers.a-1': {
      question: 'q-1', platform: 'p-1', repeat: 1, state: 'valid', mentioned: ['Brand'], ms: 900, code: null,
    },
  });
  const changes = presenter.apply([result(2, { answer: 'a-2', state: 'failed', mentioned: undefined, code: 'AI_RATE_LIMIT' })]);
  assert.deepEqual(Object.keys(changes), ['done', 'counts.failed', 'answers.a-2']);
  assert.deepEqual(changes['answers.a-2'].mentioned, []);
  assert.deepEqual(presenter.view().counts, { valid: 1, failed: 1, filtered: 0 });
});

test('an answer that is reported again counts once', () => {
  const presenter = createPresenter();
  presenter.apply([result(1, { state: 'failed' })]);
  assert.deepEqual(presenter.apply([result(2, { state: 'failed' })]), {});
  presenter.apply([result(3, { state: 'valid' })]);
  assert.deepEqual(presenter.view().counts, { valid: 1, failed: 0, filtered: 0 });
  assert.equal(presenter.view().done, 1);
});

test('there is one notice per platform and code, the newest last, up to a maximum', () => {
  const presenter = createPresenter();
  const notice = (platform, code, title) => [1, 'error', { platform, code, copy: { title } }];
  presenter.apply([notice('p-1', 'AI_RATE_LIMIT', 'old'), notice('p-2', 'AI_RATE_LIMIT', 'x'), notice('p-1', 'AI_RATE_LIMIT', 'new')]);
  assert.deepEqual(presenter.view().notices.map((one) => [one.platform, one.copy.title]), [['p-2', 'x'], ['p-1', 'new']]);
  assert.deepEqual(presenter.apply([notice('p-1', 'AI_RATE_LIMIT', 'new')]), {});
  for (let i = 0; i < 50; i += 1) presenter.apply([notice(`p-${i}`, 'AI_PLATFORM_ERROR', 'x')]);
  assert.equal(presenter.view().notices.length, 10);
  assert.equal(presenter.view().notices[9].platform, 'p-49');
});

test('two codes of one platform are two notices', () => {
  const presenter = createPresenter();
  presenter.apply([[1, 'error', { platform: 'p-1', code: 'AI_RATE_LIMIT' }], [2, 'error', { platform: 'p-1', code: 'AI_PLATFORM_ERROR' }]]);
  assert.deepEqual(presenter.view().notices.map((one) => one.code), ['AI_RATE_LIMIT', 'AI_PLATFORM_ERROR']);
});

test('a filtered answer counts as done', () => {
  const presenter = createPresenter();
  presenter.apply([result(1), result(2, { answer: 'a-2', state: 'filtered' })]);
  assert.equal(presenter.view().done, 2);
});

test('an error does not end the diagnosis', () => {
  const presenter = createPresenter();
  const changes = presenter.apply([[1, 'error', { code: 'AI_PLATFORM_ERROR', platform: 'p-1' }]]);
  assert.deepEqual(Object.keys(changes), ['notices']);
  assert.equal(presenter.view().status, null);
});

test('complete sets the status, the final counts and the problem', () => {
  const presenter = createPresenter();
  presenter.apply([progress(1, { percent: 90 }), result(2)]);
  const changes = presenter.apply([[3, 'complete', { status: 'partial', valid: 5, failed: 1, filtered: 0, problem: { code: 'X' } }]]);
  assert.deepEqual(changes, {
    percent: 100, done: 6, etaSeconds: null, status: 'partial', problem: { code: 'X' }, 'counts.valid': 5, 'counts.failed': 1,
  });
});

test('a completed diagnosis is at 100 %', () => {
  const presenter = createPresenter();
  presenter.apply([progress(1, { percent: 90 }), [2, 'complete', { status: 'completed', valid: 6, failed: 0, filtered: 0 }]]);
  assert.equal(presenter.view().percent, 100);
});

for (const status of ['cancelled', 'timed_out', 'failed']) {
  test(`a diagnosis that ended as ${status} keeps its last percentage`, () => {
    const presenter = createPresenter();
    presenter.apply([progress(1, { percent: 40 }), [2, 'complete', { status, valid: 2, failed: 0, filtered: 0 }]]);
    assert.equal(presenter.view().percent, 40);
    assert.equal(presenter.view().problem, null);
  });
}

test('unknown kinds and empty data change nothing', () => {
  const presenter = createPresenter();
  const strange = [[1, 'later', {}], [2, 'constructor', {}], [3, 'progress', null], [4, 'result', {}], [5, 'result', undefined]];
  assert.deepEqual(presenter.apply(strange), {});
});

test('a returned view is never modified', () => {
  const presenter = createPresenter();
  const before = presenter.view();
  const copy = JSON.parse(JSON.stringify(before));
  presenter.apply([progress(1, { percent: 50 }), result(2), [3, 'error', { code: 'X' }], [4, 'complete', { status: 'completed' }]]);
  assert.deepEqual(before, copy);
});

test('the changes of random events, in batches of any size, add up to the view', () => {
  for (let seed = 1; seed <= 200; seed += 1) {
    const random = createRandom(seed);
    const pick = (...choices) => choices[Math.floor(random() * choices.length)];
    const draw = () => pick(
      () => progress(1, { percent: Math.floor(random() * 100), done: pick(1, 2, undefined), eta_s: pick(5, null, undefined) }),
      () => result(1, { answer: pick('a', 'b', 'c'), state: pick('valid', 'failed', 'filtered'), code: pick('X', undefined) }),
      () => [1, 'error', { code: pick('X', 'Y'), platform: pick('p', 'q') }],
    )();
    const events = Array.from({ length: 30 }, draw).concat([[31, 'complete', { status: 'completed', valid: 3 }]]);
    const whole = createPresenter();
    whole.apply(events);
    const presenter = createPresenter();
    const page = JSON.parse(JSON.stringify(presenter.view()));
    while (events.length) {
      const changes = presenter.apply(events.splice(0, 1 + Math.floor(random() * 5)));
      assertNothingUndefined(changes);
      setData(page, changes);
    }
    assert.deepEqual(page, presenter.view(), `seed ${seed}`);
    assert.deepEqual(presenter.view(), whole.view(), `seed ${seed}`);
  }
});
