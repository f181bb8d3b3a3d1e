// Two ticked diagnoses, to be compared: the older one is the one before.

import { config, _ } from "../common/config.js";
import { announce, byId, h, setText } from "../common/dom.js";
import { isRunning } from "../common/format.js";

const WANTED = 2;

export class Picks {
  /** `list` holds the boxes; what is ticked stays so when other filters hide it. */
  constructor(list) {
    this.list = list;
    this.picked = new Map();
    byId("compare").addEventListener("click", () => this.compare());
    byId("compare-clear").addEventListener("click", () => this.clear());
  }

  /** The box of a diagnosis; one that still runs has none to tick. */
  box(item) {
    const input = h("input", { type: "checkbox", class: "pick", disabled: isRunning(item.status), "aria-label": _("比较 {brand}", { brand: item.brand }) });
    input.checked = this.picked.has(item.id);
    input.dataset.id = item.id;
    input.dataset.running = String(isRunning(item.status));
    input.addEventListener("change", () => {
      if (input.checked) this.picked.set(item.id, item);
      else this.picked.delete(item.id);
      this.draw();
    });
    if (this.isFull && !input.checked) input.disabled = true;
    return h("label", { class: "pick-label" }, input);
  }

  get isFull() {
    return this.picked.size >= WANTED;
  }

  draw() {
    for (const input of this.list.querySelectorAll(".pick")) {
      input.checked = this.picked.has(input.dataset.id);
      input.disabled = input.dataset.running === "true" || (this.isFull && !input.checked);
    }
    byId("compare-bar").hidden = this.picked.size === 0;
    byId("compare").disabled = !this.isFull;
    const words = this.isFull ? _("已选 2 次诊断") : _("已选 1 次，再选 1 次就能比较");
    setText(byId("compare-count"), words);
    if (this.picked.size) announce(words);
  }

  clear() {
    this.picked.clear();
    this.draw();
    byId("compare-hint").scrollIntoView({ block: "nearest" });
    this.list.querySelector(".pick:enabled")?.focus();
  }

  compare() {
    const [a, b] = [...this.picked.values()].sort((one, other) => one.created_at.localeCompare(other.created_at));
    location.assign(`${config.urls.compare}?a=${a.id}&b=${b.id}`);
  }
}
