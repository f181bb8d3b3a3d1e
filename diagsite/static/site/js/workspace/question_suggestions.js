// Suggested questions with their reasons. The judge is asked only when the user presses its button.

import { _ } from "../common/config.js";
import { announce, byId, h, setText } from "../common/dom.js";
import { emptyItem } from "../common/elements.js";
import { setError } from "../common/fields.js";
import { money, number } from "../common/format.js";
import { showProblem } from "../common/problem_display.js";
import { addQuestion, askJudgeForQuestions, getSuggestions, suggestQuestions } from "./api.js";
import { workspaceId } from "./page.js";

const ORIGINS = { asked: "order", template: "template", tag: "template", judge: "judge" };

function reasonText({ reason, runs }) {
  if (reason === "asked") return _("以前问过 {n} 次", { n: number(runs) });
  return { template: _("模板"), tag: _("有标签还没有问题"), judge: _("评估平台的建议") }[reason];
}

/** `请 {name} 想问题（1 次调用，约 ¥0.01）` */
export function judgeButtonText({ name, cost }) {
  const price = Number(cost) > 0 ? _("约 {price}", { price: money(Number(cost)) }) : _("费用未知");
  return _("请{name}出主意（1 次调用，{price}）", { name, price });
}

export class QuestionSuggestions {
  /** `onAdded` is called after a question was added. */
  constructor({ onAdded }) {
    this.onAdded = onAdded;
    this.product = byId("product");
    byId("suggest-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.load(() => suggestQuestions(workspaceId, this.product.value.trim()));
    });
    byId("ask-judge").addEventListener("click", () => this.askJudge());
  }

  /** Offer the judge if the site has one. */
  async offerJudge(brand) {
    const { judge } = await getSuggestions(brand);
    byId("ask-judge").hidden = byId("judge-hint").hidden = !judge;
    if (judge) setText(byId("ask-judge"), judgeButtonText(judge));
  }

  askJudge() {
    const product = this.product.value.trim();
    setError(this.product, product ? "" : _("请先填写卖的是什么。"));
    if (!product) this.product.focus();
    else this.load(async () => (await askJudgeForQuestions(workspaceId, product)).items);
  }

  async load(fetchItems) {
    setError(this.product, "");
    byId("suggest-problem").replaceChildren();
    const buttons = byId("suggest-form").querySelectorAll("button");
    for (const button of buttons) button.disabled = true;
    announce(_("正在读取…"));
    try {
      const items = await fetchItems();
      const rows = items.map((item) => this.createItem(item));
      byId("suggestions").replaceChildren(...(rows.length ? rows : [emptyItem(_("没有新的建议。填上产品，就有模板问题。"))]));
    } catch (error) {
      showProblem(error, { container: byId("suggest-problem"), display: "inline" });
    }
    for (const button of buttons) button.disabled = false;
  }

  createItem(suggestion) {
    const button = h("button", { type: "button", class: "button quiet", "aria-label": _("添加：{text}", { text: suggestion.text }) }, _("添加"));
    const marks = [h("span", { class: "chip" }, reasonText(suggestion)), suggestion.names_brand && h("span", { class: "chip" }, _("认知"))];
    const item = h("li", {}, h("span", { class: "row-text" }, suggestion.text), marks, h("span", { class: "action-buttons" }, button));
    button.addEventListener("click", () => this.add(suggestion, item));
    return item;
  }

  async add({ text, reason }, item) {
    item.querySelector("button").disabled = true;
    try {
      await addQuestion(workspaceId, { text, origin: ORIGINS[reason] });
      const next = item.nextElementSibling || item.previousElementSibling;
      item.remove();
      (next?.querySelector("button") || this.product).focus();
      announce(_("已加入。"));
      this.onAdded();
    } catch (error) {
      item.querySelector("button").disabled = false;
      showProblem(error, { display: "toast" });
    }
  }
}
