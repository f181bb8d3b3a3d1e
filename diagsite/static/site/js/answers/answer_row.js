// The elements of one answer: a line with its state and brands, and its content, which is loaded when it is opened.

import { _, config } from "../common/config.js";
import { h, setText } from "../common/dom.js";
import { dateTime, demoTag } from "../common/elements.js";
import { answerStateLabel, duration } from "../common/format.js";
import { brandChip, markMentions } from "./mentions.js";

function stateText({ state, error }) {
  return error?.copy ? `${answerStateLabel(state)} · ${error.copy.title}` : answerStateLabel(state);
}

export class AnswerRow {
  constructor({ question, platform, repeat, diagnosis }) {
    Object.assign(this, { question, platform, repeat, diagnosis, state: "pending", id: null, result: null, details: null });
    this.item = h("li", { class: "answer", "data-state": "pending", "data-platform": platform.id });
    this.item.append(h("div", { class: "answer-line" }, this.source(), h("span", { class: "answer-state" }, answerStateLabel("pending"))));
  }

  source() {
    const repeat = this.diagnosis.repeats > 1 && h("span", { class: "answer-repeat" }, _("第 {n} 次", { n: this.repeat }));
    return h("span", { class: "answer-platform" }, this.platform.name, this.platform.demo && demoTag(), repeat);
  }

  /** Show a result; `onOpen` loads the content. */
  showResult(id, result, onOpen) {
    Object.assign(this, { state: result.state, id, result });
    this.item.dataset.state = result.state;
    this.body = h("div", { class: "answer-body" });
    this.line = h("summary", { class: "answer-line" }, this.source(), this.summary());
    this.details = h("details", {}, this.line, this.body);
    this.details.addEventListener("toggle", () => this.details.open && onOpen(this));
    this.item.replaceChildren(this.details);
  }

  /** Events have only the code of a failure: add its text from the stored answer. */
  addErrorText(result) {
    if (!result.error?.copy || this.result.error) return;
    this.result = result;
    setText(this.item.querySelector(".answer-state"), stateText(result));
  }

  summary() {
    const { result } = this;
    const chips = (result.mentioned || []).map((name) => brandChip(name, this.diagnosis.brand));
    chips.push(...(result.uncertain || []).map((name) => brandChip(name, this.diagnosis.brand, { isUncertain: true })));
    const mentionsNone = result.state === "valid" && !chips.length;
    return [
      h("span", { class: "answer-state" }, stateText(result)),
      mentionsNone && h("span", { class: "answer-none" }, _("没有提到本次诊断的品牌")),
      chips.length > 0 && h("span", { class: "answer-brands" }, chips),
      result.truncated && h("span", { class: "chip" }, _("被截断，不计入比例")),
      result.without_search && h("span", { class: "chip" }, _("没有联网，不计入比例")),
      result.carried_over && h("span", { class: "chip" }, _("沿用")),
      result.ms > 0 && h("span", { class: "answer-time" }, duration(result.ms / 1000)),
    ];
  }

  get isFilled() {
    return this.body?.dataset.filled === "yes";
  }

  /** Fill in the content of a stored answer. */
  fill(answer, { isCorrectable }) {
    this.body.dataset.filled = "yes";
    this.body.replaceChildren(...this.content(answer, isCorrectable));
  }

  /** Redraw after a correction; an open answer stays open. `answer` is the stored one, if its text is loaded. */
  redraw(result, answer, { isCorrectable }) {
    this.result = result;
    this.line.replaceChildren(...[this.source(), this.summary()].flat().filter(Boolean));
    if (this.isFilled && answer) this.fill(answer, { isCorrectable });
  }

  content(answer, isCorrectable) {
    if (answer.state === "valid") {
      const source = [answer.model, answer.answered_at && dateTime(answer.answered_at)].filter(Boolean);
      return [
        h("p", { class: "answer-text" }, markMentions(answer.text, answer.mentions, this.diagnosis.brand, { isCorrectable })),
        h("p", { class: "answer-source" }, source.map((part) => h("span", {}, part)), h("a", { href: `${config.urls.feedback}?answer=${answer.id}` }, _("举报"))),
      ];
    }
    if (!answer.error?.copy) return [h("p", {}, _("没有得到可用的回答。"))];
    const { title, message, suggestion } = answer.error.copy;
    return [h("p", { class: "answer-reason" }, title), message && h("p", {}, message), suggestion && h("p", { class: "hint" }, suggestion)].filter(Boolean);
  }

  /** The diagnosis has ended without this answer. */
  markMissing() {
    this.item.dataset.state = "missing";
    setText(this.item.querySelector(".answer-state"), _("没有等到回答"));
  }
}
