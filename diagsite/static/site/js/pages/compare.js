// Two diagnoses side by side: what changed on what both asked, and what only one of them has.

import { getComparison } from "../common/api.js";
import { changeChip, changeRates, changeWords } from "../common/rate_changes.js";
import { config, _ } from "../common/config.js";
import { byId, h, setText } from "../common/dom.js";
import { showProblem } from "../common/problem_display.js";
import { demoTag, moment, number, percent, statusChip } from "../common/format.js";
import { intervalBar } from "../common/interval_bar.js";
import { emptyNote } from "../form/form_rows.js";

function side(label, point) {
  return h(
    "li",
    { class: "card side" },
    h("p", { class: "hint" }, label),
    h("p", { class: "side-title" }, h("a", { href: config.urls.diagnosis.replace("{id}", point.id) }, point.brand), point.demo && demoTag()),
    h("p", {}, moment(point.created_at)),
    h("p", {}, statusChip(point.status), " ", _("{valid} / {planned} 有效", { valid: number(point.valid), planned: number(point.planned) })),
  );
}

/** A brand in one of the two by itself, over all its valid answers. */
function whole(label, point, name) {
  const brand = point.brands.find((one) => one.name === name);
  if (!brand || brand.rate === null) return null;
  const words = { label, rate: percent(brand.rate), low: percent(brand.low), high: percent(brand.high), n: number(brand.valid) };
  const text = _("{label}：全部 {n} 条有效回答里 {rate}（区间 {low}–{high}）", words);
  return [h("p", { class: "range" }, text), intervalBar(brand.rate, brand.low, brand.high)];
}

function change(found, { before, after }) {
  return h(
    "li",
    { class: found.is_own ? "change-item own" : "change-item" },
    h("h3", {}, found.name, " ", found.is_own && h("span", { class: "chip brand own" }, _("★ 本品牌"))),
    h("p", { class: "change-line" }, found.difference !== null && h("strong", {}, changeRates(found)), " ", changeChip(found)),
    h("p", { class: "range" }, changeWords(found)),
    h("div", { class: "change-bars" }, whole(_("前一次"), before, found.name), whole(_("后一次"), after, found.name)),
  );
}

const KINDS = [
  ["questions", _("问题")],
  ["platforms", _("平台")],
  ["brands", _("品牌")],
];

function only(label, parts) {
  const kinds = KINDS.filter(([kind]) => parts[kind].length);
  if (!kinds.length) return null;
  const lists = kinds.map(([kind, name]) => [h("dt", {}, name), parts[kind].map((text) => h("dd", {}, text))]);
  return h("section", {}, h("h3", {}, label), h("dl", { class: "only" }, lists));
}

function draw(comparison) {
  const { before, after, common, changes } = comparison;
  byId("demo-banner").hidden = !(before.demo || after.demo);
  byId("sides").replaceChildren(side(_("前一次"), before), side(_("后一次"), after));
  const words = { q: number(common.questions.length), p: number(common.platforms.length), c: number(common.cells) };
  setText(byId("common"), _("共同的问题 {q} 个、平台 {p} 个，其中 {c} 处两次都有有效回答。", words));
  const rows = changes.map((found) => change(found, comparison));
  byId("changes").replaceChildren(...(rows.length ? rows : [emptyNote(_("两次诊断没有共同的品牌。"))]));
  const different = [only(_("只在前一次"), comparison.only_before), only(_("只在后一次"), comparison.only_after)].filter(Boolean);
  byId("only").replaceChildren(...different);
  byId("different").hidden = !different.length;
}

async function open() {
  const parameters = new URLSearchParams(location.search);
  byId("page-problem").replaceChildren();
  try {
    draw(await getComparison(parameters.get("a") || "-", parameters.get("b") || "-"));
    byId("loading").hidden = true;
    byId("comparison").hidden = false;
  } catch (error) {
    byId("loading").hidden = true;
    showProblem(error, { actions: { retry: open }, where: byId("page-problem") });
  }
}

open();
