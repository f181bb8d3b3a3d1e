// An answer's text with the brands in it marked: one's own underlined in full, the others' dotted.

import { _ } from "./config.js";
import { h } from "./dom.js";

// Offsets count code points, JavaScript counts UTF-16 units; overlaps are shown once, the first wins.
function pieces(text, mentions) {
  const points = Array.from(text);
  const slice = (from, to) => points.slice(from, to).join("");
  const found = [];
  let at = 0;
  for (const mention of [...mentions].sort((a, b) => a.start - b.start)) {
    if (mention.start < at || mention.end > points.length) continue;
    found.push({ text: slice(at, mention.start) }, { text: slice(mention.start, mention.end), brand: mention.brand });
    at = mention.end;
  }
  found.push({ text: slice(at) });
  return found;
}

/** The text as nodes; `own` is the name of the diagnosed brand. */
export function markedText(text, mentions, own) {
  return pieces(text, mentions || []).map((piece) => {
    if (!piece.brand) return piece.text;
    const isOwn = piece.brand === own;
    const title = isOwn ? _("本品牌：{brand}", { brand: piece.brand }) : _("竞品：{brand}", { brand: piece.brand });
    return h("mark", { class: isOwn ? "own" : "rival", title }, piece.text);
  });
}

/** A brand as a chip, told apart by its sign and not by its colour alone. */
export function brandChip(name, own) {
  const isOwn = name === own;
  return h(
    "span",
    { class: isOwn ? "chip brand own" : "chip brand rival" },
    h("span", { "aria-hidden": "true" }, isOwn ? "★" : "◦"),
    isOwn && h("span", { class: "visually-hidden" }, _("本品牌")),
    name,
  );
}
