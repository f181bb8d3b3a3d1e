// Templates of questions by category, shared with the mini-program; a click adds one to the form or removes it.

import { _ } from "../common/config.js";
import { byId, h } from "../common/dom.js";

const { CATEGORIES } = window.diag.questionTemplates;

export class QuestionTemplates {
  /** `getQuestions` returns the texts in the form; `toggle` adds a text to it, or removes it. */
  constructor({ getQuestions, toggle }) {
    Object.assign(this, { getQuestions, toggle, category: CATEGORIES[0] });
    const select = byId("template-category");
    // The questions stay Chinese, because the platforms are asked in Chinese.
    select.replaceChildren(...CATEGORIES.map(({ id, name }) => h("option", { value: id }, _(name))));
    select.addEventListener("change", () => {
      this.category = CATEGORIES.find(({ id }) => id === select.value);
      this.draw();
    });
    const product = byId("template-product");
    product.addEventListener("input", () => this.draw());
    product.addEventListener("keydown", (event) => {
      if (event.key === "Enter") event.preventDefault(); // do not submit the form
    });
    this.draw();
  }

  draw() {
    const product = byId("template-product");
    product.placeholder = this.category.example;
    const texts = this.category.questions.map((text) => text.replace("{product}", () => product.value.trim() || this.category.example));
    const entered = this.getQuestions();
    byId("template-questions").replaceChildren(
      ...texts.map((text) => {
        const isSelected = entered.includes(text);
        const icon = h("span", { "aria-hidden": "true" }, isSelected ? "✓" : "＋");
        const attributes = { type: "button", class: "button template", "aria-pressed": String(isSelected), onclick: () => this.select(text) };
        return h("li", {}, h("button", attributes, icon, h("span", { lang: "zh-Hans" }, text)));
      }),
    );
  }

  select(text) {
    this.toggle(text);
    this.draw();
    const buttons = [...byId("template-questions").querySelectorAll("button")];
    buttons.find((button) => button.textContent.endsWith(text))?.focus();
  }
}
