// The questions that name a brand. Whoever is named in a question is echoed in the answer, so they are counted apart.

import { _ } from "../common/config.js";
import { h, setText } from "../common/dom.js";
import { coverage } from "./headline.js";
import { mentionCell, nameCell } from "./brands.js";
import { cell, sentimentParts } from "./cells.js";
import { drawHeatmap } from "./heatmap.js";

function row(brand, ordered, actions) {
  return h(
    "tr",
    { role: "row", class: brand.is_own ? "own" : null },
    nameCell(brand, ordered, actions),
    mentionCell(_("被提到"), brand, brand.figures, actions),
    cell(_("情感"), sentimentParts(brand.sentiment)),
  );
}

/** Fills the section; hidden when no question names a brand. */
export function drawRecognition(section, report, { ordered, actions, onOpen }) {
  const { recognition } = report;
  section.hidden = !recognition;
  if (!recognition) return;
  const orderOf = new Map(ordered.map((brand) => [brand.name, brand]));
  setText(section.querySelector(".coverage"), coverage(recognition));
  section.querySelector(".figures tbody").replaceChildren(...recognition.brands.map((brand) => row(brand, orderOf.get(brand.name), actions)));
  const own = recognition.brands.find((brand) => brand.is_own);
  drawHeatmap(section.querySelector(".heatmap"), { report, cells: recognition.cells, brand: own.name, onOpen });
}
