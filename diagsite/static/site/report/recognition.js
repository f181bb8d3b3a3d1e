// The questions that name a brand. Whoever is named in a question is echoed in the answer, so they are counted apart.

import { _ } from "../config.js";
import { h, setText } from "../dom.js";
import { coverage } from "../report.js";
import { cell, outOf, rateParts, remark, sentimentParts } from "./cells.js";
import { drawHeatmap } from "./heatmap.js";

function row(brand) {
  const f = brand.figures;
  return h(
    "tr",
    { role: "row", class: brand.is_own ? "own" : null },
    h("th", { scope: "row", role: "rowheader" }, h("span", { class: "brand-name" }, brand.name)),
    cell(_("被提到"), rateParts(f.mention_rate, f.mention_rate_low, f.mention_rate_high), remark(outOf(f.mentions, f.valid))),
    cell(_("情感"), sentimentParts(brand.sentiment)),
  );
}

/** Fills the section; hidden when no question names a brand. */
export function drawRecognition(section, report, onOpen) {
  const { recognition } = report;
  section.hidden = !recognition;
  if (!recognition) return;
  setText(section.querySelector(".coverage"), coverage(recognition));
  section.querySelector(".figures tbody").replaceChildren(...recognition.brands.map(row));
  const own = recognition.brands.find((brand) => brand.is_own);
  drawHeatmap(section.querySelector(".heatmap"), { report, cells: recognition.cells, brand: own.name, onOpen });
}
