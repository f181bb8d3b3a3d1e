// Words for the tiles and actions of a workspace.

import { _ } from "../common/config.js";
import { number, percent } from "../common/format.js";

const TILES = {
  mention_rate: _("提及率"),
  first_mention_rate: _("首位提及率"),
  share_of_voice: _("声量份额"),
  recommendation_rate: _("推荐率"),
  own_site_rate: _("引用官网的回答"),
};
const CHANGES = { up: _("显著上升"), down: _("显著下降"), none: _("无显著变化") };

/** The label of a tile, k of n, and what it was before. */
export function describeTile({ name, k, n, previous, changed }) {
  const before = previous === null ? null : _("上次 {rate}", { rate: percent(previous) });
  return {
    label: TILES[name],
    counts: n === null ? null : _("{k} / {n} 条回答", { k: number(k), n: number(n) }),
    change: [before, changed && CHANGES[changed]].filter(Boolean).join(" · ") || null,
  };
}

export const ACTION_STATES = { open: _("待处理"), taken: _("处理中"), done: _("已完成"), dismissed: _("已忽略") };

const ACTIONS = {
  drop: ({ details }) => _("提及率从 {before} 降到 {after}", { before: percent(details.before), after: percent(details.after) }),
  lost_question: ({ details }) => _("两次都输给 {rival}：{question}", { rival: details.rival, question: details.text }),
  weak_platform: ({ details }, platforms) => _("在 {platform} 上明显比其他平台弱", { platform: platforms.get(details.platform) || details.platform }),
  source_gap: ({ details }) => _("只提竞品的回答引用了 {host}", { host: details.host }),
  blame: ({ details }, platforms) => _("{platform} 的回答批评了它", { platform: platforms.get(details.platform) || details.platform }),
  new_rival: ({ details }) => _("出现了新的竞品 {name}", { name: details.name }),
  skipped_run: () => _("一次定期诊断被跳过"),
};

/** What an action is about, and how many answers are behind it. */
export function describeAction(action, { platforms }) {
  const names = new Map(platforms.map(({ id, name }) => [id, name]));
  return { text: ACTIONS[action.kind](action, names), evidence: _("依据 {n} 条回答", { n: number(action.count) }) };
}
