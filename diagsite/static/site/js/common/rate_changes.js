// The change of a rate between two diagnoses: significant only when its interval excludes 0.

import { config, _ } from "./config.js";
import { h } from "./dom.js";
import { percent } from "./format.js";

const signedNumbers = new Intl.NumberFormat(config.language, { maximumFractionDigits: 0, signDisplay: "exceptZero" });

const toPoints = (difference) => signedNumbers.format(difference * 100);

const LABELS = { up: _("上升"), down: _("下降"), none: _("无显著变化") };
const SIGNS = { up: "▲", down: "▼", none: "＝" };

/** `▲ 上升`: the sign and the label say it, not the colour alone. */
export function changeChip({ changed, counted_differently: isBreak }) {
  if (isBreak) return h("span", { class: "chip change", "data-changed": "none" }, _("口径不同"));
  return h("span", { class: "chip change", "data-changed": changed }, h("span", { "aria-hidden": "true" }, SIGNS[changed]), ` ${LABELS[changed]}`);
}

/** `+24 个百分点（区间 +8 至 +40）` */
export function changeText({ difference, low, high, counted_differently: isBreak }) {
  if (isBreak) return _("两次的别名、更正或评估不同，不能直接比较");
  if (difference === null) return _("没有共同的有效回答，无法比较");
  return _("{d} 个百分点（区间 {low} 至 {high}）", { d: toPoints(difference), low: toPoints(low), high: toPoints(high) });
}

/** `12% → 36%`, over the questions and platforms that both diagnoses have. */
export function ratesText({ before, after }) {
  return `${percent(before)} → ${percent(after)}`;
}
