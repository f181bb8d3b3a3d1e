// The comparison of two diagnoses: the changes over what both asked, its platforms, questions and answers, and the rest.

import { getComparison } from "../common/api.js";
import { _, diagnosisUrl } from "../common/config.js";
import { byId, h, setText } from "../common/dom.js";
import { dateTime, demoTag, emptyItem, statusChip } from "../common/elements.js";
import { number, percent } from "../common/format.js";
import { intervalBar } from "../common/interval_bar.js";
import { showProblem } from "../common/problem_display.js";
import { breakTexts, changeChip, changeText, drawSurfaceSwitch, ratesText } from "../common/rate_changes.js";
import { drawComparedCells } from "../report/compared_cells.js";

const KINDS = [
  ["questions", _("问题")],
  ["platforms", _("平台")],
  ["brands", _("品牌")],
];

function diagnosisCard(label, diagnosis) {
  const { id, brand, demo, created_at: createdAt, status, valid, planned } = diagnosis;
  return h(
    "li",
    { class: "card compared-diagnosis" },
    h("p", { class: "hint" }, label),
    h("p", { class: "compared-diagnosis-title" }, h("a", { href: diagnosisUrl(id) }, brand), demo && demoTag()),
    h("p", {}, dateTime(createdAt)),
    h("p", {}, statusChip(status), " ", _("{valid} / {planned} 有效", { valid: number(valid), planned: number(planned) })),
  );
}

/** A brand's rate over all valid answers of one of the diagnoses. */
function overallRate(label, diagnosis, name) {
  const brand = diagnosis.brands.find((one) => one.name === name);
  if (!brand || brand.rate === null) return null;
  const values = { label, rate: percent(brand.rate), low: percent(brand.low), high: percent(brand.high), n: number(brand.valid) };
  const text = _("{label}：全部 {n} 条有效回答里 {rate}（区间 {low}–{high}）", values);
  return [h("p", { class: "range" }, text), intervalBar(brand.rate, brand.low, brand.high)];
}

function changeItem(change, { before, after }) {
  const ownChip = change.is_own && h("span", { class: "chip brand own" }, _("★ 本品牌"));
  return h(
    "li",
    { class: change.is_own ? "change-item own" : "change-item" },
    h("h3", {}, change.name, " ", ownChip),
    h("p", { class: "change-line" }, change.difference !== null && h("strong", {}, ratesText(change)), " ", changeChip(change)),
    h("p", { class: "range" }, changeText(change)),
    h("div", { class: "change-bars" }, overallRate(_("前一次"), before, change.name), overallRate(_("后一次"), after, change.name)),
  );
}

/** What only one of the diagnoses has; null when there is nothing. */
function onlyInOne(label, parts) {
  const kinds = KINDS.filter(([kind]) => parts[kind].length);
  if (!kinds.length) return null;
  const lists = kinds.map(([kind, name]) => [h("dt", {}, name), parts[kind].map((text) => h("dd", {}, text))]);
  return h("section", {}, h("h3", {}, label), h("dl", { class: "only-in-one" }, lists));
}

function draw(comparison) {
  const { before, after, common, changes } = comparison;
  byId("demo-banner").hidden = !(before.demo || after.demo);
  byId("compared-diagnoses").replaceChildren(diagnosisCard(_("前一次"), before), diagnosisCard(_("后一次"), after));
  const counts = { q: number(common.questions.length), p: number(common.platforms.length), c: number(common.cells) };
  drawSurfaceSwitch(byId("compare-surfaces"), comparison, load);
  byId("breaks").replaceChildren(...breakTexts(comparison.breaks).map((text) => h("li", {}, text)));
  byId("breaks").hidden = !comparison.breaks.length;
  setText(byId("common"), _("共同的问题 {q} 个、平台 {p} 个，其中 {c} 处两次都有有效回答。", counts));
  const items = changes.map((change) => changeItem(change, comparison));
  byId("changes").replaceChildren(...(items.length ? items : [emptyItem(_("两次诊断没有共同的品牌。"))]));
  drawComparedCells(comparison);
  const differences = [onlyInOne(_("只在前一次"), comparison.only_before), onlyInOne(_("只在后一次"), comparison.only_after)].filter(Boolean);
  byId("differences").replaceChildren(...differences);
  byId("differences-section").hidden = !differences.length;
}

async function load(surface = null) {
  const parameters = new URLSearchParams(location.search);
  byId("page-problem").replaceChildren();
  try {
    draw(await getComparison(parameters.get("a") || "-", parameters.get("b") || "-", surface));
    byId("comparison").hidden = false;
  } catch (error) {
    showProblem(error, { actions: { retry: () => load(surface) }, container: byId("page-problem") });
  } finally {
    byId("loading").hidden = true;
  }
}

load();
