/** The report as the page draws it: one sentence, bars with how sure they are, and lists. */
'use strict';

const { listed, number, percent } = require('../../presentation/format');
const { _ } = require('../../presentation/words');

const LEVELS = 4;
const MOST_QUOTES = 5;

/** @type {(brand: any, platform: string) => any} an empty platform is all of them */
const figuresOf = (brand, platform) => (platform ? brand.by_platform[platform] : brand.figures) || {};

/** @param {any} report */
const ownOf = (report) => report.brands.find((/** @type {any} */ brand) => brand.is_own);

/** @type {(value: any) => boolean} */
const isMissing = (value) => value === null || value === undefined;

/** @type {(a: any, b: any) => boolean} */
const overlaps = (a, b) => a.mention_rate_low <= b.mention_rate_high && b.mention_rate_low <= a.mention_rate_high;

/** @type {(own: any, rivals: any[]) => string} */
function comparison(own, rivals) {
  const rate = own.figures.mention_rate;
  const best = Math.max(...rivals.map((rival) => rival.figures.mention_rate));
  const leaders = rivals.filter((rival) => rival.figures.mention_rate === best);
  const values = { rivals: listed(leaders.map((rival) => rival.name)), rate: percent(best) };
  if (best === 0 && rate > 0) return _('竞品都没有被提到');
  if (rate === best) return _('与{rivals}持平', values);
  if (leaders.some((rival) => overlaps(own.figures, rival.figures))) {
    return rate > best
      ? _('略高于{rivals}（{rate}），但样本还不足以分出高下', values)
      : _('略低于{rivals}（{rate}），但样本还不足以分出高下', values);
  }
  return rate > best ? _('明显高于{rivals}（{rate}）', values) : _('明显低于{rivals}（{rate}）', values);
}

/** The report in one sentence. @param {any} report */
function headline(report) {
  const own = ownOf(report);
  const rivals = report.brands.filter((/** @type {any} */ brand) => !brand.is_own);
  if (!own.figures.valid && report.recognition && report.recognition.planned === report.planned) {
    return _('每个问题都写了品牌名，测不出提及率。');
  }
  if (!own.figures.valid) return _('这一次没有得到可用的回答，还不能下结论。');
  const values = { brand: own.name, rate: percent(own.figures.mention_rate), valid: number(own.figures.valid) };
  if (!own.figures.mentions && !rivals.some((/** @type {any} */ rival) => rival.figures.mentions)) {
    return _('{valid} 条有效回答里，没有一条提到“{brand}”，也没有提到竞品。', values);
  }
  if (!rivals.length) return _('“{brand}”出现在 {rate} 的 AI 回答里。', values);
  return _('“{brand}”出现在 {rate} 的 AI 回答里，{comparison}。', Object.assign({ comparison: comparison(own, rivals) }, values));
}

/** `18 / 20 有效 · 1 条失败 · 1 条被过滤`. @param {any} counts */
function coverage({ valid, planned, failed, filtered }) {
  const parts = [_('{valid} / {planned} 有效', { valid: number(valid), planned: number(planned) })];
  if (failed) parts.push(_('{n} 条失败', { n: number(failed) }));
  if (filtered) parts.push(_('{n} 条被过滤', { n: number(filtered) }));
  return parts.join(' · ');
}

/** What only the user can say, and no rate counts. @param {any} report */
function doubts(report) {
  const sum = report.brands.reduce((/** @type {number} */ all, /** @type {any} */ brand) => all + brand.figures.uncertain, 0);
  return sum ? _('{n} 处可能是品牌名，也可能是普通词，没有计入。点开回答里的虚线标记可以确认。', { n: number(sum) }) : '';
}

/** @param {number} rate  in hundredths, for a width */
const width = (rate) => Math.round(rate * 10000) / 100;

/** @type {(low: any, high: any) => string} */
const range = (low, high) => (isMissing(low) ? '' : _('区间 {low}–{high}', { low: percent(low), high: percent(high) }));

/** @type {(n: number, valid: number) => string} */
const outOf = (n, valid) => _('{n} / {valid} 条回答', { n: number(n), valid: number(valid) });

/** One bar with its whiskers, of the rates whose names begin with `name`. @type {(f: any, name: string, more: any) => any} */
function bar(f, name, more) {
  const [rate, low, high] = [f[name], f[`${name}_low`], f[`${name}_high`]];
  const known = isMissing(rate) ? {} : { isKnown: true, value: width(rate), low: width(low), span: width(high - low), range: range(low, high) };
  return Object.assign({ rate: percent(rate), isKnown: false }, known, more);
}

/** `1.8（12 条）`: of how many answers it is the mean is part of it. @param {any} f */
function position(f) {
  return isMissing(f.mean_position) ? '–' : _('{position}（{n} 条）', { position: f.mean_position.toFixed(1), n: number(f.mentions) });
}

/** @type {(list: any[] | null | undefined) => any[]} */
const counted = (list) => (list || []).map((one) => ({ name: one.name || one.domain, count: number(one.answers) }));

/** What depends on the platform that is looked at; with an empty id, on all. @type {(report: any, platform: string) => any} */
function charts(report, platform) {
  const rateOf = (/** @type {any} */ brand) => (isMissing(figuresOf(brand, platform).mention_rate) ? -1 : figuresOf(brand, platform).mention_rate);
  const brands = report.brands.slice().sort((/** @type {any} */ a, /** @type {any} */ b) => Number(b.is_own) - Number(a.is_own) || rateOf(b) - rateOf(a));
  const rows = brands.map((/** @type {any} */ brand) => ({ f: figuresOf(brand, platform), who: { name: brand.name, isOwn: brand.is_own } }));
  const { scope, voice_scope: voiceScope } = rows[0].f;
  const scopes = report.method.scope;
  return {
    mention: rows.map(({ f, who }) => bar(f, 'mention_rate', Object.assign({ count: f.valid ? outOf(f.mentions, f.valid) : '' }, who))),
    first: rows.map(({ f, who }) => bar(f, 'first_mention_rate', who)),
    voice: rows.map(({ f, who }) => Object.assign({
      rate: percent(f.share_of_voice), value: width(f.share_of_voice || 0), range: range(f.share_of_voice_low, f.share_of_voice_high), position: position(f),
    }, who)),
    scope: scopes[scope] || '',
    voiceScope: scopes[voiceScope] || '',
    domains: counted(platform ? report.domains_by_platform[platform] : report.domains),
  };
}

/** The own brand on each platform. @param {any} report */
function byPlatform(report) {
  if (report.platforms.length < 2) return [];
  return report.platforms.map((/** @type {any} */ { id, name }) => {
    const f = figuresOf(ownOf(report), id);
    return bar(f, 'mention_rate', { name, isOwn: true, count: f.valid ? outOf(f.mentions, f.valid) : '' });
  });
}

/** Question x platform: how often the own brand is named, with a shade from 0 to 4; none where no answer is valid. @param {any} report */
function heat(report) {
  const own = ownOf(report).name;
  /** @type {{[place: string]: any}} */
  const cells = {};
  report.cells.forEach((/** @type {any} */ cell) => { cells[`${cell.question}/${cell.platform}`] = cell; });
  return report.questions.map((/** @type {any} */ question) => ({
    key: question.id,
    cells: report.platforms.map((/** @type {any} */ platform) => {
      const { valid, mentions } = cells[`${question.id}/${platform.id}`] || { valid: 0 };
      if (!valid) return { id: platform.id, level: '', text: '–' };
      return { id: platform.id, level: Math.ceil((mentions[own] / valid) * LEVELS), text: `${mentions[own]}/${valid}` };
    }),
  }));
}

/** Where competitors are named more often, and which. @param {any} report */
function lost(report) {
  const own = ownOf(report).name;
  return report.lost.map((/** @type {any} */ one) => {
    const at = report.questions.findIndex((/** @type {any} */ { id }) => id === one.question);
    const count = (/** @type {string} */ name, /** @type {number} */ n) => `${name} ${n} / ${one.valid}`;
    return { key: one.question, number: at + 1, text: report.questions[at].text, own: count(own, one.mentions), winners: count(listed(one.winners), one.winners_mentions) };
  });
}

/** How the answers speak of each brand, and in which words of the own; no brands where nobody has judged. @param {any} report */
function feelings(report) {
  const names = { positive: _('正面'), neutral: _('中性'), negative: _('负面'), unclear: _('不明确') };
  const kinds = Object.keys(names);
  const platformName = (/** @type {string} */ id) => report.platforms.find((/** @type {any} */ one) => one.id === id).name;
  const own = ownOf(report).sentiment;
  return {
    brands: !report.judged ? [] : report.brands.map((/** @type {any} */ { name, sentiment }) => ({
      name, text: sentiment ? kinds.map((kind) => `${names[kind]} ${number(sentiment[kind])}`).join(' · ') : _('未评估'),
    })),
    quotes: (own ? own.quotes : []).slice(0, MOST_QUOTES).map((/** @type {any} */ { answer, question, platform, sentiment, text }) => (
      { key: `${answer}/${text}`, answer, question, platform, text, about: `${names[sentiment]} · ${platformName(platform)}` }
    )),
  };
}

module.exports = { headline, coverage, doubts, charts, byPlatform, heat, lost, feelings, counted };
