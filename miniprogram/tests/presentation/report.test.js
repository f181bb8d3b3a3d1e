'use strict';

const test = require('node:test');
const assert = require('node:assert/strict');

const screen = { windowWidth: 375, fontSizeSetting: 16 };
global.wx = { getStorageSync: () => 'zh-hans', canIUse: () => true, getWindowInfo: () => screen, getAppBaseInfo: () => screen };
const { coverage } = require('../../pages/report-v2/stream/diagnosisText');
const { buildBrands, buildHeatmap, buildPlatforms, buildRecognition, buildSurfaces, listLostQuestions, uncertainNote } = require('../../pages/report-v2/brandFigures');
const { buildDomains, buildQuotes, buildSources, listCorrections } = require('../../pages/report-v2/evidence');
const { buildTrend } = require('../../pages/report-v2/trend');
const { splitAtMentions } = require('../../pages/report-v2/mentions');
const { createAnswers } = require('../../pages/report-v2/answers');

const SCOPE = { these_questions: '针对本问题集', population: '针对同类问题' };
const figures = (mentions, valid, more = {}) => ({
  mentions, valid, mention_rate: mentions / valid, mention_rate_low: 0.1, mention_rate_high: 0.9,
  first_mention_rate: 0.5, first_mention_rate_low: 0.2, first_mention_rate_high: 0.8,
  share_of_voice: 0.5, share_of_voice_low: 0.4, share_of_voice_high: 0.6, mean_position: 1.75, mean_reciprocal_rank: 0.5, planned: valid, judged: 0,
  uncertain: 0, scope: 'these_questions', voice_scope: 'population', ...more,
});
const NOTHING = { ...figures(0, 1), valid: 0, mention_rate: null, mention_rate_low: null, mention_rate_high: null, share_of_voice: null, share_of_voice_low: null, mean_position: null };

/** A report as the API gives it; `more` replaces parts of it. */
const reportOf = (more = {}) => ({
  planned: 5, valid: 4, failed: 1, filtered: 0, unbranded: { planned: 5, valid: 4 }, recognition: null, surface: 'memory', surfaces: [{}], sources: [],
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

/** The section of brands, with the own brand opened. */
const brandsOf = (report, platform = '') => buildBrands(report, { platform, requested: [{ name: '山岚', aliases: ['Shanlan'] }], opened: new Set(['山岚']) });

test('every bar has its interval and number of answers, the own brand first', () => {
  const { brands: [own, rival], scope } = brandsOf(reportOf());
  const { name, rate, isKnown, value, low, span, range, count, uncertain, aliases } = own;
  assert.deepEqual({ name, rate, isKnown, value, low, span, range, count, uncertain, aliases }, {
    name: '山岚', rate: '50%', isKnown: true, value: 50, low: 10, span: 80, range: '区间 10%–90%', count: '2 / 4 条回答提到', uncertain: '另有 1 条待您确认', aliases: '也叫Shanlan',
  });
  assert.deepEqual([rival.name, rival.isOpen, rival.detail], ['云栖壶', false, undefined]);
  assert.equal(scope, '提及率和首位提及率的区间针对本问题集，声量份额的区间针对同类问题。');
});

test('an opened brand has its other figures with the answers behind them', () => {
  const { bars, facts } = brandsOf(reportOf()).brands[0].detail;
  assert.deepEqual(bars.map(({ name, rate, range }) => [name, rate, range]), [['首位提及率', '50%', '区间 20%–80%'], ['声量份额', '50%', '区间 40%–60%']]);
  assert.deepEqual(facts.map(({ name, value }) => [name, value]), [['平均位次', '1.8 · 按 2 条回答'], ['平均倒数排名', '0.50'], ['推荐率', '未评估'], ['情感', '未评估']]);
});

test('an unknown figure is a dash, never 0', () => {
  const [own] = brandsOf(reportOf(), 'b').brands;
  assert.deepEqual([own.rate, own.isKnown, own.count], ['–', false, '']);
  assert.deepEqual(own.detail.bars.map(({ rate, range }) => [rate, range]), [['50%', '区间 20%–80%'], ['–', undefined]]);
  assert.match(own.detail.facts[0].value, /^– · 提到的不足 5 条/);
  assert.deepEqual(buildPlatforms(reportOf()).map(({ name, rate, isKnown, count }) => [name, rate, isKnown, count]), [['甲', '50%', true, '2 / 4 条回答提到'], ['乙', '–', false, '没有有效的回答']]);
});

test('the heat map of a brand has levels from 0 to 4, and none without a valid answer', () => {
  const shades = (brand) => buildHeatmap(reportOf(), reportOf().cells, brand).rows.map(({ cells }) => cells.map(({ level, text }) => [level, text]));
  assert.deepEqual(shades('山岚'), [[[1, '1/4'], ['', '–']], [[0, '0/2'], ['', '–']]]);
  assert.deepEqual(shades('云栖壶')[0][0], [3, '3/4']);
});

test('a lost question has the winner and both counts', () => {
  assert.deepEqual(listLostQuestions(reportOf()), [{ key: 'q1', number: 1, text: '一？', counts: '云栖壶领先：3 / 4 条回答提到；本品牌：1 / 4 条回答提到' }]);
});

test('the ways of measuring are apart, and one alone needs no section', () => {
  assert.equal(buildSurfaces(reportOf()), null);
  const surface = (id, mentions) => ({ surface: id, planned: 4, valid: 4, failed: 0, filtered: 0, brands: [{ name: '山岚', is_own: true, figures: figures(mentions, 4) }] });
  const shown = buildSurfaces(reportOf({ surfaces: [surface('memory', 1), surface('search', 3)] }));
  assert.deepEqual(shown.map(({ name, brands }) => [name, brands[0].rate]), [['模型记忆（不联网）', '25%'], ['联网搜索', '75%']]);
});

test('recognition is counted by itself', () => {
  assert.equal(buildRecognition(reportOf()), null);
  const { brands, cells } = reportOf();
  const shown = buildRecognition(reportOf({ recognition: { planned: 4, valid: 4, failed: 0, filtered: 0, brands, cells } }));
  assert.deepEqual(shown.brands.map(({ name, count, sentiment }) => [name, count, sentiment]), [['云栖壶', '3 / 4 条回答提到', '未评估'], ['山岚', '2 / 4 条回答提到', '未评估']]);
});

test('the addresses in the texts have the platforms that name them', () => {
  assert.equal(buildDomains(reportOf()), null);
  const shown = buildDomains(reportOf({ domains: [{ domain: 'a.example', answers: 2 }] }));
  assert.deepEqual(shown, { items: [{ domain: 'a.example', text: '2 条回答 · 甲' }], without: '乙的回答里没有网址。' });
});

test('a quote has its source, and reasons are counted', () => {
  assert.equal(buildQuotes(reportOf(), new Set()), null);
  const report = reportOf();
  const quote = (answer, sentiment) => ({ answer, question: 'q1', platform: 'a', sentiment, text: '很稳', start: 0, end: 2 });
  report.brands[1].sentiment = { judged: 4, positive: 4, neutral: 0, negative: 0, unclear: 0, quotes: ['w', 'x', 'y', 'z'].map((id) => quote(id, 'positive')), praise: [quote('w'), quote('x')], blame: [] };
  const [group] = buildQuotes(report, new Set());
  assert.deepEqual(group.reasons, [{ label: '被称赞', text: '很稳 × 2' }]);
  assert.deepEqual([group.quotes.length, group.more, group.quotes[0].source, group.quotes[0].sentiment], [3, '还有 1 条', '甲 · 问题 1', '正面']);
  assert.equal(buildQuotes(report, new Set(['山岚']))[0].quotes.length, 4);
});

test('sources have their rates of each surface, and a platform that tells none is named', () => {
  const rates = (name, count) => ({ [name]: count, [`${name}_rate`]: count / 4, [`${name}_rate_low`]: 0.1, [`${name}_rate_high`]: 0.9 });
  const host = (name) => ({ host: name, kind: 'media', brand: null, pages: 1, ...rates('cited', 1), ...rates('listed', 2) });
  const platform = (id, tells) => ({ platform: id, answers: 4, tells_sources: tells, tells_citations: tells, tells_queries: false, ...rates('own_site_cited', 1), ...rates('own_site_listed', 2), hosts: [] });
  const surface = {
    surface: 'search', answers: 4, answers_untold: 4, ...rates('own_site_cited', 1), ...rates('own_site_listed', 2), kinds: [], queries: [], gap: { answers: 0, hosts: [] },
    hosts: Array.from({ length: 12 }, (nothing, index) => host(`h${index}.example`)), platforms: [platform('a', true), platform('b', false)], pages: [],
  };
  const { surfaces: [shown], siteHint } = buildSources(reportOf({ sources: [surface] }), { hasSite: false, opened: new Set() });
  assert.deepEqual([shown.hosts.length, shown.more, shown.hosts[0].rate, shown.hosts[0].counts], [10, '再显示 2 个', '25%', '引用 1 · 列出 2 · 共 4 条回答']);
  assert.deepEqual(shown.own.map(({ name, rate }) => [name, rate]), [['引用了官网的回答', '25%'], ['列出了官网的回答', '50%']]);
  assert.deepEqual(shown.platforms.map(({ untold }) => untold), ['不透露搜索词', '']);
  assert.match(shown.platforms[1].text, /^不透露来源，这不等于没有来源/);
  assert.match(siteHint, /^没有填写官网/);
});

test('corrections are shown latest first, with their place', () => {
  const corrections = [{ id: 1, kind: 'alias', brand: '山岚', alias: '岚' }, { id: 2, kind: 'reject', brand: '山岚', answer: 'a1', start: 1, end: 3 }];
  assert.deepEqual(listCorrections(corrections, () => ({ text: '买山岚的壶' })), [{ id: 2, text: '“山岚”：不是这个品牌', excerpt: '…买山岚的壶…' }, { id: 1, text: '“岚”也算“山岚”', excerpt: '' }]);
});

test('a trend says what changed, and a single diagnosis has none', () => {
  const point = (id, rate) => ({ id, created_at: '2026-11-01T00:00:00Z', brands: [{ name: '山岚', is_own: true, rate, low: rate - 0.1, high: rate + 0.1, valid: 10 }] });
  const change = { name: '山岚', is_own: true, difference: 0.24, low: 0.08, high: 0.4, changed: 'up', counted_differently: false, measured_differently: false };
  const trend = { surface: 'memory', surfaces: ['memory'], points: [point('a', 0.3), point('b', 0.54)], changes: [{ before: 'a', after: 'b', brands: [change], breaks: [{ name: '甲', what: 'model', before: ['x'], after: ['y'] }] }] };
  const { summary, steps } = buildTrend(trend, { brand: '', id: 'b' });
  assert.equal(summary, '同样的问题一共诊断过 2 次。 最近一次与上一次相比：▲ 上升 +24 个百分点（区间 +8 至 +40）');
  assert.deepEqual(steps.map(({ id, isCurrent, bar, breaks }) => [id, isCurrent, bar.rate, breaks]), [['b', true, '54%', ['甲：平台回复中的模型 x → y']], ['a', false, '30%', []]]);
  assert.deepEqual(buildTrend({ ...trend, points: trend.points.slice(1), changes: [] }, { brand: '', id: 'b' }).steps, []);
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
  assert.deepEqual([answers.findIndex('q1', 'a'), answers.findIndex('q1', 'b'), answers.findById('a1').index, answers.findById('none').index], [1, undefined, 0, -1]);
});

test('names that do not fit into their line are counted', async () => {
  const long = { ...diagnosis, brands: [{ name: '山岚手作精品咖啡' }, { name: '云栖山房手冲咖啡壶专门店甲' }, { name: '云栖山房手冲咖啡壶专门店乙' }] };
  const items = [answer('a', 1, long.brands.map(({ name }) => certain(name)))];
  global.getApp = () => ({ api: { listAnswers: async () => ({ items, next: null }) } });
  const show = async () => (await createAnswers(long).loadAll())['results[0]'];
  assert.deepEqual(await show(), { state: 'valid', own: '★ 山岚手作精品咖啡', rivals: '◦ 2 个竞品' });
  Object.assign(screen, { windowWidth: 320, fontSizeSetting: 25.5 });
  assert.deepEqual(await show(), { state: 'valid', own: '★', rivals: '◦ 2 个竞品' });
  Object.assign(screen, { windowWidth: 375, fontSizeSetting: 16 });
});
