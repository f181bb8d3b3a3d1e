// The text of an answer with its brand mentions marked, and brands as chips.

import { _ } from "../common/config.js";
import { h } from "../common/dom.js";

// Offsets count code points, while JavaScript counts UTF-16 units; of overlapping mentions the first is shown.
function splitAtMentions(text, mentions) {
  const points = Array.from(text);
  const slice = (from, to) => points.slice(from, to).join("");
  const spans = [];
  let position = 0;
  for (const mention of [...mentions].sort((a, b) => a.start - b.start)) {
    if (mention.start < position || mention.end > points.length) continue;
    spans.push({ text: slice(position, mention.start) }, { text: slice(mention.start, mention.end), mention });
    position = mention.end;
  }
  spans.push({ text: slice(position) });
  return spans;
}

function createMark({ text, mention }, ownBrand, isCorrectable) {
  const { brand, start, end, state } = mention;
  const isOwn = brand === ownBrand;
  const title = isOwn ? _("本品牌：{brand}", { brand }) : _("竞品：{brand}", { brand });
  const attributes = { class: isOwn ? "own" : "rival", title: state === "uncertain" ? _("可能指“{brand}”，没有计入", { brand }) : title };
  // Not a <button>, whose text could not be selected and copied with the rest of the answer.
  if (isCorrectable) Object.assign(attributes, { role: "button", tabindex: "0", "aria-haspopup": "dialog", "aria-expanded": "false" });
  const mark = h("mark", attributes, text);
  Object.assign(mark.dataset, { brand, start, end, state });
  return mark;
}

/** Return the text as nodes; with `isCorrectable`, a click on a mark corrects the mention. */
export function markMentions(text, mentions, ownBrand, { isCorrectable = false } = {}) {
  return splitAtMentions(text, mentions || []).map((span) => (span.mention ? createMark(span, ownBrand, isCorrectable) : span.text));
}

/** A brand as a chip; its sign says whether it is the own brand, not its colour alone. */
export function brandChip(name, ownBrand, { isUncertain = false } = {}) {
  const isOwn = name === ownBrand;
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
