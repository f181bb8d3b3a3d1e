// The corrections of a report, each with a button to undo it.

import { _ } from "../common/config.js";
import { h } from "../common/dom.js";

const CONTEXT_LENGTH = 12; // characters of the answer on each side of a mention

const VERDICTS = { confirm: _("是这个品牌"), reject: _("不是这个品牌") };

function excerpt({ start, end }, answer) {
  if (!answer) return null;
  const points = Array.from(answer.text);
  const slice = (from, to) => points.slice(Math.max(0, from), to).join("");
  return [slice(start - CONTEXT_LENGTH, start), h("strong", {}, slice(start, end)), slice(end, end + CONTEXT_LENGTH)];
}

function describe(correction, getAnswer) {
  const { kind, brand, alias } = correction;
  if (kind === "alias") return [_("“{alias}”也算“{brand}”", { alias, brand })];
  const context = excerpt(correction, getAnswer(correction.answer));
  return [_("“{brand}”：{verdict}", { brand, verdict: VERDICTS[kind] }), context && h("span", { class: "range excerpt" }, "…", context, "…")];
}

/** Fill the section, the latest correction first; `onUndo` gets the correction's id. */
export function drawCorrections(section, corrections, { getAnswer, onUndo }) {
  section.hidden = corrections.length === 0;
  section.querySelector("ul").replaceChildren(
    ...[...corrections].reverse().map((correction) => {
      const button = h("button", { type: "button", class: "button quiet", onclick: () => onUndo(correction.id, button) }, _("撤回"));
      return h("li", {}, h("div", {}, describe(correction, getAnswer)), button);
    }),
  );
}
