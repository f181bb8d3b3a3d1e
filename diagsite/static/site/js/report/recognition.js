// The answers to questions that name a brand. They nearly always mention it too, so they are counted separately.

import { _ } from "../common/config.js";
import { h, setText } from "../common/dom.js";
import { coverage } from "../diagnosis/texts.js";
import { mentionCell, nameCell } from "./brands.js";
import { cell, sentimentParts } from "./cells.js";
import { drawHeatmap } from "./heatmap.js";

function brandRow(brand, requested, actions) {
  return h(
    "tr",
    { role: "row", class: brand.is_own ? "own" : null },
    nameCell(brand, requested, actions),
    mentionCell(_("被提到"), brand, brand.figures, actions),
    cell(_("情感"), sentimentParts(brand.sentiment)),
  );
}

/** Fill the section; hide it when no question names a brand. */
export function drawRecognition(section, report, { requested, actions, onOpen }) {
  const { recognition } = report;
  section.hidden = !recognition;
  if (!recognition) return;
  const requestedByName = new Map(requested.map((brand) => [brand.name, brand]));
  setText(section.querySelector(".coverage"), coverage(recognition));
  section.querySelector(".figures tbody").replaceChildren(...recognition.brands.map((brand) => brandRow(brand, requestedByName.get(brand.name), actions)));
  const own = recognition.brands.find((brand) => brand.is_own);
  drawHeatmap(section.querySelector(".heatmap"), { report, cells: recognition.cells, brand: own.name, onOpen });
}
