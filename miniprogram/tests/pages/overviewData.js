'use strict';

/** The overview of a brand with everything in it: long names, changes, all kinds of findings. */

const BRAND = '山岚手作精品咖啡器具旗舰店';
const RIVAL = '云栖山房手冲咖啡壶专门店甲';
const ID = '00000000-0000-4000-8000-0000000000';
const SINCE = '2026-11-24T08:00:00Z';
const SURFACES = ['memory', 'search'];

const rate = (k, n) => ({ k, n, low: Math.max(0, k / n - 0.12), high: Math.min(1, k / n + 0.12) });
const tile = (name, k, n, previous, changed = null) => ({ name, ...rate(k, n), value: k / n, previous, changed });
const action = (number, kind, details, seen = true) => ({
  id: `${ID}${number}`, kind, subject: kind, state: 'open', count: 12, answers: [], details, diagnosis: kind === 'skipped_run' ? null : `${ID}01`,
  seen_in_last_run: seen, assignee: null, note: '', created_at: SINCE, seen_at: SINCE, reopened_at: null, rule_version: 1,
});

function buildRichOverview() {
  const latest = { id: `${ID}01`, status: 'partial', created_at: SINCE, planned: 120, valid: 97, is_partial: true };
  return {
    workspace: { id: `${ID}00`, name: BRAND, demo: true, role: 'owner', names_version: 3, created_at: SINCE },
    panel: 'a',
    panels: [{ key: 'a', name: '每周一问的二十个问题', runs: 12, running: 1, last_run_at: SINCE }, { key: 'b', name: '', runs: 1, running: 0, last_run_at: SINCE }],
    surface: 'search',
    surfaces: SURFACES,
    running: 1,
    recount: { done: 12, total: 40 },
    headline: {
      kind: 'changed',
      surface: 'search',
      since: SINCE,
      changes: [BRAND, RIVAL].map((name, index) => ({
        name, is_own: !index, changed: index ? 'up' : 'down', before: 0.4, after: 0.18, difference: -0.22, low: -0.34, high: -0.08, cells: 20, counted_differently: false, measured_differently: false,
      })),
      breaks: [{ name: 'DeepSeek', what: 'model', before: ['deepseek-v3.1-terminus'], after: ['deepseek-v3.2-exp'] }, { name: '豆包', what: 'parameters', before: [], after: [] }],
    },
    latest,
    tiles: [tile('mention_rate', 18, 97, 0.4, 'down'), tile('first_mention_rate', 7, 97, 0.2), tile('share_of_voice', 18, 140, 0.3), { ...tile('recommendation_rate', 1, 1, null), k: null, n: null, value: null, low: null, high: null }, tile('own_site_rate', 3, 60, 0.05)],
    trend: [],
    platforms: ['DeepSeek', '豆包', '腾讯元宝（混元）联网搜索版', '通义千问'].map((name, index) => ({ id: `p${index}`, name, surface: SURFACES[index % 2], models: ['m'], ...rate(4 + index, 24), rate: (4 + index) / 24, previous: null })),
    lost: [],
    actions: [
      action(11, 'drop', { before: 0.4, after: 0.18 }),
      action(12, 'lost_question', { rival: RIVAL, text: '第一次买手冲咖啡壶的新手，预算三百元左右，选哪个牌子不容易踩坑？' }, false),
      action(13, 'weak_platform', { platform: 'p2' }),
      action(14, 'source_gap', { host: 'a-very-long-subdomain-of-a-magazine.coffee-equipment.example' }),
      action(15, 'skipped_run', {}),
    ],
    schedules: [{ id: `${ID}21`, next_at: SINCE, zone: 'Asia/Shanghai', is_paused: false, skipped_at: null, skip_reason: '' }, { id: `${ID}22`, next_at: SINCE, zone: 'Asia/Shanghai', is_paused: true, skipped_at: null, skip_reason: '' }],
  };
}

module.exports = { buildRichOverview };
