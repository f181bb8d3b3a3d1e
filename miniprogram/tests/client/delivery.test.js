'use strict';

const test = require('node:test');
const assert = require('node:assert/strict');
const { createClientFixture } = require('../support/clientFixture.js');

const range = (first, last) => Array.from({ length: last - first + 1 }, (_, i) => first + i);
const asFrame = (...events) => JSON.stringify({ type: 'events', e: events });
const event = (seq, kind = 'progress') => [seq, kind, { seq }];

test('events arrive in order, and complete ends the client', async () => {
  const fixture = createClientFixture();
  await fixture.startLive();
  fixture.server.append('progress', { percent: 10 });
  fixture.server.append('result', { answer: 'a' });
  fixture.server.append('complete', { status: 'completed' });
  await fixture.advance(100);
  assert.deepEqual(fixture.seen, fixture.server.log);
  assert.equal(fixture.epoch, 'epoch-1');
  assert.deepEqual(fixture.states.map((entry) => entry.state), ['connecting', 'live', 'done']);
  assert.deepEqual(fixture.client.cursor(), { after: 3, epoch: 'epoch-1' });
});

test('the hello has the version, the token and the cursor to resume from', async () => {
  const fixture = createClientFixture({ after: 2, epoch: 'epoch-1' });
  range(1, 4).forEach(() => fixture.server.append('progress'));
  await fixture.startLive();
  await fixture.advance(50);
  const [hello] = fixture.link().of('hello');
  delete hello.sentAt;
  assert.deepEqual(hello, { type: 'hello', v: 1, token: 'token-1', after: 2, epoch: 'epoch-1' });
  assert.equal(fixture.link().path, '/ws/diagnosis/stream-1/');
  assert.deepEqual(fixture.seqs(), [3, 4]);
});

test('without a token the hello has null, and the session authenticates', async () => {
  const fixture = createClientFixture({ getToken: async () => null });
  fixture.server.tokens.add(null);
  await fixture.startLive();
  assert.equal(fixture.link().of('hello')[0].token, null);
});

test('a log longer than a frame arrives without another request', async () => {
  const fixture = createClientFixture();
  range(1, 950).forEach(() => fixture.server.append('progress'));
  await fixture.startLive();
  await fixture.advance(5000);
  assert.deepEqual(fixture.seqs(), range(1, 950));
  assert.equal(fixture.link().of('after').length, 0);
});

test('a slow backlog is not requested again while it is still arriving', async () => {
  const fixture = createClientFixture();
  range(1, 1000).forEach(() => fixture.server.append('progress'));
  let delay = 5;
  fixture.server.faults.frame = (frame) => {
    if (frame.type !== 'events') return null;
    delay += 1500;
    const { handlers } = fixture.link();
    fixture.clock.setTimeout(() => handlers.onMessage(JSON.stringify(frame)), delay);
    return 'drop';
  };
  await fixture.startLive();
  await fixture.advance(9000);
  assert.equal(fixture.seen.length, 1000);
  assert.equal(fixture.link().of('after').length, 0);
});

test('repeated and reordered events are delivered once and in order', async () => {
  const fixture = createClientFixture();
  await fixture.startLive();
  const { handlers } = fixture.link();
  [[1], [1], [3], [2], [5, 4], [2, 3, 4, 5, 6], [6]].forEach((seqs) => {
    handlers.onMessage(asFrame(...seqs.map((seq) => event(seq))));
  });
  assert.deepEqual(fixture.seqs(), range(1, 6));
});

test('a gap is requested at once, and then at most every 2 s', async () => {
  const fixture = createClientFixture();
  await fixture.startLive();
  await fixture.advance(3000);
  fixture.server.log = range(1, 40).map((seq) => event(seq));
  const { handlers } = fixture.link();
  fixture.server.faults.frame = (frame) => (frame.type === 'events' ? 'drop' : null);
  for (const seq of range(2, 40)) {
    handlers.onMessage(asFrame(event(seq)));
    await fixture.advance(100);
  }
  const asked = fixture.link().of('after').map((frame) => frame.sentAt);
  assert.ok(asked.length === 2, `asked ${asked.length} times in 4 s`);
  assert.ok(asked[1] - asked[0] >= 2000);
  assert.deepEqual(fixture.link().of('after').map((frame) => frame.after), [0, 0]);
  fixture.server.faults.frame = () => null;
  await fixture.advance(2100);
  assert.deepEqual(fixture.seqs(), range(1, 40));
  const count = fixture.link().of('after').length;
  await fixture.advance(8000);
  assert.equal(fixture.link().of('after').length, count, 'no request without a gap');
});

test('a clock that is set back does not stop the requests', async () => {
  const fixture = createClientFixture();
  await fixture.startLive();
  fixture.server.log = [event(1), event(2)];
  fixture.skewMs = -3600 * 1000;
  fixture.link().handlers.onMessage(asFrame(event(2)));
  await fixture.advance(4100);
  assert.deepEqual(fixture.seqs(), [1, 2]);
});

test('the buffer behind a gap is bounded, and later events are requested again', async () => {
  const fixture = createClientFixture();
  await fixture.startLive();
  await fixture.advance(3000);
  fixture.server.log = range(1, 5000).map((seq) => event(seq));
  const { handlers } = fixture.link();
  fixture.link().cursor = 5000;
  range(2, 5000).forEach((seq) => handlers.onMessage(asFrame(event(seq))));
  handlers.onMessage(asFrame(event(1)));
  assert.ok(fixture.seen.length < 1500, `kept ${fixture.seen.length}`);
  await fixture.advance(20000);
  assert.deepEqual(fixture.seqs(), range(1, 5000));
});

test('a dropped last frame is detected by the next ping', async () => {
  const fixture = createClientFixture();
  await fixture.startLive();
  await fixture.advance(3000);
  fixture.server.faults.frame = (frame) => (frame.type === 'events' ? 'drop' : null);
  fixture.server.append('progress');
  await fixture.advance(50);
  fixture.server.faults.frame = () => null;
  assert.deepEqual(fixture.seqs(), []);
  await fixture.advance(8000);
  assert.deepEqual(fixture.seqs(), [1]);
});

test('lost events after the hello are detected by welcome.last', async () => {
  const fixture = createClientFixture();
  fixture.server.append('progress');
  fixture.server.faults.frame = (frame) => (frame.type === 'events' ? 'drop' : null);
  await fixture.startLive();
  fixture.server.faults.frame = () => null;
  await fixture.advance(2100);
  assert.deepEqual(fixture.seqs(), [1]);
});

test('a lost notification costs latency, never an event', async () => {
  const fixture = createClientFixture();
  await fixture.startLive();
  fixture.server.faults.notify = () => false;
  fixture.server.append('progress');
  fixture.server.append('complete', { status: 'completed' });
  await fixture.advance(10100);
  assert.equal(fixture.client.state(), 'done');
  assert.deepEqual(fixture.seqs(), [1, 2]);
});

test('a late frame of an old connection is dropped', async () => {
  const fixture = createClientFixture();
  await fixture.startLive();
  const old = fixture.link();
  old.cut();
  await fixture.advance(400);
  assert.notEqual(fixture.link(), old);
  old.handlers.onMessage(asFrame(event(1), event(2, 'complete')));
  old.handlers.onMessage(JSON.stringify({ type: 'welcome', v: 1, epoch: 'epoch-0', last: 9, ping: 10 }));
  old.handlers.onClose(4404, '');
  old.handlers.onError();
  await fixture.advance(1000);
  assert.deepEqual(fixture.seqs(), []);
  assert.equal(fixture.client.state(), 'live');
  assert.deepEqual(fixture.resets.concat(fixture.fatals), []);
});

test('frames before the welcome are ignored, because their epoch is unknown', async () => {
  const fixture = createClientFixture();
  fixture.server.faults.connect = () => 'silent';
  fixture.client.start();
  await fixture.advance(3000);
  assert.equal(fixture.client.state(), 'polling');
  fixture.link().handlers.onMessage(asFrame(event(1)));
  assert.deepEqual(fixture.seqs(), []);
});

test('only a welcome makes a connection live', async () => {
  const fixture = createClientFixture();
  fixture.server.faults.connect = () => 'silent';
  fixture.client.start();
  await fixture.advance(100);
  fixture.link().handlers.onMessage(JSON.stringify({ type: 'ping', last: 0 }));
  assert.equal(fixture.client.state(), 'connecting');
  assert.deepEqual(fixture.link().of('pong'), []);
});

test('a ping without a number does not hide the gaps that follow', async () => {
  const fixture = createClientFixture();
  await fixture.startLive();
  await fixture.advance(3000);
  fixture.link().send({ type: 'ping' });
  fixture.server.faults.frame = (frame) => (frame.type === 'events' ? 'drop' : null);
  fixture.server.append('progress');
  fixture.server.faults.frame = () => null;
  fixture.server.append('progress');
  await fixture.advance(100);
  assert.deepEqual(fixture.seqs(), [1, 2]);
});

test('a welcome without an epoch does not change the cursor', async () => {
  const fixture = createClientFixture({ after: 1, epoch: 'epoch-1' });
  fixture.server.append('progress');
  fixture.server.faults.frame = (frame) => {
    if (frame.type === 'welcome') delete frame.epoch;
    return null;
  };
  await fixture.startLive();
  await fixture.advance(100);
  assert.deepEqual([fixture.resets, fixture.link().of('after')], [[], []]);
  assert.deepEqual(fixture.client.cursor(), { after: 1, epoch: 'epoch-1' });
});

test('onEvents is not called without events', async () => {
  const sizes = [];
  const fixture = createClientFixture({ onEvents: (events) => sizes.push(events.length) });
  await fixture.startLive();
  fixture.server.append('progress');
  await fixture.advance(50);
  fixture.link().handlers.onMessage(asFrame(event(1)));
  assert.deepEqual(sizes, [1]);
});

test('malformed frames are ignored', async () => {
  const fixture = createClientFixture();
  await fixture.startLive();
  const { handlers } = fixture.link();
  ['', '{', 'null', '7', '[]', '"x"', '{"type":"constructor"}', '{"type":"later"}', '{"type":"events"}',
    '{"type":"events","e":[null,7,[],["1","progress",{}],[1.5,"progress",{}],[-1,"progress",{}]]}',
    '{"type":"ping","last":"many"}', new ArrayBuffer(2), undefined].forEach(handlers.onMessage);
  fixture.server.append('progress');
  await fixture.advance(50);
  assert.deepEqual(fixture.seqs(), [1]);
  assert.equal(fixture.server.connections.length, 1);
});

test('each ping is answered', async () => {
  const fixture = createClientFixture();
  await fixture.startLive();
  await fixture.advance(30100);
  assert.equal(fixture.link().of('pong').length, 3);
  assert.deepEqual(Object.keys(fixture.link().of('pong')[0]), ['type', 'sentAt']);
});

test('after an exception in onEvents later events are delivered, and the client ends', async () => {
  const seen = [];
  const fixture = createClientFixture({
    onEvents(events) {
      seen.push(...events.map((entry) => entry[0]));
      throw new Error('a bug of the page');
    },
  });
  await fixture.startLive();
  const { handlers } = fixture.link();
  assert.throws(() => handlers.onMessage(asFrame(event(1))), /a bug of the page/);
  assert.throws(() => handlers.onMessage(asFrame(event(2), event(3, 'complete'))), /a bug of the page/);
  assert.deepEqual(seen, [1, 2, 3]);
  assert.equal(fixture.client.state(), 'done');
});

test('an event after complete is not delivered', async () => {
  const fixture = createClientFixture();
  await fixture.startLive();
  fixture.link().handlers.onMessage(asFrame(event(1), event(2, 'complete'), event(3)));
  assert.deepEqual(fixture.seqs(), [1, 2]);
});

for (const follows of ['reset', 'reset, events', 'events', 'wait']) {
  test(`another epoch on the socket starts reading again from 0 (the server continues with: ${follows})`, async () => {
    const fixture = createClientFixture();
    fixture.server.faults.staleEpoch = follows;
    range(1, 5).forEach(() => fixture.server.append('progress'));
    await fixture.startLive();
    await fixture.advance(3000);
    assert.deepEqual(fixture.seqs(), range(1, 5));
    fixture.server.replaceLog('epoch-2');
    range(1, 3).forEach(() => fixture.server.append('progress'));
    await fixture.advance(400);
    assert.deepEqual(fixture.resets, [{ epoch: 'epoch-2', last: 3, closed: false }]);
    assert.deepEqual(fixture.seqs(), [1, 2, 3], 'read again in the new epoch');
    range(4, 9).forEach(() => fixture.server.append('progress'));
    await fixture.advance(1000);
    assert.deepEqual(fixture.seqs(), range(1, 9));
    assert.deepEqual(fixture.client.cursor(), { after: 9, epoch: 'epoch-2' });
    assert.equal(fixture.epoch, 'epoch-2');
  });
}

test('another epoch during a connection is read at once', async () => {
  const fixture = createClientFixture();
  fixture.server.append('progress');
  await fixture.startLive();
  await fixture.advance(3000);
  fixture.server.epoch = 'epoch-2';
  fixture.server.log = [event(1), event(2)];
  fixture.link().send({ type: 'reset', epoch: 'epoch-2', last: 2, closed: false });
  await fixture.advance(50);
  assert.equal(fixture.resets.length, 1);
  assert.deepEqual(fixture.seqs(), [1, 2]);
});

test('a poll that finds another epoch sends nothing on a socket that is not open yet', async () => {
  const fixture = createClientFixture({ after: 2, epoch: 'epoch-0' });
  fixture.server.faults.connect = () => 'hang';
  fixture.server.append('progress');
  fixture.client.start();
  await fixture.advance(2600);
  assert.equal(fixture.resets.length, 1);
  assert.equal(fixture.link().isClosedByClient, false);
});

test('another epoch with an empty log is read from its first event', async () => {
  const fixture = createClientFixture({ after: 5, epoch: 'epoch-0' });
  fixture.server.faults.staleEpoch = 'wait';
  await fixture.startLive();
  await fixture.advance(50);
  fixture.server.append('progress');
  await fixture.advance(50);
  assert.deepEqual(fixture.seqs(), [1]);
});

test('events buffered behind a gap are dropped with their epoch', async () => {
  const fixture = createClientFixture();
  await fixture.startLive();
  fixture.link().handlers.onMessage(asFrame(event(1), [3, 'progress', { of: 'epoch-1' }]));
  fixture.server.replaceLog('epoch-2');
  range(1, 2).forEach(() => fixture.server.append('progress', { of: 'epoch-2' }));
  await fixture.advance(1000);
  assert.deepEqual(fixture.seqs(), [1, 2]);
  fixture.server.append('progress', { of: 'epoch-2' });
  await fixture.advance(50);
  assert.deepEqual(fixture.seen, fixture.server.log);
});

test('another epoch before the first event is not reported as a reset', async () => {
  const fixture = createClientFixture({ epoch: 'epoch-0' });
  fixture.server.append('progress');
  await fixture.startLive();
  await fixture.advance(3000);
  assert.deepEqual(fixture.resets, []);
  assert.deepEqual(fixture.seqs(), [1]);
});

test('another epoch in a poll starts reading again from 0', async () => {
  const fixture = createClientFixture({ after: 4, epoch: 'epoch-0' });
  fixture.server.faults.connect = () => 'refuse';
  range(1, 3).forEach(() => fixture.server.append('progress'));
  fixture.client.start();
  await fixture.advance(6000);
  assert.deepEqual(fixture.resets, [{ epoch: 'epoch-1', last: 3, closed: false }]);
  assert.deepEqual(fixture.seqs(), [1, 2, 3]);
});

test('events of another epoch in a poll are read from 0, not from the polled cursor', async () => {
  const fixture = createClientFixture({ after: 1, epoch: 'epoch-0' });
  fixture.server.faults.connect = () => 'refuse';
  range(1, 3).forEach(() => fixture.server.append('progress'));
  const stale = { epoch: 'epoch-1', last: 3, closed: false, events: fixture.server.log.slice(1) };
  fixture.server.faults.poll = () => (fixture.server.polls.length === 1 ? { status: 200, body: stale } : null);
  fixture.client.start();
  await fixture.advance(6000);
  assert.equal(fixture.resets.length, 1);
  assert.deepEqual(fixture.seqs(), [1, 2, 3]);
});

test('a pruned log is reported once, and reading continues after it', async () => {
  const fixture = createClientFixture({ after: 2, epoch: 'epoch-1' });
  range(1, 6).forEach(() => fixture.server.append('progress'));
  fixture.server.prunedTo = 6;
  await fixture.startLive();
  await fixture.advance(3000);
  assert.deepEqual(fixture.resets, [{ epoch: 'epoch-1', last: 6, closed: false }]);
  fixture.server.append('progress');
  fixture.server.append('complete', { status: 'completed' });
  await fixture.advance(100);
  assert.deepEqual(fixture.seqs(), [7, 8]);
  assert.equal(fixture.client.state(), 'done');
});

test('a pruned log is reported once to a poller without a cursor, which then backs off', async () => {
  const fixture = createClientFixture();
  fixture.server.faults.connect = () => 'refuse';
  const pruned = { status: 200, body: { epoch: 'epoch-1', last: 0, reset: true } };
  fixture.server.faults.poll = () => pruned;
  fixture.client.start();
  await fixture.advance(60000);
  assert.deepEqual(fixture.resets, [{ epoch: 'epoch-1', last: 0, closed: false }]);
  assert.ok(fixture.server.polls.length < 20, `${fixture.server.polls.length} polls in a minute`);
});

for (const how of ['socket', 'poll']) {
  test(`a new log that is already closed is read to its end (over the ${how})`, async () => {
    const fixture = createClientFixture({ after: 9, epoch: 'epoch-0' });
    if (how === 'poll') fixture.server.faults.connect = () => 'refuse';
    fixture.server.append('progress');
    fixture.server.append('complete', { status: 'completed' });
    fixture.client.start();
    await fixture.advance(6000);
    assert.equal(fixture.client.state(), 'done');
    assert.equal(fixture.resets.length, 1);
    assert.deepEqual(fixture.seqs(), [1, 2]);
  });
}

test('a closed and empty log in a poll means that it was pruned', async () => {
  const fixture = createClientFixture();
  fixture.server.faults.connect = () => 'refuse';
  fixture.server.faults.poll = () => ({ status: 200, body: { epoch: 'epoch-1', last: 0, closed: true, events: [] } });
  fixture.client.start();
  await fixture.advance(4000);
  assert.deepEqual(fixture.resets, [{ epoch: 'epoch-1', last: 0, closed: true }]);
  assert.equal(fixture.client.state(), 'done');
});

test('a pruned log that is closed ends the client', async () => {
  const fixture = createClientFixture({ after: 2, epoch: 'epoch-1' });
  await fixture.startLive();
  fixture.link().send({ type: 'reset', epoch: 'epoch-1', last: 0, closed: true });
  await fixture.advance(50);
  assert.deepEqual(fixture.resets, [{ epoch: 'epoch-1', last: 0, closed: true }]);
  assert.equal(fixture.client.state(), 'done');
});

test('a client whose cursor is at the end of a closed stream ends', async () => {
  const fixture = createClientFixture({ after: 2, epoch: 'epoch-1' });
  fixture.server.append('progress');
  fixture.server.append('complete', { status: 'completed' });
  fixture.client.start();
  assert.ok(await fixture.clock.until(() => fixture.client.state() === 'done', 10000));
  assert.deepEqual(fixture.seqs(), []);
});

test('a late reset for an epoch that a poll has left since skips no event', async () => {
  const fixture = createClientFixture({ after: 7, epoch: 'epoch-0' });
  range(1, 4).forEach(() => fixture.server.append('progress'));
  const late = [];
  fixture.server.faults.frame = (frame) => (late.push(frame) ? 'drop' : null);
  fixture.client.start();
  await fixture.advance(2480);
  const { handlers } = fixture.link();
  await fixture.advance(200);
  assert.equal(fixture.client.state(), 'polling');
  fixture.server.faults.frame = () => null;
  late.slice(0, 2).forEach((frame) => handlers.onMessage(JSON.stringify(frame)));
  await fixture.advance(5000);
  assert.deepEqual(late.map((frame) => frame.type).slice(0, 2), ['welcome', 'reset']);
  assert.equal(fixture.resets.length, 1);
  assert.deepEqual(fixture.seqs(), [1, 2, 3, 4]);
});

test('a reset instead of a welcome is handled', async () => {
  const fixture = createClientFixture({ after: 4, epoch: 'epoch-0' });
  fixture.server.append('progress');
  const isStale = () => fixture.link().of('hello')[0].epoch === 'epoch-0';
  fixture.server.faults.frame = (frame) => (frame.type !== 'reset' && isStale() ? 'drop' : null);
  fixture.server.faults.poll = () => 'hang';
  fixture.client.start();
  await fixture.advance(20000);
  assert.equal(fixture.resets.length, 1);
  assert.deepEqual(fixture.seqs(), [1]);
});
