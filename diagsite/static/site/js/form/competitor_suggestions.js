// The competitors that the user compared the brand with before; a click adds one to the form.

import { suggestCompetitors } from "../common/api.js";
import { _ } from "../common/config.js";
import { announce, byId, debounce, h } from "../common/dom.js";

const MAX_SUGGESTIONS = 6;
const DELAY_MS = 400;

export class CompetitorSuggestions {
  /** `competitors` are the rows of the form. */
  constructor(competitors) {
    Object.assign(this, { competitors, brand: "", found: [] });
    this.loadSoon = debounce(() => this.load(), DELAY_MS);
  }

  /** To be called after every change of the form. */
  refresh() {
    this.draw();
    if (byId("brand").value.trim() !== this.brand) this.loadSoon();
  }

  async load() {
    const brand = byId("brand").value.trim();
    if (brand === this.brand) return;
    this.brand = brand;
    try {
      const found = brand ? (await suggestCompetitors(brand)).competitors : [];
      if (brand !== this.brand) return;
      this.found = found;
    } catch {
      // Not shown: the user has not asked for suggestions.
      this.brand = "";
      this.found = [];
    }
    this.draw();
  }

  draw() {
    const entered = this.competitors.values.map(([name]) => name.trim());
    const shown = this.found.filter(({ name }) => !entered.includes(name)).slice(0, MAX_SUGGESTIONS);
    const box = byId("suggestions");
    box.hidden = !shown.length;
    const buttons = shown.map((competitor) => h("button", { type: "button", class: "button quiet", onclick: () => this.add(competitor) }, `+ ${competitor.name}`));
    box.replaceChildren(h("span", { class: "hint" }, _("您以前比较过：")), ...buttons);
  }

  add({ name, aliases }) {
    const values = [name, aliases.join("、")];
    const inputs = this.competitors.rows.map((row) => [...row.querySelectorAll("input")]);
    const empty = inputs.find((row) => row.every((input) => !input.value.trim()));
    if (empty) {
      values.forEach((value, index) => {
        empty[index].value = value;
      });
      this.competitors.onChange();
    } else if (!this.competitors.append({ values })) {
      announce(_("最多 {n} 个竞品。", { n: this.competitors.max }));
      return;
    }
    this.draw();
    (byId("suggestions").querySelector("button") || byId("add-competitor")).focus();
  }
}
