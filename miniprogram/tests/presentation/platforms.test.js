'use strict';

global.wx = { getStorageSync: () => 'zh-hans' };
const test = require('node:test');
const assert = require('node:assert/strict');
const { describeEstimate, describeSelection, estimateSeconds, selectPlatforms } = require('../../presentation/platforms');
const { timeLeft, updateEnd } = require('../../pages/report-v2/stream/diagnosisText');
const cases = require('../../../testing/data/durations.json');

const HOUR_MS = 3_600_000;

/** A healthy real platform that answers in 10 s, five calls at once. */
const platform = (id, columns = {}) => ({
  id, name: id, healthy: true, demo: false, paused_until: null, pause_reason: '', price_per_call: '0.01', typical_seconds: 3,
  seconds_per_call: 10, concurrency: 5, requests_per_minute: 60, ...columns,
});
const paused = (id, columns) => platform(id, {
  healthy: false, pause_reason: 'quota', paused_until: new Date(Date.now() + HOUR_MS).toISOString(), ...columns,
});
const keyless = (id) => platform(id, { healthy: false });
const awaitingProbe = (id) => platform(id, { healthy: false, pause_reason: 'quota' });
const demo = (id) => platform(id, { demo: true });

test('the duration is that of the server', () => {
  cases.forEach(({ calls, seconds, ...columns }) => assert.equal(estimateSeconds(platform('a', columns), calls), seconds));
});

test('the slowest platform decides, a pause is waited for, and what is unknown is called unknown', () => {
  const duration = (...platforms) => describeEstimate(platforms, 5, 2).duration;
  assert.equal(duration(platform('a'), platform('b', { concurrency: 1, seconds_per_call: 6 })), '约 1 分钟');
  assert.equal(duration(platform('a'), paused('b')), '约 1 小时 5 分');
  assert.equal(duration(platform('a'), platform('b', { seconds_per_call: null })), '未知');
  assert.equal(duration(platform('a'), awaitingProbe('b')), '未知');
  assert.equal(duration(), '–');
});

test('healthy platforms of one kind are selected first', () => {
  const select = (platforms, ...preferred) => selectPlatforms(platforms, { preferred });
  assert.deepEqual(select([paused('a'), platform('b')]), ['b']);
  assert.deepEqual(select([paused('a'), platform('b'), platform('c')], 'a', 'c'), ['c']);
  assert.deepEqual(select([paused('a'), platform('b')], 'a'), ['b']);
  assert.deepEqual(select([demo('a'), platform('b'), platform('c')], 'c', 'a', 'b'), ['c', 'b']);
  assert.deepEqual(select([paused('a'), keyless('b')], 'a', 'b'), []);
});

test('what cannot work is refused, and what is paused is named with its end', () => {
  const error = (...platforms) => describeSelection(platforms).error;
  assert.match(error(demo('a'), platform('b')), /演示与真实/);
  assert.match(error(paused('a'), keyless('b')), /都不可用/);
  assert.equal(error(paused('a'), platform('b')), '');
  assert.equal(error(awaitingProbe('a')), '');
  assert.equal(error(), '');
  const { warnings } = describeSelection([paused('甲'), platform('乙'), keyless('丙')]);
  assert.equal(warnings.length, 2);
  const far = new Date(Date.now() + 7 * 24 * HOUR_MS);
  const [text] = describeSelection([paused('甲', { paused_until: far.toISOString() })]).warnings;
  assert.ok(text.includes(`${far.getMonth() + 1}月${far.getDate()}日`), text);
  assert.match(warnings[0], /^甲：暂停至 .*\d\d:\d\d/);
  assert.match(warnings[1], /^丙：暂时不可用/);
});

test('the time left never increases, and is called unknown when it is', () => {
  let endsAt = null;
  const ends = [[null, 0], [50, 0], [60, 1_000], [9, 2_000], [9, 20_000], [null, 21_000]].map(([seconds, now]) => {
    endsAt = updateEnd(endsAt, seconds, now);
    return endsAt;
  });
  assert.deepEqual(ends, [null, 50_000, 50_000, 11_000, 11_000, 11_000]);
  assert.equal(timeLeft(null, 40), '剩余时间未知');
  assert.equal(timeLeft(27, 94), '还需约 30 秒');
  assert.equal(timeLeft(-3, 94), '比预计的久，剩余时间未知');
  assert.equal(timeLeft(-3, 95), '即将完成');
});
