'use strict';

const test = require('node:test');
const assert = require('node:assert/strict');

global.wx = { getStorageSync: () => 'zh-hans' };
const { coverage } = require('../../presentation/diagnosisText');
const { buildCharts, buildHeatmap, buildSentiment, listLostQuestions, ownRateByPlatform, uncertainNote } = require('../../pages/report-v2/charts');
const { splitAtMentions } = require('../../pages/report-v2/mentions');
const { createAnswers } = require('../../pages/report-v2/answers');

const SCOPE = { these_questions: '针对本问题集', population: '针对同类问题' };
const figures = (mentions, valid, more = {}) => ({
  mentions, valid, mention_rate: mentions / valid, mention_rate_low: 0.1, mention_rate_high: 0.9,
  first_mention_rate: 0.5, first_mention_rate_low: 0.2, first_mention_rate_high: 0.8,
  share_of_voice: 0.5, share_of_voice_low: 0.4, share_of_voice_high: 0.6, mean_position: 1.75,
  uncertain: 0, scope: 'these_questions', voice_scope: 'population', ...more,
});
const NOTHING = { ...figures(0, 1), valid: 0, mention_rate: null, mention_rate_low: null, mention_rate_high: null, share_of_voice: null, share_of_voice_low: null, mean_position: null };

/** A report as the API gives it; `more` replaces parts of it. */
const reportOf = (more = {}) => ({
  planned: 5, valid: 4, failed: 1, filtered: 0, unbranded: { planned: 5 }, recognition: null,
  brands: [
    { name: '云栖壶', is_own: false, figures: figures(3, 4), sentiment: null, by_platform: { a: figures(3, 4), b: NOTHING } },
    { name: '山岚', is_own: true, figures: figures(2, 4, { uncertain: 1 }), sentiment: null, by_platform: { a: figures(2, 4), b: NOTHING } },
  ],
  platforms: [{ id: 'a', name: '甲' }, { id: 'b', name: '乙' }],
  questions: [{ id: 'q1', text: '一？' }, { id: 'q2', text: '二？' }],
  cells: [
    { question: 'q1', platform: 'a', valid: 4, mentions: { 山岚: 1, 云栖壶: 3 } },
    { question: 'q2', platform: 'a', valid: 2, mentions: { 山岚: 0, 云栖壶: 0 } },
    { question: 'q1', platform: 'b', valid: 0, mentions: { 山岚: 0, 云栖壶: 0 } },
  ],
  lost: [{ question: 'q1', planned: 4, valid: 4, mentions: 1, winners: ['云栖壶'], winners_mentions: 3 }],
  others: [], domains: null, domains_by_platform: { a: [{ domain: 'a.example', answers: 2 }], b: null }, judged: null,
  method: { scope: SCOPE, repeats: 1, models: [] },
  ...more,
});

test('the counts say what is missing', () => {
  assert.equal(coverage(reportOf()), '4 / 5 有效 · 1 条失败');
});

test('every bar has its interval and number of answers, the own brand first', () => {
  const { mention, scope, voiceScope } = buildCharts(reportOf(), '');
  assert.deepEqual(mention[0], { name: '山岚', isOwn: true, rate: '50%', isKnown: true, value: 50, low: 10, span: 80, range: '区间 10%–90%', count: '2 / 4 条回答' });
  assert.deepEqual([scope, voiceScope], ['针对本问题集', '针对同类问题']);
});

test('a mean position has its number of answers, and a share of voice its interval', () => {
  const [own] = buildCharts(reportOf(), '').voice;
  assert.deepEqual([own.position, own.range, own.rate], ['1.8（2 条）', '区间 40%–60%', '50%']);
});

test('an unknown figure is a dash, never 0', () => {
  const { mention, voice } = buildCharts(reportOf(), 'b');
  assert.deepEqual([mention[0].rate, mention[0].isKnown, mention[0].count], ['–', false, '']);
  assert.deepEqual([voice[0].rate, voice[0].range, voice[0].position], ['–', '', '–']);
  assert.deepEqual(ownRateByPlatform(reportOf()).map(({ name, rate, isKnown }) => [name, rate, isKnown]), [['甲', '50%', true], ['乙', '–', false]]);
});

test('a single platform has no comparison', () => {
  assert.deepEqual(ownRateByPlatform(reportOf({ platforms: [{ id: 'a', name: '甲' }] })), []);
});

test('the heat map has levels from 0 to 4, and none without a valid answer', () => {
  const shades = buildHeatmap(reportOf()).map(({ cells }) => cells.map(({ level, text }) => [level, text]));
  assert.deepEqual(shades, [[[1, '1/4'], ['', '–']], [[0, '0/2'], ['', '–']]]);
});

test('a lost question has the winner and both counts', () => {
  assert.deepEqual(listLostQuestions(reportOf()), [{ key: 'q1', number: 1, text: '一？', own: '山岚 1 / 4', winners: '云栖壶 3 / 4' }]);
});

test('the sources are those of the selected platform', () => {
  assert.deepEqual(buildCharts(reportOf(), '').domains, []);
  assert.deepEqual(buildCharts(reportOf(), 'a').domains, [{ name: 'a.example', label: 'a.example', count: '2' }]);
});

test('sentiment that was not judged is marked, and a quote has its source', () => {
  assert.deepEqual(buildSentiment(reportOf()), { brands: [], quotes: [] });
  const report = reportOf({ judged: 2 });
  const quote = { answer: 'x', question: 'q1', platform: 'a', sentiment: 'positive', text: '很稳', start: 0, end: 2 };
  report.brands[1].sentiment = { judged: 2, positive: 1, neutral: 0, negative: 0, unclear: 1, quotes: [quote] };
  const { brands, quotes } = buildSentiment(report);
  assert.deepEqual(brands, [{ name: '云栖壶', text: '未评估' }, { name: '山岚', text: '正面 1 · 中性 0 · 负面 0 · 不明确 1' }]);
  assert.deepEqual(quotes, [{ key: 'x/很稳', answer: 'x', question: 'q1', platform: 'a', text: '很稳', source: '正面 · 甲' }]);
});

test('uncertain mentions are noted', () => {
  assert.match(uncertainNote(reportOf()), /^1 处可能是品牌名/);
  const sure = reportOf();
  sure.brands[1].figures.uncertain = 0;
  assert.equal(uncertainNote(sure), '');
});

test('mentions are split by code points, keep their index, and uncertain ones are marked', () => {
  const mentions = [{ brand: '云栖', start: 4, end: 6, state: 'uncertain' }, { brand: '山岚', start: 1, end: 3, state: 'certain' }, { brand: '山', start: 1, end: 2, state: 'certain' }];
  assert.deepEqual(splitAtMentions('😀山岚和云栖', mentions, '山岚'), [
    { key: 0, text: '😀', mark: '' }, { key: 1, text: '山岚', mark: 'own', mention: 1 }, { key: 2, text: '和', mark: '' },
    { key: 3, text: '云栖', mark: 'rival uncertain', mention: 0 },
  ]);
});

const diagnosis = {
  id: 'd', repeats: 2, questions: [{ id: 'q1', text: '一？' }], platforms: [{ id: 'a', name: '甲' }, { id: 'b', name: '乙' }],
  brands: [{ name: '山岚' }, { name: '云栖壶' }],
};
const answer = (platform, repeat, mentions, more = {}) => ({ id: `${platform}${repeat}`, question: 'q1', platform, repeat, state: 'valid', mentions, ...more });
const certain = (brand) => ({ brand, start: 0, end: 2, state: 'certain' });

test('an uncertain mention is not shown as a mentioned brand', async () => {
  global.getApp = () => ({ api: { listAnswers: async () => ({ items: [answer('a', 1, [certain('云栖壶'), { ...certain('山岚'), state: 'uncertain' }])], next: null }) } });
  const changes = await createAnswers(diagnosis).loadAll();
  assert.deepEqual(changes['results[0]'], { state: 'valid', brands: [1] });
});

test('a cell of the heat map opens the answer that mentions the brand, a quote its own answer', async () => {
  const items = [answer('a', 1, [certain('云栖壶')]), answer('a', 2, [certain('山岚')]), answer('b', 1, [], { state: 'failed' })];
  global.getApp = () => ({ api: { listAnswers: async () => ({ items, next: null }) }, errors: { present: () => ({ title: '' }) } });
  const answers = createAnswers(diagnosis);
  await answers.loadAll();
  assert.deepEqual([answers.findIndex('q1', 'a'), answers.findIndex('q1', 'a', 'a1'), answers.findIndex('q1', 'b')], [1, 0, undefined]);
});

test('a correction changes what its answer shows', async () => {
  let mentions = [certain('山岚')];
  global.getApp = () => ({ api: { listAnswers: async () => ({ items: [answer('a', 1, mentions)], next: null }) } });
  const answers = createAnswers(diagnosis);
  await answers.loadAll();
  mentions = [];
  assert.deepEqual(await answers.reload(0), { 'results[0]': { state: 'valid' } });
});
