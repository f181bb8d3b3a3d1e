'use strict';

const test = require('node:test');
const assert = require('node:assert/strict');
const { createWorld } = require('./support/world.js');

const range = (first, last) => Array.from({ length: last - first + 1 }, (_, i) => first + i);
const asFrame = (...events) => JSON.stringify({ type: 'events', e: events });
const event = (seq, kind = 'progress') => [seq, kind, { seq }];

test('events arrive in order, and complete ends the client', async () => {
  const world = createWorld();
  await world.startLive();
  world.server.append('progress', { percent: 10 });
  world.server.append('result', { answer: 'a' });
  world.server.append('complete', { status: 'completed' });
  await world.advance(100);
  assert.deepEqual(world.seen, world.server.log);
  assert.equal(world.epoch, 'epoch-1');
  assert.deepEqual(world.states.map((entry) => entry.state), ['connecting', 'live', 'done']);
  assert.deepEqual(world.client.cursor(), { after: 3, epoch: 'epoch-1' });
});

test('the hello carries the version, the token and the cursor to resume from', async () => {
  const world = createWorld({ after: 2, epoch: 'epoch-1' });
  range(1, 4).forEach(() => world.server.append('progress'));
  await world.startLive();
  await world.advance(50);
  const [hello] = world.link().of('hello');
  delete hello.sentAt;
  assert.deepEqual(hello, { type: 'hello', v: 1, token: 'token-1', after: 2, epoch: 'epoch-1' });
  assert.equal(world.link().path, '/ws/diagnosis/stream-1/');
  assert.deepEqual(world.seqs(), [3, 4]);
});

test('without a token the hello says null and the session speaks', async () => {
  const world = createWorld({ getToken: async () => null });
  world.server.tokens.add(null);
  await world.startLive();
  assert.equal(world.link().of('hello')[0].token, null);
});

test('a log longer than a frame arrives without being asked for again', async () => {
  const world = createWorld();
  range(1, 950).forEach(() => world.server.append('progress'));
  await world.startLive();
  await world.advance(5000);
  assert.deepEqual(world.seqs(), range(1, 950));
  assert.equal(world.link().of('after').length, 0);
});

test('a slow backlog is not asked for while it is still arriving', async () => {
  const world = createWorld();
  range(1, 1000).forEach(() => world.server.append('progress'));
  let delay = 5;
  world.server.faults.frame = (frame) => {
    if (frame.type !== 'events') return null;
    delay += 1500;
    const { handlers } = world.link();
    world.clock.setTimeout(() => handlers.onMessage(JSON.stringify(frame)), delay);
    return 'drop';
  };
  await world.startLive();
  await world.advance(9000);
  assert.equal(world.seen.length, 1000);
  assert.equal(world.link().of('after').length, 0);
});

test('repeated and reordered events reach the page once and in order', async () => {
  const world = createWorld();
  await world.startLive();
  const { handlers } = world.link();
  [[1], [1], [3], [2], [5, 4], [2, 3, 4, 5, 6], [6]].forEach((seqs) => {
    handlers.onMessage(asFrame(...seqs.map((seq) => event(seq))));
  });
  assert.deepEqual(world.seqs(), range(1, 6));
});

test('a gap is asked for at once, and then at most every 2 s', async () => {
  const world = createWorld();
  await world.startLive();
  await world.advance(3000);
  world.server.log = range(1, 40).map((seq) => event(seq));
  const { handlers } = world.link();
  world.server.faults.frame = (frame) => (frame.type === 'events' ? 'drop' : null);
  for (const seq of range(2, 40)) {
    handlers.onMessage(asFrame(event(seq)));
    await world.advance(100);
  }
  const asked = world.link().of('after').map((frame) => frame.sentAt);
  assert.ok(asked.length === 2, `asked ${asked.length} times in 4 s`);
  assert.ok(asked[1] - asked[0] >= 2000);
  assert.deepEqual(world.link().of('after').map((frame) => frame.after), [0, 0]);
  world.server.faults.frame = () => null;
  await world.advance(2100);
  assert.deepEqual(world.seqs(), range(1, 40));
  const count = world.link().of('after').length;
  await world.advance(8000);
  assert.equal(world.link().of('after').length, count, 'no question without a gap');
});

test('a clock that is set back does not stop the questions', async () => {
  const world = createWorld();
  await world.startLive();
  world.server.log = [event(1), event(2)];
  world.skewMs = -3600 * 1000;
  world.link().handlers.onMessage(asFrame(event(2)));
  await world.advance(4100);
  assert.deepEqual(world.seqs(), [1, 2]);
});

test('the buffer behind a gap is bounded, and what lies beyond is asked for again', async () => {
  const world = createWorld();
  await world.startLive();
  await world.advance(3000);
  world.server.log = range(1, 5000).map((seq) => event(seq));
  const { handlers } = world.link();
  world.link().cursor = 5000;
  range(2, 5000).forEach((seq) => handlers.onMessage(asFrame(event(seq))));
  handlers.onMessage(asFrame(event(1)));
  assert.ok(world.seen.length < 1500, `kept ${world.seen.length}`);
  await world.advance(20000);
  assert.deepEqual(world.seqs(), range(1, 5000));
});

test('a dropped last frame is revealed by the next ping', async () => {
  const world = createWorld();
  await world.startLive();
  await world.advance(3000);
  world.server.faults.frame = (frame) => (frame.type === 'events' ? 'drop' : null);
  world.server.append('progress');
  await world.advance(50);
  world.server.faults.frame = () => null;
  assert.deepEqual(world.seqs(), []);
  await world.advance(8000);
  assert.deepEqual(world.seqs(), [1]);
});

test('a lost answer to the hello is revealed by welcome.last', async () => {
  const world = createWorld();
  world.server.append('progress');
  world.server.faults.frame = (frame) => (frame.type === 'events' ? 'drop' : null);
  await world.startLive();
  world.server.faults.frame = () => null;
  await world.advance(2100);
  assert.deepEqual(world.seqs(), [1]);
});

test('a lost wake-up costs latency, never an event', async () => {
  const world = createWorld();
  await world.startLive();
  world.server.faults.wakeUp = () => false;
  world.server.append('progress');
  world.server.append('complete', { status: 'completed' });
  await world.advance(10100);
  assert.equal(world.client.state(), 'done');
  assert.deepEqual(world.seqs(), [1, 2]);
});

test('a late frame of an old connection is dropped', async () => {
  const world = createWorld();
  await world.startLive();
  const old = world.link();
  old.cut();
  await world.advance(400);
  assert.notEqual(world.link(), old);
  old.handlers.onMessage(asFrame(event(1), event(2, 'complete')));
  old.handlers.onMessage(JSON.stringify({ type: 'welcome', v: 1, epoch: 'epoch-0', last: 9, ping: 10 }));
  old.handlers.onClose(4404, '');
  old.handlers.onError();
  await world.advance(1000);
  assert.deepEqual(world.seqs(), []);
  assert.equal(world.client.state(), 'live');
  assert.deepEqual(world.resets.concat(world.fatals), []);
});

test('frames before the welcome do not count, since their epoch is unknown', async () => {
  const world = createWorld();
  world.server.faults.connect = () => 'silent';
  world.client.start();
  await world.advance(3000);
  assert.equal(world.client.state(), 'polling');
  world.link().handlers.onMessage(asFrame(event(1)));
  assert.deepEqual(world.seqs(), []);
});

test('nothing but a welcome makes a connection live', async () => {
  const world = createWorld();
  world.server.faults.connect = () => 'silent';
  world.client.start();
  await world.advance(100);
  world.link().handlers.onMessage(JSON.stringify({ type: 'ping', last: 0 }));
  assert.equal(world.client.state(), 'connecting');
  assert.deepEqual(world.link().of('pong'), []);
});

test('a ping without a number does not hide the gaps that follow', async () => {
  const world = createWorld();
  await world.startLive();
  await world.advance(3000);
  world.link().tell({ type: 'ping' });
  world.server.faults.frame = (frame) => (frame.type === 'events' ? 'drop' : null);
  world.server.append('progress');
  world.server.faults.frame = () => null;
  world.server.append('progress');
  await world.advance(100);
  assert.deepEqual(world.seqs(), [1, 2]);
});

test('a welcome that names no epoch leaves the reading where it is', async () => {
  const world = createWorld({ after: 1, epoch: 'epoch-1' });
  world.server.append('progress');
  world.server.faults.frame = (frame) => {
    if (frame.type === 'welcome') delete frame.epoch;
    return null;
  };
  await world.startLive();
  await world.advance(100);
  assert.deepEqual([world.resets, world.link().of('after')], [[], []]);
  assert.deepEqual(world.client.cursor(), { after: 1, epoch: 'epoch-1' });
});

test('the page hears of events only when there are some', async () => {
  const sizes = [];
  const world = createWorld({ onEvents: (events) => sizes.push(events.length) });
  await world.startLive();
  world.server.append('progress');
  await world.advance(50);
  world.link().handlers.onMessage(asFrame(event(1)));
  assert.deepEqual(sizes, [1]);
});

test('nonsense on the wire is ignored', async () => {
  const world = createWorld();
  await world.startLive();
  const { handlers } = world.link();
  ['', '{', 'null', '7', '[]', '"x"', '{"type":"constructor"}', '{"type":"later"}', '{"type":"events"}',
    '{"type":"events","e":[null,7,[],["1","progress",{}],[1.5,"progress",{}],[-1,"progress",{}]]}',
    '{"type":"ping","last":"many"}', new ArrayBuffer(2), undefined].forEach(handlers.onMessage);
  world.server.append('progress');
  await world.advance(50);
  assert.deepEqual(world.seqs(), [1]);
  assert.equal(world.server.connections.length, 1);
});

test('each ping is answered', async () => {
  const world = createWorld();
  await world.startLive();
  await world.advance(30100);
  assert.equal(world.link().of('pong').length, 3);
  assert.deepEqual(Object.keys(world.link().of('pong')[0]), ['type', 'sentAt']);
});

test('a page that throws in onEvents loses nothing later and still ends', async () => {
  const seen = [];
  const world = createWorld({
    onEvents(events) {
      seen.push(...events.map((entry) => entry[0]));
      throw new Error('a bug of the page');
    },
  });
  await world.startLive();
  const { handlers } = world.link();
  assert.throws(() => handlers.onMessage(asFrame(event(1))), /a bug of the page/);
  assert.throws(() => handlers.onMessage(asFrame(event(2), event(3, 'complete'))), /a bug of the page/);
  assert.deepEqual(seen, [1, 2, 3]);
  assert.equal(world.client.state(), 'done');
});

test('an event after complete is not delivered', async () => {
  const world = createWorld();
  await world.startLive();
  world.link().handlers.onMessage(asFrame(event(1), event(2, 'complete'), event(3)));
  assert.deepEqual(world.seqs(), [1, 2]);
});

for (const follows of ['reset', 'reset, events', 'events', 'wait']) {
  test(`another epoch on the socket starts reading again from 0 (the server goes on with: ${follows})`, async () => {
    const world = createWorld();
    world.server.faults.staleEpoch = follows;
    range(1, 5).forEach(() => world.server.append('progress'));
    await world.startLive();
    await world.advance(3000);
    assert.deepEqual(world.seqs(), range(1, 5));
    world.server.replaceLog('epoch-2');
    range(1, 3).forEach(() => world.server.append('progress'));
    await world.advance(400);
    assert.deepEqual(world.resets, [{ epoch: 'epoch-2', last: 3, closed: false }]);
    assert.deepEqual(world.seqs(), [1, 2, 3], 'read again under the new epoch');
    range(4, 9).forEach(() => world.server.append('progress'));
    await world.advance(1000);
    assert.deepEqual(world.seqs(), range(1, 9));
    assert.deepEqual(world.client.cursor(), { after: 9, epoch: 'epoch-2' });
    assert.equal(world.epoch, 'epoch-2');
  });
}

test('another epoch in the middle of a connection is read at once', async () => {
  const world = createWorld();
  world.server.append('progress');
  await world.startLive();
  await world.advance(3000);
  world.server.epoch = 'epoch-2';
  world.server.log = [event(1), event(2)];
  world.link().tell({ type: 'reset', epoch: 'epoch-2', last: 2, closed: false });
  await world.advance(50);
  assert.equal(world.resets.length, 1);
  assert.deepEqual(world.seqs(), [1, 2]);
});

test('a poll that finds another epoch says nothing on a socket that is not open yet', async () => {
  const world = createWorld({ after: 2, epoch: 'epoch-0' });
  world.server.faults.connect = () => 'hang';
  world.server.append('progress');
  world.client.start();
  await world.advance(2600);
  assert.equal(world.resets.length, 1);
  assert.equal(world.link().isClosedByClient, false);
});

test('another epoch whose log is still empty is read from its first event', async () => {
  const world = createWorld({ after: 5, epoch: 'epoch-0' });
  world.server.faults.staleEpoch = 'wait';
  await world.startLive();
  await world.advance(50);
  world.server.append('progress');
  await world.advance(50);
  assert.deepEqual(world.seqs(), [1]);
});

test('what was kept behind a gap is forgotten with its epoch', async () => {
  const world = createWorld();
  await world.startLive();
  world.link().handlers.onMessage(asFrame(event(1), [3, 'progress', { of: 'epoch-1' }]));
  world.server.replaceLog('epoch-2');
  range(1, 2).forEach(() => world.server.append('progress', { of: 'epoch-2' }));
  await world.advance(1000);
  assert.deepEqual(world.seqs(), [1, 2]);
  world.server.append('progress', { of: 'epoch-2' });
  await world.advance(50);
  assert.deepEqual(world.seen, world.server.log);
});

test('another epoch before anything was read is no reset', async () => {
  const world = createWorld({ epoch: 'epoch-0' });
  world.server.append('progress');
  await world.startLive();
  await world.advance(3000);
  assert.deepEqual(world.resets, []);
  assert.deepEqual(world.seqs(), [1]);
});

test('another epoch in a poll starts reading again from 0', async () => {
  const world = createWorld({ after: 4, epoch: 'epoch-0' });
  world.server.faults.connect = () => 'refuse';
  range(1, 3).forEach(() => world.server.append('progress'));
  world.client.start();
  await world.advance(6000);
  assert.deepEqual(world.resets, [{ epoch: 'epoch-1', last: 3, closed: false }]);
  assert.deepEqual(world.seqs(), [1, 2, 3]);
});

test('events of another epoch in a poll are read from 0, whatever cursor they answer', async () => {
  const world = createWorld({ after: 1, epoch: 'epoch-0' });
  world.server.faults.connect = () => 'refuse';
  range(1, 3).forEach(() => world.server.append('progress'));
  const stale = { epoch: 'epoch-1', last: 3, closed: false, events: world.server.log.slice(1) };
  world.server.faults.poll = () => (world.server.polls.length === 1 ? { status: 200, body: stale } : null);
  world.client.start();
  await world.advance(6000);
  assert.equal(world.resets.length, 1);
  assert.deepEqual(world.seqs(), [1, 2, 3]);
});

test('a pruned log is reported once, and reading goes on behind it', async () => {
  const world = createWorld({ after: 2, epoch: 'epoch-1' });
  range(1, 6).forEach(() => world.server.append('progress'));
  world.server.prunedTo = 6;
  await world.startLive();
  await world.advance(3000);
  assert.deepEqual(world.resets, [{ epoch: 'epoch-1', last: 6, closed: false }]);
  world.server.append('progress');
  world.server.append('complete', { status: 'completed' });
  await world.advance(100);
  assert.deepEqual(world.seqs(), [7, 8]);
  assert.equal(world.client.state(), 'done');
});

test('a pruned log is reported once to a poller that starts from nothing, and is not polled in a storm', async () => {
  const world = createWorld();
  world.server.faults.connect = () => 'refuse';
  const pruned = { status: 200, body: { epoch: 'epoch-1', last: 0, reset: true } };
  world.server.faults.poll = () => pruned;
  world.client.start();
  await world.advance(60000);
  assert.deepEqual(world.resets, [{ epoch: 'epoch-1', last: 0, closed: false }]);
  assert.ok(world.server.polls.length < 20, `${world.server.polls.length} polls in a minute`);
});

for (const how of ['socket', 'poll']) {
  test(`a new log that is closed already is read to its end (over the ${how})`, async () => {
    const world = createWorld({ after: 9, epoch: 'epoch-0' });
    if (how === 'poll') world.server.faults.connect = () => 'refuse';
    world.server.append('progress');
    world.server.append('complete', { status: 'completed' });
    world.client.start();
    await world.advance(6000);
    assert.equal(world.client.state(), 'done');
    assert.equal(world.resets.length, 1);
    assert.deepEqual(world.seqs(), [1, 2]);
  });
}

test('a closed and empty log that a poll finds has been pruned', async () => {
  const world = createWorld();
  world.server.faults.connect = () => 'refuse';
  world.server.faults.poll = () => ({ status: 200, body: { epoch: 'epoch-1', last: 0, closed: true, events: [] } });
  world.client.start();
  await world.advance(4000);
  assert.deepEqual(world.resets, [{ epoch: 'epoch-1', last: 0, closed: true }]);
  assert.equal(world.client.state(), 'done');
});

test('a pruned log that is closed ends the client', async () => {
  const world = createWorld({ after: 2, epoch: 'epoch-1' });
  await world.startLive();
  world.link().tell({ type: 'reset', epoch: 'epoch-1', last: 0, closed: true });
  await world.advance(50);
  assert.deepEqual(world.resets, [{ epoch: 'epoch-1', last: 0, closed: true }]);
  assert.equal(world.client.state(), 'done');
});

test('a client that has read everything of a closed stream ends too', async () => {
  const world = createWorld({ after: 2, epoch: 'epoch-1' });
  world.server.append('progress');
  world.server.append('complete', { status: 'completed' });
  world.client.start();
  assert.ok(await world.clock.until(() => world.client.state() === 'done', 10000));
  assert.deepEqual(world.seqs(), []);
});

test('a reset that answers a hello of an epoch that a poll has left since skips nothing', async () => {
  const world = createWorld({ after: 7, epoch: 'epoch-0' });
  range(1, 4).forEach(() => world.server.append('progress'));
  const late = [];
  world.server.faults.frame = (frame) => (late.push(frame) ? 'drop' : null);
  world.client.start();
  await world.advance(2480);
  const { handlers } = world.link();
  await world.advance(200);
  assert.equal(world.client.state(), 'polling');
  world.server.faults.frame = () => null;
  late.slice(0, 2).forEach((frame) => handlers.onMessage(JSON.stringify(frame)));
  await world.advance(5000);
  assert.deepEqual(late.map((frame) => frame.type).slice(0, 2), ['welcome', 'reset']);
  assert.equal(world.resets.length, 1);
  assert.deepEqual(world.seqs(), [1, 2, 3, 4]);
});

test('a reset instead of a welcome is understood', async () => {
  const world = createWorld({ after: 4, epoch: 'epoch-0' });
  world.server.append('progress');
  const isStale = () => world.link().of('hello')[0].epoch === 'epoch-0';
  world.server.faults.frame = (frame) => (frame.type !== 'reset' && isStale() ? 'drop' : null);
  world.server.faults.poll = () => 'hang';
  world.client.start();
  await world.advance(20000);
  assert.equal(world.resets.length, 1);
  assert.deepEqual(world.seqs(), [1]);
});
