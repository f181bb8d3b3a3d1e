// The main figures of the brand at a glance; each tile leads to its section.

import { _ } from "../common/config.js";
import { h } from "../common/dom.js";
import { number } from "../common/format.js";
import { mentionCount, rateParts, recommendationParts, remark } from "./cells.js";

function tile(section, label, ...content) {
  return h("a", { class: "tile", href: `#${section}` }, h("span", { class: "tile-label" }, label), content);
}

function sourcesTile(report) {
  const sources = report.sources.find(({ surface }) => surface === report.surface);
  if (!sources) return null;
  if (!sources.answers) return tile("sources-section", _("引用官网的回答"), remark(_("平台没有给出来源")));
  const { own_site_cited: cited, own_site_cited_rate: value, own_site_cited_rate_low: low, own_site_cited_rate_high: high } = sources;
  const counts = _("{n} / {total} 条回答引用", { n: number(cited), total: number(sources.answers) });
  return tile("sources-section", _("引用官网的回答"), rateParts(value, low, high), remark(counts));
}

/** Fill the tiles; hide them without a valid answer. */
export function drawTiles(container, report) {
  const figures = report.brands.find((brand) => brand.is_own)?.figures;
  container.hidden = !figures?.valid;
  if (container.hidden) return;
  const rates = (name) => rateParts(figures[name], figures[`${name}_low`], figures[`${name}_high`]);
  const tiles = [
    tile("figures-section", _("提及率"), rates("mention_rate"), remark(mentionCount(figures.mentions, figures.valid))),
    figures.judged
      ? tile("figures-section", _("推荐率"), recommendationParts(figures))
      : tile("figures-section", _("首位提及率"), rates("first_mention_rate"), remark(_("{n} 条回答最先提到它", { n: number(figures.first_mentions) }))),
    tile("figures-section", _("声量份额"), rates("share_of_voice"), remark(_("占所有品牌提及的份额"))),
    sourcesTile(report),
  ];
  container.replaceChildren(...tiles.filter(Boolean));
}
