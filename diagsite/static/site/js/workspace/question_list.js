// The questions of a workspace with tags, kind, panels and rate; an editor changes and archives them.

import { _, diagnosisUrl } from "../common/config.js";
import { announce, byId, h, setText } from "../common/dom.js";
import { emptyItem } from "../common/elements.js";
import { fitHeight, setError } from "../common/fields.js";
import { number } from "../common/format.js";
import { asProblem } from "../common/problem.js";
import { showProblem } from "../common/problem_display.js";
import { mentionCount, rateParts, remark } from "../report/cells.js";
import { addQuestion, changeQuestion } from "./api.js";
import { workspaceId } from "./page.js";

const splitTags = (text) => [...new Set(text.split(/[,，、;；]/).map((part) => part.trim()).filter(Boolean))];

let lastId = 0;

function field(label, input) {
  lastId += 1;
  input.id = `question-field-${lastId}`;
  return h("div", { class: "field" }, h("label", { for: input.id }, label), input);
}

export class QuestionList {
  /** `reload` loads the questions again and returns them. */
  constructor({ reload }) {
    Object.assign(this, { reload, questions: [], panels: [], canEdit: false });
    byId("tag").addEventListener("change", () => this.draw());
  }

  show({ questions, panels, canEdit }) {
    Object.assign(this, { questions, panels, canEdit });
    const select = byId("tag");
    const { value } = select;
    const tags = [...new Set(questions.flatMap((question) => question.tags))].sort();
    select.replaceChildren(select.options[0], ...tags.map((tag) => h("option", { value: tag }, tag)));
    select.value = tags.includes(value) ? value : "";
    this.draw();
  }

  draw() {
    const tag = byId("tag").value;
    const items = this.questions.filter(({ tags }) => !tag || tags.includes(tag)).map((question) => this.createItem(question));
    byId("questions").replaceChildren(...(items.length ? items : [emptyItem(_("没有问题。"))]));
  }

  createItem(question) {
    const item = h("li", { "data-id": question.id });
    this.fill(item, question);
    return item;
  }

  fill(item, question) {
    const { figure } = question;
    const names = this.panels.filter(({ id }) => question.panels.includes(id)).map(({ name }) => name);
    const kind = question.kind === "recognition" && h("span", { class: "chip" }, _("认知"));
    const tags = question.tags.map((tag) => h("span", { class: "chip" }, tag));
    const facts = h("div", { class: "question-facts" }, kind, tags, names.length > 0 && remark(_("问题集：{names}", { names: names.join("、") })));
    const rate = figure && [...rateParts(figure.rate, figure.low, figure.high), h("a", { href: diagnosisUrl(figure.diagnosis) }, mentionCount(figure.k, figure.n))];
    item.replaceChildren(h("div", { class: "row-text" }, h("p", { lang: "zh-Hans" }, question.text), facts), h("div", { class: "cell question-rate" }, rate || remark("–")));
    if (this.canEdit) item.append(this.createButtons(item, question));
  }

  createButtons(item, question) {
    const button = (label, onclick) => h("button", { type: "button", class: "button quiet", "aria-label": `${label}：${question.text}`, onclick }, label);
    const archive = question.archived_at
      ? button(_("取回"), () => this.change(question, { archived: false }, _("已取回。")))
      : button(_("归档"), () => this.change(question, { archived: true }, _("已归档，在“已归档的”里可以取回。")));
    return h("span", { class: "action-buttons" }, !question.archived_at && button(_("修改"), () => this.edit(item, question)), archive);
  }

  async change(question, body, message) {
    try {
      await changeQuestion(workspaceId, question, body);
      announce(message);
      await this.reload();
      byId("list-heading").focus();
    } catch (error) {
      showProblem(error, { display: "toast" });
    }
  }

  edit(item, question) {
    const text = h("textarea", { rows: "1", maxlength: "500" });
    text.value = question.text;
    const tags = h("input", { autocomplete: "off" });
    tags.value = question.tags.join("、");
    const hint = h("p", { class: "hint" }, _("改了文字就是一个新问题，旧的会归档；以前的诊断不变。标签用顿号隔开。"));
    const cancel = h("button", { type: "button", class: "button quiet" }, _("取消"));
    const form = h("form", { class: "panel-form", novalidate: true }, field(_("问题"), text), field(_("标签"), tags), hint);
    form.append(h("div", { class: "button-row" }, h("button", { class: "button primary" }, _("保存")), cancel));
    cancel.addEventListener("click", () => {
      this.fill(item, question);
      item.querySelector("button").focus();
    });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.save(item, { question, text, tags });
    });
    item.replaceChildren(form);
    fitHeight(text);
    text.focus();
  }

  async save(item, edited) {
    const { question, text, tags } = edited;
    setError(text, text.value.trim() ? "" : _("请填写问题。"));
    if (!text.value.trim()) return;
    try {
      const isNew = text.value.trim() !== question.text;
      const current = isNew ? await addQuestion(workspaceId, { text: text.value.trim(), replaces: question.id }) : question;
      await changeQuestion(workspaceId, current, { tags: splitTags(tags.value) });
      announce(_("已保存。"));
      await this.reload();
      byId("list-heading").focus();
    } catch (error) {
      await this.showConflict(item, edited, asProblem(error));
    }
  }

  /** What was typed stays; after a change by someone else, the next save is based on their version. */
  async showConflict(item, edited, problem) {
    const fields = problem.body.fields || {};
    if (fields["If-Match"]) {
      const questions = await this.reload({ isSilent: true });
      const now = questions.find(({ id }) => id === edited.question.id);
      if (now) edited.question.etag = now.etag;
      const state = now ? _("标签现在是“{tags}”。", { tags: now.tags.join("、") || "–" }) : _("它已经归档。");
      setError(edited.tags, `${_("这个问题刚被别人改过。")}${state}${_("您填的还在，再保存一次就以它为准。")}`);
    } else if (fields.text) setError(edited.text, fields.text);
    else if (fields.tags) setError(edited.tags, fields.tags);
    else showProblem(problem, { display: "toast" });
    item.querySelector("[data-invalid]")?.focus();
  }
}

/** Show how many of the possible questions there are. */
export function drawQuestionCount(count, max) {
  setText(byId("question-count"), `${number(count)} / ${number(max)}`);
}
