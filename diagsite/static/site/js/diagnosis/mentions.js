// An answer's text with the brands in it marked: one's own underlined in full, the others' dotted, the uncertain wavy.

import { _ } from "../common/config.js";
import { h } from "../common/dom.js";

// Offsets count code points, JavaScript counts UTF-16 units; overlaps are shown once, the first wins.
function pieces(text, mentions) {
  const points = Array.from(text);
  const slice = (from, to) => points.slice(from, to).join("");
  const found = [];
  let at = 0;
  for (const mention of [...mentions].sort((a, b) => a.start - b.start)) {
    if (mention.start < at || mention.end > points.length) continue;
    found.push({ text: slice(at, mention.start) }, { text: slice(mention.start, mention.end), mention });
    at = mention.end;
  }
  found.push({ text: slice(at) });
  return found;
}

function markOf({ text, mention }, own, isCorrectable) {
  const { brand, start, end, state } = mention;
  const isOwn = brand === own;
  const isUncertain = state === "uncertain";
  const title = isOwn ? _("本品牌：{brand}", { brand }) : _("竞品：{brand}", { brand });
  const attributes = { class: isOwn ? "own" : "rival", title: isUncertain ? _("可能指“{brand}”，没有计入", { brand }) : title };
  // Not a <button>: its text could not be selected and copied with the rest of the answer.
  if (isCorrectable) Object.assign(attributes, { role: "button", tabindex: "0", "aria-haspopup": "dialog", "aria-expanded": "false" });
  const mark = h("mark", attributes, text);
  Object.assign(mark.dataset, { brand, start, end, state });
  return mark;
}

/** The text as nodes; `own` is the name of the diagnosed brand. Marks that are `isCorrectable` can be pressed. */
export function markedText(text, mentions, own, { isCorrectable = false } = {}) {
  return pieces(text, mentions || []).map((piece) => (piece.mention ? markOf(piece, own, isCorrectable) : piece.text));
}

/** A brand as a chip, told apart by its sign and not by its colour alone. */
export function brandChip(name, own, { isUncertain = false } = {}) {
  const isOwn = name === own;
  return h(
    "span",
    { class: isOwn ? "chip brand own" : "chip brand rival" },
    h("span", { "aria-hidden": "true" }, isOwn ? "★" : "◦"),
    isOwn && h("span", { class: "visually-hidden" }, _("本品牌")),
    name,
    isUncertain && h("span", { title: _("待确认") }, "?"),
    isUncertain && h("span", { class: "visually-hidden" }, _("待确认")),
  );
}
