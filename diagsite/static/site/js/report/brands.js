// The table of brands: figures with their intervals, and the actions on a brand's names.

import { _ } from "../common/config.js";
import { h, setText } from "../common/dom.js";
import { joinNames, number, surfaceLabel } from "../common/format.js";
import { cell, mentionCount, rate, rateParts, recommendationParts, remark, scopeLabel, sentimentParts } from "./cells.js";

const MIN_MENTIONS_FOR_MEAN = 5;

/** The figures on one platform, or on all with null. */
const getFigures = (brand, platform) => (platform === null ? brand.figures : brand.by_platform[platform]);

const compareBrands = (platform) => (a, b) =>
  b.is_own - a.is_own || (getFigures(b, platform)?.mention_rate ?? -1) - (getFigures(a, platform)?.mention_rate ?? -1);

const link = (text, onclick, label = null) => h("button", { type: "button", class: "link", onclick, "aria-label": label }, text);

/** The header of a brand's row, with the actions on its names; `requested` is the brand in the diagnosis. */
export function nameCell(brand, requested, actions) {
  const aliases = requested?.aliases || [];
  return h(
    "th",
    { scope: "row", role: "rowheader" },
    h("span", { class: "brand-name" }, brand.name),
    h("span", { class: brand.is_own ? "chip brand own" : "chip brand rival" }, brand.is_own ? _("★ 本品牌") : _("竞品")),
    aliases.length > 0 && h("span", { class: "brand-aliases" }, _("也叫{names}", { names: joinNames(aliases) })),
    h(
      "span",
      { class: "brand-tools" },
      link(_("添加别名"), () => actions.addAlias(brand.name), _("给“{brand}”添加别名", { brand: brand.name })),
      requested?.is_added && link(_("移除"), () => actions.removeCompetitor(brand.name), _("移除竞品“{brand}”", { brand: brand.name })),
    ),
  );
}

/** How many answers mention a brand, and a link to the mentions that the user has to confirm. */
export function mentionCell(label, brand, figures, actions) {
  const reveal = () => actions.revealUncertain(brand.name);
  return cell(
    label,
    rateParts(figures.mention_rate, figures.mention_rate_low, figures.mention_rate_high),
    remark(mentionCount(figures.mentions, figures.valid)),
    figures.uncertain > 0 && link(_("另有 {n} 条待您确认", { n: number(figures.uncertain) }), reveal),
  );
}

function positionCell({ mean_position: mean, mentions }) {
  if (mean === null) return cell(_("平均位次"), rate("–"), remark(_("提到的不足 {n} 条", { n: MIN_MENTIONS_FOR_MEAN })));
  return cell(_("平均位次"), rate(mean.toFixed(1)), remark(_("按 {n} 条回答", { n: number(mentions) })));
}

function brandRow(brand, platform, requested, actions) {
  const figures = getFigures(brand, platform);
  const name = nameCell(brand, requested, actions);
  if (!figures) return h("tr", { role: "row" }, name, h("td", { role: "cell", colspan: 7 }, "–"));
  return h(
    "tr",
    { role: "row", class: brand.is_own ? "own" : null },
    name,
    mentionCell(_("提及率"), brand, figures, actions),
    cell(_("首位提及率"), rateParts(figures.first_mention_rate, figures.first_mention_rate_low, figures.first_mention_rate_high)),
    cell(_("声量份额"), rateParts(figures.share_of_voice, figures.share_of_voice_low, figures.share_of_voice_high, _("无法估计区间"))),
    positionCell(figures),
    cell(_("平均倒数排名"), rate(figures.mean_reciprocal_rank === null ? "–" : figures.mean_reciprocal_rank.toFixed(2))),
    cell(_("推荐率"), recommendationParts(figures)),
    cell(_("情感"), sentimentParts(brand.sentiment), platform !== null && brand.sentiment && remark(_("全部平台"))),
  );
}

/** Fill the table's body for one platform, or for all with null. `requested`: the brands of the diagnosis, with aliases. */
export function drawBrands(body, report, platform, { requested, actions }) {
  const brands = [...report.brands].sort(compareBrands(platform));
  const requestedByName = new Map(requested.map((brand) => [brand.name, brand]));
  body.replaceChildren(...brands.map((brand) => brandRow(brand, platform, requestedByName.get(brand.name), actions)));
}

/** Say what the intervals of the table generalise to; it is the same for all brands. */
export function drawScope(element, report, platform) {
  const figures = report.brands.length ? getFigures(report.brands[0], platform) : null;
  element.hidden = !figures?.valid;
  if (!figures?.valid) return;
  const rates = scopeLabel(figures.scope, report);
  const voices = scopeLabel(figures.voice_scope, report);
  setText(element, rates === voices ? _("区间{scope}。", { scope: rates }) : _("提及率和首位提及率的区间{rates}，声量份额的区间{voices}。", { rates, voices }));
}

function platformRadio(value, label, count, isSelected) {
  const radio = h("input", { type: "radio", name: "platform", value });
  radio.checked = isSelected;
  return h("label", { class: "segment" }, radio, h("span", {}, label, h("small", {}, count)));
}

/** Draw radio buttons for all platforms and for each; `platform` is the selected one. */
export function drawPlatformSwitch(fieldset, report, platform) {
  const countText = ({ valid, planned }) => `${number(valid)} / ${number(planned)}`;
  const radios = report.platforms.map((one) => {
    const counts = report.brands[0]?.by_platform[one.id] || one;
    return platformRadio(one.id, one.name, countText(counts), one.id === platform);
  });
  const isMixed = report.surfaces.length > 1;
  const label = isMixed ? _("全部（{surface}）", { surface: surfaceLabel(report.surface) }) : _("全部平台");
  const all = platformRadio("", label, countText(report.unbranded), platform === null);
  fieldset.querySelector(".segments").replaceChildren(all, ...radios);
  fieldset.hidden = report.platforms.length < 2;
}
