// The mention rates of each surface in columns of their own: they are different measurements and never added up.

import { _ } from "../common/config.js";
import { h } from "../common/dom.js";
import { number, surfaceLabel } from "../common/format.js";
import { cell, mentionCount, rateParts, remark } from "./cells.js";

function rateCell(surface, name) {
  const figures = surface.brands.find((brand) => brand.name === name)?.figures;
  const label = surfaceLabel(surface.surface);
  if (!figures?.valid) return cell(label, remark(_("没有有效的回答")));
  const rates = rateParts(figures.mention_rate, figures.mention_rate_low, figures.mention_rate_high);
  return cell(label, rates, remark(mentionCount(figures.mentions, figures.valid)));
}

function headerCell({ surface, valid, planned, without_search: without }) {
  const counts = _("{valid} / {planned} 有效", { valid: number(valid), planned: number(planned) });
  const skipped = without > 0 && h("span", { class: "range" }, " ", _("{n} 条没有按要求联网，不计入比例", { n: number(without) }));
  return h("th", { scope: "col", role: "columnheader" }, surfaceLabel(surface), " ", h("span", { class: "range" }, counts), skipped);
}

/** Fill the section; hide it when only one surface was measured. */
export function drawSurfaces(section, report) {
  const { surfaces } = report;
  section.hidden = surfaces.length < 2;
  if (section.hidden) return;
  const name = h("th", { scope: "col", role: "columnheader" }, _("品牌"));
  section.querySelector("thead").replaceChildren(h("tr", { role: "row" }, name, surfaces.map(headerCell)));
  const rows = report.brands.map((brand) =>
    h(
      "tr",
      { role: "row", class: brand.is_own ? "own" : null },
      h("th", { scope: "row", role: "rowheader" }, brand.name, brand.is_own && " ★"),
      surfaces.map((surface) => rateCell(surface, brand.name)),
    ),
  );
  section.querySelector("tbody").replaceChildren(...rows);
}
