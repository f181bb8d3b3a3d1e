// Questions that buyers ask, by category, to be taken over with a tap; the mini-program has the same ones.

import { _ } from "../common/config.js";
import { byId, h } from "../common/dom.js";

const { CATEGORIES } = window.diag.questions;

export class QuestionTemplates {
  /** `taken` gives the texts of the form; `toggle` puts a text into it, or takes it out. */
  constructor({ taken, toggle }) {
    Object.assign(this, { taken, toggle, category: CATEGORIES[0] });
    const choice = byId("template-category");
    // The names are in the catalogue of the modules; the questions stay Chinese, as the platforms are asked.
    choice.replaceChildren(...CATEGORIES.map(({ id, name }) => h("option", { value: id }, _(name))));
    choice.addEventListener("change", () => {
      this.category = CATEGORIES.find(({ id }) => id === choice.value);
      this.draw();
    });
    const product = byId("template-product");
    product.addEventListener("input", () => this.draw());
    product.addEventListener("keydown", (event) => {
      if (event.key === "Enter") event.preventDefault(); // it starts no diagnosis
    });
    this.draw();
  }

  draw() {
    const product = byId("template-product");
    product.placeholder = this.category.example;
    const texts = this.category.questions.map((text) => text.replace("{product}", product.value.trim() || this.category.example));
    const taken = this.taken();
    byId("template-questions").replaceChildren(
      ...texts.map((text) => {
        const isTaken = taken.includes(text);
        const button = h("button", { type: "button", class: "button template", "aria-pressed": String(isTaken), onclick: () => this.choose(text) }, h("span", { "aria-hidden": "true" }, isTaken ? "✓" : "＋"), h("span", { lang: "zh-Hans" }, text));
        return h("li", {}, button);
      }),
    );
  }

  choose(text) {
    this.toggle(text);
    this.draw();
    const buttons = [...byId("template-questions").querySelectorAll("button")];
    buttons.find((button) => button.textContent.endsWith(text))?.focus();
  }
}
