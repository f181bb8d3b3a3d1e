// The selection of two diagnoses to compare, the older one as the earlier.

import { config, _ } from "../common/config.js";
import { announce, byId, h, setText } from "../common/dom.js";
import { isRunning } from "../common/format.js";

const SIZE = 2;

export class CompareSelection {
  /** `list` contains the checkboxes; the selection survives filters that hide its diagnoses. */
  constructor(list) {
    this.list = list;
    this.selected = new Map();
    byId("compare").addEventListener("click", () => this.compare());
    byId("compare-clear").addEventListener("click", () => this.clear());
  }

  /** Create the checkbox of a diagnosis; it is disabled while the diagnosis runs. */
  createCheckbox(diagnosis, label = _("比较 {brand}", { brand: diagnosis.brand })) {
    const isDisabled = isRunning(diagnosis.status);
    const input = h("input", { type: "checkbox", class: "compare-checkbox", disabled: isDisabled, "aria-label": label });
    input.checked = this.selected.has(diagnosis.id);
    input.dataset.id = diagnosis.id;
    input.dataset.running = String(isDisabled);
    input.addEventListener("change", () => {
      if (input.checked) this.selected.set(diagnosis.id, diagnosis);
      else this.selected.delete(diagnosis.id);
      this.draw();
    });
    if (this.isFull && !input.checked) input.disabled = true;
    return h("label", { class: "compare-label" }, input);
  }

  get isFull() {
    return this.selected.size >= SIZE;
  }

  draw() {
    for (const input of this.list.querySelectorAll(".compare-checkbox")) {
      input.checked = this.selected.has(input.dataset.id);
      input.disabled = input.dataset.running === "true" || (this.isFull && !input.checked);
    }
    byId("compare-bar").hidden = this.selected.size === 0;
    byId("compare").disabled = !this.isFull;
    const text = this.isFull ? _("已选 2 次诊断") : _("已选 1 次，再选 1 次就能比较");
    setText(byId("compare-count"), text);
    if (this.selected.size) announce(text);
  }

  clear() {
    this.selected.clear();
    this.draw();
    byId("compare-hint").scrollIntoView({ block: "nearest" });
    this.list.querySelector(".compare-checkbox:enabled")?.focus();
  }

  compare() {
    const [earlier, later] = [...this.selected.values()].sort((a, b) => a.created_at.localeCompare(b.created_at));
    location.assign(`${config.urls.compare}?a=${earlier.id}&b=${later.id}`);
  }
}
