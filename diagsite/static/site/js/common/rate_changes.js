// A change of a rate in words and signs: only where its interval leaves 0 out, else "no significant change".

import { config, _ } from "./config.js";
import { h } from "./dom.js";
import { percent } from "./format.js";

const signed = new Intl.NumberFormat(config.language || "zh-Hans", { maximumFractionDigits: 0, signDisplay: "exceptZero" });

const points = (difference) => signed.format(difference * 100);

const NAMES = { up: _("上升"), down: _("下降"), none: _("无显著变化") };
const SIGNS = { up: "▲", down: "▼", none: "＝" };

/** `▲ 上升`: the sign and the word tell it, not the colour alone. */
export function changeChip({ changed }) {
  return h("span", { class: "chip change", "data-changed": changed }, h("span", { "aria-hidden": "true" }, SIGNS[changed]), ` ${NAMES[changed]}`);
}

/** How much, and how sure: `+24 个百分点（区间 +8 至 +40）`. */
export function changeWords({ difference, low, high }) {
  if (difference === null) return _("没有共同的有效回答，无法比较");
  return _("{d} 个百分点（区间 {low} 至 {high}）", { d: points(difference), low: points(low), high: points(high) });
}

/** `12% → 36%` on what both diagnoses asked. */
export function changeRates({ before, after }) {
  return `${percent(before)} → ${percent(after)}`;
}
