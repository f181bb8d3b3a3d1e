// The table of brands: each figure with how sure it is, and what a person can put right about a brand.

import { _ } from "../common/config.js";
import { h, setText } from "../common/dom.js";
import { listed, number } from "../common/format.js";
import { cell, outOf, rate, rateParts, remark, scopeName, sentimentParts } from "./cells.js";

const LEAST_FOR_MEAN = 5;

const figuresOf = (brand, platform) => (platform === null ? brand.figures : brand.by_platform[platform]);

const byRate = (platform) => (a, b) =>
  b.is_own - a.is_own || (figuresOf(b, platform)?.mention_rate ?? -1) - (figuresOf(a, platform)?.mention_rate ?? -1);

const link = (text, onclick, label = null) => h("button", { type: "button", class: "link", onclick, "aria-label": label }, text);

/** The head of a brand's row, with what can be done about its names. */
export function nameCell(brand, ordered, actions) {
  const aliases = ordered?.aliases || [];
  return h(
    "th",
    { scope: "row", role: "rowheader" },
    h("span", { class: "brand-name" }, brand.name),
    h("span", { class: brand.is_own ? "chip brand own" : "chip brand rival" }, brand.is_own ? _("★ 本品牌") : _("竞品")),
    aliases.length > 0 && h("span", { class: "brand-aliases" }, _("也叫{names}", { names: listed(aliases) })),
    h(
      "span",
      { class: "brand-tools" },
      link(_("添加别名"), () => actions.addAlias(brand.name), _("给“{brand}”添加别名", { brand: brand.name })),
      ordered?.is_added && link(_("移除"), () => actions.removeCompetitor(brand.name), _("移除竞品“{brand}”", { brand: brand.name })),
    ),
  );
}

/** How many answers mention a brand, and a way to those of which only the person can say. */
export function mentionCell(label, brand, f, actions) {
  const review = () => actions.review(brand.name);
  return cell(
    label,
    rateParts(f.mention_rate, f.mention_rate_low, f.mention_rate_high),
    remark(outOf(f.mentions, f.valid)),
    f.uncertain > 0 && link(_("另有 {n} 条待您确认", { n: number(f.uncertain) }), review),
  );
}

function positionCell(f) {
  if (f.mean_position === null) return cell(_("平均位次"), rate("–"), remark(_("提到的不足 {n} 条", { n: LEAST_FOR_MEAN })));
  return cell(_("平均位次"), rate(f.mean_position.toFixed(1)), remark(_("按 {n} 条回答", { n: number(f.mentions) })));
}

function row(brand, platform, ordered, actions) {
  const f = figuresOf(brand, platform);
  const name = nameCell(brand, ordered, actions);
  if (!f) return h("tr", { role: "row" }, name, h("td", { role: "cell", colspan: 6 }, "–"));
  return h(
    "tr",
    { role: "row", class: brand.is_own ? "own" : null },
    name,
    mentionCell(_("提及率"), brand, f, actions),
    cell(_("首位提及率"), rateParts(f.first_mention_rate, f.first_mention_rate_low, f.first_mention_rate_high)),
    cell(_("声量份额"), rateParts(f.share_of_voice, f.share_of_voice_low, f.share_of_voice_high, _("无法估计区间"))),
    positionCell(f),
    cell(_("平均倒数排名"), rate(f.mean_reciprocal_rank === null ? "–" : f.mean_reciprocal_rank.toFixed(2))),
    cell(_("情感"), sentimentParts(brand.sentiment), platform !== null && brand.sentiment && remark(_("全部平台"))),
  );
}

/** Fills the table's body for one platform, or for all with null. `ordered`: the diagnosis's brands, with aliases. */
export function drawBrands(body, report, platform, { ordered, actions }) {
  const brands = [...report.brands].sort(byRate(platform));
  const orderOf = new Map(ordered.map((brand) => [brand.name, brand]));
  body.replaceChildren(...brands.map((brand) => row(brand, platform, orderOf.get(brand.name), actions)));
}

/** Says for whom the intervals of the table hold; it is the same for each brand. */
export function drawScope(element, report, platform) {
  const f = report.brands.length ? figuresOf(report.brands[0], platform) : null;
  element.hidden = !f?.valid;
  if (!f?.valid) return;
  const rates = scopeName(f.scope, report);
  const voices = scopeName(f.voice_scope, report);
  setText(element, rates === voices ? _("区间{scope}。", { scope: rates }) : _("提及率和首位提及率的区间{rates}，声量份额的区间{voices}。", { rates, voices }));
}

function choice(value, label, count, isChosen) {
  const radio = h("input", { type: "radio", name: "platform", value });
  radio.checked = isChosen;
  return h("label", { class: "segment" }, radio, h("span", {}, label, h("small", {}, count)));
}

/** Radio buttons to look at all platforms or at one; what was chosen stays chosen. */
export function drawSwitch(fieldset, report, platform) {
  const of = ({ valid, planned }) => `${number(valid)} / ${number(planned)}`;
  const counts = (id) => report.brands[0]?.by_platform[id] || report.platforms.find((one) => one.id === id);
  const each = report.platforms.map(({ id, name }) => choice(id, name, of(counts(id)), String(id) === platform));
  const all = choice("", _("全部平台"), of(report.unbranded), platform === null);
  fieldset.querySelector(".segments").replaceChildren(all, ...each);
  fieldset.hidden = report.platforms.length < 2;
}
