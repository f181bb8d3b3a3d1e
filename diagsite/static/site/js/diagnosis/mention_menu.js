// A marked name in an answer asks: is it the brand? A small menu beside it takes the answer.

import { _ } from "../common/config.js";
import { h } from "../common/dom.js";

const GAP = 6;
const EDGE = 8;

function place(menu, mark) {
  // The first of its lines: a name may break over two.
  const [line] = mark.getClientRects();
  const left = Math.min(line.left, document.documentElement.clientWidth - menu.offsetWidth - EDGE);
  const below = line.bottom + GAP;
  const isRoomBelow = below + menu.offsetHeight < window.innerHeight;
  const top = isRoomBelow ? below : line.top - menu.offsetHeight - GAP;
  menu.style.setProperty("left", `${Math.max(EDGE, left) + window.scrollX}px`);
  menu.style.setProperty("top", `${Math.max(EDGE, top) + window.scrollY}px`);
}

/** Asks beside `mark`; `onSaid` gets "confirm" or "reject" and returns a promise, during which nothing can be pressed. */
export function openHitMenu(mark, { brand, state }, onSaid) {
  const question = state === "confirmed" ? _("您已确认这里指“{brand}”。", { brand }) : _("这里指的是“{brand}”吗？", { brand });
  const say = async (kind) => {
    for (const button of menu.querySelectorAll("button")) button.disabled = true;
    try {
      await onSaid(kind);
    } finally {
      menu.hidePopover();
    }
  };
  const yes = state !== "confirmed" && h("button", { type: "button", class: "button primary", onclick: () => say("confirm") }, _("是"));
  const no = h("button", { type: "button", class: "button", onclick: () => say("reject") }, _("不是"));
  const menu = h("div", { class: "hit-menu", popover: "auto", role: "dialog", "aria-label": question }, h("p", {}, question), h("div", { class: "hit-menu-answers" }, yes, no));
  menu.addEventListener("toggle", (event) => {
    mark.setAttribute("aria-expanded", String(event.newState === "open"));
    if (event.newState === "closed") menu.remove();
  });
  document.body.append(menu);
  menu.showPopover();
  place(menu, mark);
  menu.querySelector("button").focus({ preventScroll: true });
}
