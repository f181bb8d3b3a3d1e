/** The overview of a brand, as the API returns it, as data of the page. */
'use strict';

const { dateTime } = require('../../presentation/dates');
const { bar, breakTexts, changeText, isMissing, mentionCount } = require('../../presentation/figures');
const { interval, number, percent, surfaceLabel } = require('../../presentation/format');
const { _ } = require('../../presentation/i18n');

/** @type {(headline: any) => string} */
function headlineText({ kind, since, changes }) {
  const date = since ? dateTime(since) : '';
  if (kind === 'empty') return _('还没有诊断');
  if (kind === 'first') return _('第一次诊断已完成，从第二次起能看到变化');
  if (kind === 'not_comparable') return _('与 {date} 那次没有可比的回答', { date });
  if (kind === 'unchanged') return _('与 {date} 相比没有显著变化', { date });
  return changes.map((/** @type {any} */ { name, before, after }) => `${name} ${percent(before)} → ${percent(after)}`).join('；');
}

/** What has to be known beside the headline. @type {(overview: any) => string[]} */
function listNotes({ headline, latest, recount, running }) {
  const notes = headline.changes.map((/** @type {any} */ change) => `${change.name}：${changeText(change)}`).concat(breakTexts(headline.breaks));
  if (latest && latest.is_partial) {
    notes.push(_('最近一次有回答缺失：{valid} / {planned} 有效', { valid: number(latest.valid), planned: number(latest.planned) }));
  }
  if (recount.total > recount.done) {
    notes.push(_('名称改过，正在按新名称重算：{done} / {total} 次', { done: number(recount.done), total: number(recount.total) }));
  }
  if (running) notes.push(_('{n} 个诊断正在进行', { n: number(running) }));
  return notes;
}

/** @param {any} tile */
function describeTile({ name, k, n, value, low, high, previous, changed }) {
  /** @type {{[name: string]: string}} */
  const labels = {
    mention_rate: _('提及率'),
    first_mention_rate: _('首位提及率'),
    share_of_voice: _('声量份额'),
    recommendation_rate: _('推荐率'),
    own_site_rate: _('引用官网的回答'),
  };
  /** @type {{[changed: string]: string}} */
  const changes = { up: _('显著上升'), down: _('显著下降'), none: _('无显著变化') };
  const before = isMissing(previous) ? '' : _('上次 {rate}', { rate: percent(previous) });
  return {
    name,
    label: labels[name],
    rate: percent(value),
    range: isMissing(low) || isMissing(high) ? '' : interval(low, high),
    counts: isMissing(n) ? '' : _('{k} / {n} 条回答', { k: number(k), n: number(n) }),
    change: [before, changes[changed]].filter(Boolean).join(' · '),
  };
}

/** @type {(platform: any, isMixed: boolean) => any} */
const describePlatform = ({ id, name, surface, k, n, rate, low, high }, isMixed) => bar(
  { r: rate, r_low: low, r_high: high }, 'r',
  { key: `${id} ${surface}`, name, surface: isMixed ? surfaceLabel(surface) : '', isOwn: true, count: mentionCount(k, n) },
);

/** What a finding is about. @type {(action: any, platforms: any[]) => string} */
function actionText({ kind, details }, platforms) {
  const found = platforms.find(({ id }) => id === details.platform);
  const platform = found ? found.name : details.platform;
  switch (kind) {
    case 'drop': return _('提及率从 {before} 降到 {after}', { before: percent(details.before), after: percent(details.after) });
    case 'lost_question': return _('两次都输给 {rival}：{question}', { rival: details.rival, question: details.text });
    case 'weak_platform': return _('在 {platform} 上明显比其他平台弱', { platform });
    case 'source_gap': return _('只提竞品的回答引用了 {host}', { host: details.host });
    case 'blame': return _('{platform} 的回答批评了它', { platform });
    case 'new_rival': return _('出现了新的竞品 {name}', { name: details.name });
    default: return _('一次定期诊断被跳过');
  }
}

/** @type {(action: any, platforms: any[]) => any} */
const describeAction = (action, platforms) => ({
  id: action.id,
  diagnosis: action.diagnosis || '',
  text: actionText(action, platforms),
  evidence: _('依据 {n} 条回答', { n: number(action.count) }),
  unseen: action.seen_in_last_run === false ? _('最近一次没有再出现') : '',
});

/** @param {any} panel */
function panelLabel({ name, runs, last_run_at: lastRun }) {
  const counts = _('{n} 次诊断，最近 {date}', { n: number(runs), date: dateTime(lastRun) });
  return name ? `${name}（${counts}）` : counts;
}

/** @type {(overview: any, workspaces: any[]) => any} */
function buildOverview(overview, workspaces) {
  const { workspace, panels, panel, surface, surfaces, latest, tiles, platforms, actions, schedules } = overview;
  const isMixed = surfaces.length > 1;
  return {
    workspaces: workspaces.length > 1 ? workspaces.map(({ id, name }) => ({ id, name })) : [],
    workspace: { id: workspace.id, name: workspace.name, isDemo: workspace.demo, canEdit: workspace.role !== 'viewer', isOwner: workspace.role === 'owner' },
    panels: panels.length > 1 ? panels.map((/** @type {any} */ one) => ({ id: one.key, name: panelLabel(one) })) : [],
    panel,
    surfaces: isMixed ? surfaces.map((/** @type {string} */ id) => ({ id, name: surfaceLabel(id) })) : [],
    surface: surface || '',
    latest: latest ? latest.id : '',
    headline: headlineText(overview.headline),
    notes: listNotes(overview),
    tiles: tiles.map(describeTile),
    platforms: platforms.map((/** @type {any} */ platform) => describePlatform(platform, isMixed)),
    actions: actions.map((/** @type {any} */ action) => describeAction(action, platforms)),
    nextRuns: schedules.map((/** @type {any} */ { id, is_paused: isPaused, next_at: nextAt }) => ({ id, text: isPaused ? _('已暂停') : dateTime(nextAt) })),
  };
}

module.exports = { buildOverview };
