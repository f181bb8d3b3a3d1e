// A small menu beside a marked mention, which asks whether the text means the brand.

import { _ } from "../common/config.js";
import { h } from "../common/dom.js";

const GAP = 6;
const MARGIN = 8;

function position(menu, mark) {
  // The first line box: a name may wrap over two lines.
  const [line] = mark.getClientRects();
  const left = Math.min(line.left, document.documentElement.clientWidth - menu.offsetWidth - MARGIN);
  const below = line.bottom + GAP;
  const fitsBelow = below + menu.offsetHeight < window.innerHeight;
  const top = fitsBelow ? below : line.top - menu.offsetHeight - GAP;
  menu.style.setProperty("left", `${Math.max(MARGIN, left) + window.scrollX}px`);
  menu.style.setProperty("top", `${Math.max(MARGIN, top) + window.scrollY}px`);
}

/** Open the menu; `onSelect` gets "confirm" or "reject" and returns a promise, during which the buttons are disabled. */
export function openMentionMenu(mark, { brand, state }, onSelect) {
  const question = state === "confirmed" ? _("您已确认这里指“{brand}”。", { brand }) : _("这里指的是“{brand}”吗？", { brand });
  const select = async (kind) => {
    for (const button of menu.querySelectorAll("button")) button.disabled = true;
    try {
      await onSelect(kind);
    } finally {
      menu.hidePopover();
    }
  };
  const yes = state !== "confirmed" && h("button", { type: "button", class: "button primary", onclick: () => select("confirm") }, _("是"));
  const no = h("button", { type: "button", class: "button", onclick: () => select("reject") }, _("不是"));
  const attributes = { class: "mention-menu", popover: "auto", role: "dialog", "aria-label": question };
  const menu = h("div", attributes, h("p", {}, question), h("div", { class: "mention-menu-buttons" }, yes, no));
  menu.addEventListener("toggle", (event) => {
    mark.setAttribute("aria-expanded", String(event.newState === "open"));
    if (event.newState === "closed") menu.remove();
  });
  document.body.append(menu);
  menu.showPopover();
  position(menu, mark);
  menu.querySelector("button").focus({ preventScroll: true });
}
