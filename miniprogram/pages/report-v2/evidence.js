/** The data of the sections that show what is behind the figures: quotes, sources, addresses, corrections, failures, method. */
'use strict';

const { sentimentLabels } = require('./stream/diagnosisText');
const { dateTime } = require('../../presentation/dates');
const { bar } = require('../../presentation/figures');
const { interval, joinNames, number, percent, surfaceLabel } = require('../../presentation/format');
const { _ } = require('../../presentation/i18n');
const { answerCount, createNames, siteKindLabel } = require('./figures');

const MAX_QUOTES = 3;
const MAX_REASONS = 8;
const MAX_HOSTS = 10;
const CONTEXT_LENGTH = 12; // characters of the answer on each side of a mention

/** What answers praise or blame a brand for, verbatim, the most frequent first. @type {(brands: any[], kind: string) => string} */
function joinReasons(brands, kind) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  brands.forEach(({ sentiment }) => sentiment[kind].forEach((/** @type {any} */ { text }) => counts.set(text, (counts.get(text) || 0) + 1)));
  return Array.from(counts).sort((a, b) => b[1] - a[1]).slice(0, MAX_REASONS)
    .map(([text, count]) => (count > 1 ? `${text} × ${number(count)}` : text)).join(' · ');
}

/** Quotes about each brand; `opened` has the brands of which all are shown. @type {(report: any, opened: Set<string>) => any} */
function buildQuotes(report, opened) {
  const labels = sentimentLabels();
  const names = createNames(report);
  const judged = report.brands.concat(report.recognition ? report.recognition.brands : []).filter((/** @type {any} */ { sentiment }) => sentiment);
  const groups = report.brands.map(({ name, is_own: isOwn }) => {
    const brands = judged.filter((/** @type {any} */ brand) => brand.name === name);
    const quotes = brands.reduce((/** @type {any[]} */ all, /** @type {any} */ { sentiment }) => all.concat(sentiment.quotes), []);
    const shown = opened.has(name) ? quotes : quotes.slice(0, MAX_QUOTES);
    const reasons = [[_('被称赞'), joinReasons(brands, 'praise')], [_('被批评'), joinReasons(brands, 'blame')]];
    return {
      name,
      isOwn,
      reasons: reasons.filter(([, text]) => text).map(([label, text]) => ({ label, text })),
      quotes: shown.map(({ answer, question, platform, sentiment, text }) => (
        { key: `${answer}/${text}`, answer, question, platform, text, sentiment: labels[sentiment], source: names.place(platform, question) }
      )),
      more: quotes.length > shown.length ? _('还有 {n} 条', { n: number(quotes.length - shown.length) }) : '',
    };
  }).filter(({ quotes }) => quotes.length);
  return groups.length ? groups : null;
}

/** @type {(host: any, share: string, total: number) => any} */
function buildHost(host, share, total) {
  const kind = siteKindLabel(host.kind);
  const [rate, low, high] = [host[`${share}_rate`], host[`${share}_rate_low`], host[`${share}_rate_high`]];
  return {
    host: host.host,
    kind: host.brand && host.kind !== 'own' ? `${kind} · ${host.brand}` : kind,
    isOwn: host.kind === 'own',
    rate: percent(rate),
    range: rate === null || low === null ? '' : interval(low, high),
    counts: _('引用 {cited} · 列出 {listed} · 共 {n} 条回答', { cited: number(host.cited), listed: number(host.listed), n: number(total) }),
  };
}

/** What each platform tells; one that tells nothing is not one that uses nothing. @type {(platform: any, names: any) => any} */
function buildSourcePlatform(platform, names) {
  const missing = [!platform.tells_citations && _('哪些被引用'), !platform.tells_queries && _('搜索词')].filter(Boolean);
  const own = _('引用官网 {cited}，列出官网 {listed}', {
    cited: answerCount(platform.own_site_cited, platform.answers), listed: answerCount(platform.own_site_listed, platform.answers),
  });
  return {
    id: platform.platform,
    name: names.platform(platform.platform),
    text: platform.tells_sources ? own : _('不透露来源，这不等于没有来源；{n} 条回答不计入上面的比例', { n: number(platform.answers) }),
    untold: platform.tells_sources && missing.length ? _('不透露{what}', { what: joinNames(missing) }) : '',
  };
}

/** @type {(surface: any, names: any, isOpen: boolean) => any} */
function buildSurfaceSources(surface, names, isOpen) {
  const { surface: id, answers, answers_untold: untold, gap } = surface;
  const base = { id, name: surfaceLabel(id), platforms: surface.platforms.map((/** @type {any} */ platform) => buildSourcePlatform(platform, names)) };
  if (!answers) return Object.assign(base, { empty: untold ? _('这些平台都不透露来源。') : _('没有联网成功的有效回答，所以没有来源。') });
  // Without a platform that marks its citations, nothing is cited: the figures then are of what is listed.
  const share = surface.hosts.some((/** @type {any} */ { cited }) => cited > 0) ? 'cited' : 'listed';
  const limit = (/** @type {any[]} */ hosts) => (isOpen ? hosts : hosts.slice(0, MAX_HOSTS));
  const hidden = Math.max(0, surface.hosts.length - MAX_HOSTS) + Math.max(0, gap.hosts.length - MAX_HOSTS);
  return Object.assign(base, {
    empty: '',
    own: [
      bar(surface, 'own_site_cited_rate', { name: _('引用了官网的回答'), isOwn: true, count: answerCount(surface.own_site_cited, answers) }),
      bar(surface, 'own_site_listed_rate', { name: _('列出了官网的回答'), isOwn: true, count: answerCount(surface.own_site_listed, answers) }),
    ],
    drawn: share === 'cited' ? _('比例是引用它的回答。') : _('比例是列出它的回答。'),
    hosts: limit(surface.hosts).map((/** @type {any} */ host) => buildHost(host, share, answers)),
    kinds: surface.kinds.map((/** @type {any} */ { kind, cited, listed }) => ({
      name: siteKindLabel(kind), counts: _('引用 {cited} · 列出 {listed} · 共 {n} 条回答', { cited: number(cited), listed: number(listed), n: number(answers) }),
    })),
    gapText: gap.answers
      ? _('{n} 条回答提到了竞品，没有提到本品牌。下面是这些回答的来源；网页本身写没写本品牌，这里并不知道。', { n: number(gap.answers) })
      : _('没有只提到竞品、没提到本品牌的回答。'),
    gapHosts: limit(gap.hosts).map((/** @type {any} */ host) => buildHost(host, share, gap.answers)),
    queries: surface.queries.map((/** @type {any} */ query) => ({ text: query.text, count: _('{n} 条回答', { n: number(query.answers) }) })),
    more: hidden && !isOpen ? _('再显示 {n} 个', { n: number(hidden) }) : '',
  });
}

/** Where the answers come from, each way of measuring by itself. @type {(report: any, context: {hasSite: boolean, opened: Set<string>}) => any} */
function buildSources(report, { hasSite, opened }) {
  if (!report.sources.length) return null;
  const names = createNames(report);
  return {
    siteHint: hasSite ? '' : _('没有填写官网，只能按域名里的品牌名辨认。填写官网后再诊断一次，数字更可靠。'),
    surfaces: report.sources.map((/** @type {any} */ surface) => buildSurfaceSources(surface, names, opened.has(surface.surface))),
  };
}

/** The pages of one host with the answers that use each. @type {(items: any[], report: any) => any[]} */
function buildSourcePages(items, report) {
  const names = createNames(report);
  const labels = new Map([['yes', _('引用')], ['no', _('列出')], ['unknown', _('列出，是否引用未知')]]);
  return items.map((page) => ({
    page: page.page,
    title: page.title || page.page,
    counts: _('引用 {cited} · 列出 {listed}', { cited: number(page.cited), listed: number(page.listed) }),
    uses: page.answers.map((/** @type {any} */ use) => ({
      key: use.answer, answer: use.answer, question: use.question, platform: use.platform, place: names.place(use.platform, use.question), cited: labels.get(use.cited),
    })),
  }));
}

/** The hosts of addresses in the texts, which say nothing about sources. @param {any} report */
function buildDomains(report) {
  if (!report.domains || !report.domains.length) return null;
  const names = createNames(report);
  const platforms = Object.keys(report.domains_by_platform);
  const hasDomain = (/** @type {string} */ platform, /** @type {string} */ domain) => (
    (report.domains_by_platform[platform] || []).some((/** @type {any} */ one) => one.domain === domain)
  );
  const without = platforms.filter((platform) => !report.domains_by_platform[platform]).map(names.platform);
  return {
    items: report.domains.map((/** @type {any} */ { domain, answers }) => ({
      domain,
      text: _('{n} 条回答 · {platforms}', { n: number(answers), platforms: joinNames(platforms.filter((platform) => hasDomain(platform, domain)).map(names.platform)) }),
    })),
    without: without.length ? _('{platforms}的回答里没有网址。', { platforms: joinNames(without) }) : '',
  };
}

/** Other brands in the answers, which a tap adds to this report. @param {any} report */
function listOtherBrands(report) {
  if (!report.others.length) return null;
  return report.others.map((/** @type {any} */ { name, answers, is_guess: isGuess }) => (
    { name, label: isGuess ? _('{name}（推测）', { name }) : name, count: _('{n} 条', { n: number(answers) }) }
  ));
}

/** @param {any} report */
function listFailures(report) {
  if (!report.failures.length) return null;
  const names = createNames(report);
  return report.failures.map((/** @type {any} */ { platform, code, title, suggestion, count }) => (
    { key: `${platform}/${code}`, platform: names.platform(platform), title, suggestion, count: _('{n} 条', { n: number(count) }) }
  ));
}

/** @param {any} report */
function buildMethod(report) {
  const { method } = report;
  const { first_answer_at: first, last_answer_at: last } = method;
  const models = (/** @type {any} */ platform) => (method.models_by_platform[platform.id] || []).join('、') || platform.model;
  const times = first ? `${dateTime(first)} – ${dateTime(last)}` : _('没有得到回答');
  return [
    { name: _('来源'), lines: report.platforms.map((/** @type {any} */ platform) => `${platform.name}: ${method.surface_labels[platform.id] || ''}`) },
    { name: _('回答的时间'), lines: [times] },
    { name: _('模型'), lines: report.platforms.map((/** @type {any} */ platform) => `${platform.name}: ${models(platform)}`) },
    { name: _('参数'), lines: [_('只发送问题本身，没有系统提示和上下文；温度等用平台的默认值。')] },
    { name: _('规模'), lines: [_('{q} 个问题 × {p} 个平台 × {r} 次', { q: number(report.questions.length), p: number(report.platforms.length), r: number(method.repeats) })] },
    { name: _('内容标识'), lines: [report.ai_label] },
  ];
}

/** The corrections, the latest first, each with its place if the answer is loaded. @type {(corrections: any[], getAnswer: (id: string) => any) => any} */
function listCorrections(corrections, getAnswer) {
  if (!corrections.length) return null;
  /** @type {{[kind: string]: string}} */
  const verdicts = { confirm: _('是这个品牌'), reject: _('不是这个品牌') };
  return corrections.slice().reverse().map(({ id, kind, brand, alias, answer, start, end }) => {
    if (kind === 'alias') return { id, text: _('“{alias}”也算“{brand}”', { alias, brand }), excerpt: '' };
    const points = Array.from((getAnswer(answer) || { text: '' }).text);
    const excerpt = points.slice(Math.max(0, start - CONTEXT_LENGTH), end + CONTEXT_LENGTH).join('');
    return { id, text: _('“{brand}”：{verdict}', { brand, verdict: verdicts[kind] }), excerpt: excerpt && `…${excerpt}…` };
  });
}

module.exports = { buildDomains, buildMethod, buildQuotes, buildSourcePages, buildSources, listCorrections, listFailures, listOtherBrands };
