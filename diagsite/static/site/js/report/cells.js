// Cells of the report's tables: figures with their intervals and the number of answers behind them.

import { _ } from "../common/config.js";
import { h } from "../common/dom.js";
import { interval, number, percent } from "../common/format.js";
import { intervalBar } from "../common/interval_bar.js";
import { sentimentLabels } from "../diagnosis/texts.js";

/** A table cell; on a phone the table becomes a list, and `label` is shown beside the cell. */
export const cell = (label, ...content) => h("td", { role: "cell", "data-label": label }, h("div", { class: "cell" }, content));

export const rate = (text) => h("span", { class: "rate" }, text);

export const remark = (...content) => h("span", { class: "range" }, content);

/** A rate with its interval as text and as a bar; `fallback` replaces a missing interval, a dash a missing rate. */
export function rateParts(value, low, high, fallback = null) {
  if (value === null || value === undefined) return [rate("–")];
  if (low === null || low === undefined) return [rate(percent(value)), fallback && remark(fallback)];
  return [rate(percent(value)), intervalBar(value, low, high), remark(interval(low, high))];
}

/** `12 / 20 条回答提到` */
export const mentionCount = (count, valid) => _("{n} / {valid} 条回答提到", { n: number(count), valid: number(valid) });

export const SENTIMENTS = sentimentLabels();

/** `正面 3`, `中性 1`, or that the sentiment was not judged. */
export function sentimentParts(sentiment) {
  if (!sentiment) return [remark(_("未评估"))];
  const present = Object.keys(SENTIMENTS).filter((name) => sentiment[name]);
  return present.map((name) => h("span", { class: "sentiment" }, `${SENTIMENTS[name]} ${number(sentiment[name])}`));
}

/** The share of the judged answers that recommend a brand, or that none was judged. */
export function recommendationParts(figures) {
  if (!figures.judged) return [remark(_("未评估"))];
  const counts = _("{n} / {judged} 条推荐它", { n: number(figures.recommendations), judged: number(figures.judged) });
  return [
    ...rateParts(figures.recommendation_rate, figures.recommendation_rate_low, figures.recommendation_rate_high),
    remark(counts),
    figures.advised_against > 0 && remark(_("{n} 条劝人不选", { n: number(figures.advised_against) })),
  ];
}

/** What an interval generalises to. */
export const scopeLabel = (scope, report) => report.method.scope[scope];
