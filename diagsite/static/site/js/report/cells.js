// Cells of the report's tables: a figure, how sure it is, and out of how many answers.

import { _ } from "../common/config.js";
import { h } from "../common/dom.js";
import { number, percent } from "../common/format.js";
import { intervalBar } from "../common/interval_bar.js";

/** A cell of a table that becomes a list on a phone, where `label` stands beside it. */
export const cell = (label, ...content) => h("td", { role: "cell", "data-label": label }, h("div", { class: "cell" }, content));

export const rate = (text) => h("span", { class: "rate" }, text);

export const remark = (...content) => h("span", { class: "range" }, content);

/** A rate with its interval, drawn and told; a dash where nothing is known. */
export function rateParts(value, low, high, without = null) {
  if (value === null || value === undefined) return [rate("–")];
  if (low === null || low === undefined) return [rate(percent(value)), without && remark(without)];
  const range = _("区间 {low}–{high}", { low: percent(low), high: percent(high) });
  return [rate(percent(value)), intervalBar(value, low, high), remark(range)];
}

/** `12 / 20 条回答提到` */
export const outOf = (count, valid) => _("{n} / {valid} 条回答提到", { n: number(count), valid: number(valid) });

const SENTIMENTS = { positive: _("正面"), neutral: _("中性"), negative: _("负面"), unclear: _("不明确") };

export const sentimentName = (sentiment) => SENTIMENTS[sentiment];

/** `正面 3`, `中性 1`, or that nobody has judged it. */
export function sentimentParts(sentiment) {
  if (!sentiment) return [remark(_("未评估"))];
  const told = Object.keys(SENTIMENTS).filter((name) => sentiment[name]);
  return told.map((name) => h("span", { class: "sentiment" }, `${SENTIMENTS[name]} ${number(sentiment[name])}`));
}

/** For whom an interval holds. */
export const scopeName = (scope, report) => report.method.scope[scope];
