// What the person has put right, each to be taken back.

import { _ } from "../common/config.js";
import { h } from "../common/dom.js";

const AROUND = 12; // characters of the answer to each side of a hit

const KINDS = { confirm: _("是这个品牌"), reject: _("不是这个品牌") };

function excerpt({ start, end }, answer) {
  if (!answer) return null;
  const points = Array.from(answer.text);
  const slice = (from, to) => points.slice(Math.max(0, from), to).join("");
  return [slice(start - AROUND, start), h("strong", {}, slice(start, end)), slice(end, end + AROUND)];
}

function words(correction, answerOf) {
  const { kind, brand, alias } = correction;
  if (kind === "alias") return [_("“{alias}”也算“{brand}”", { alias, brand })];
  const around = excerpt(correction, answerOf(correction.answer));
  return [_("“{brand}”：{verdict}", { brand, verdict: KINDS[kind] }), around && h("span", { class: "range excerpt" }, "…", around, "…")];
}

/** Fills the section with the latest first; `onUndo` gets the correction's id. */
export function drawCorrections(section, corrections, { answerOf, onUndo }) {
  section.hidden = corrections.length === 0;
  section.querySelector("ul").replaceChildren(
    ...[...corrections].reverse().map((correction) => {
      const button = h("button", { type: "button", class: "button quiet", onclick: () => onUndo(correction.id, button) }, _("撤回"));
      return h("li", {}, h("div", {}, words(correction, answerOf)), button);
    }),
  );
}
