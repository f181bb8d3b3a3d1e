// The answers, a place for each from the beginning, filled as they arrive; the text comes when it is wanted.

import { eachAnswer } from "./api.js";
import { _ } from "./config.js";
import { h, setText } from "./dom.js";
import { problemCard } from "./errors.js";
import { demoTag, duration, moment } from "./format.js";
import { brandChip, markedText } from "./marks.js";
import { asProblem } from "./problem.js";

const STATES = { valid: _("有效"), failed: _("失败"), filtered: _("被过滤") };

const placeKey = (question, platform, repeat) => `${question}/${platform}/${repeat}`;

export class Answers {
  constructor(root, diagnosis) {
    this.root = root;
    this.diagnosis = diagnosis;
    this.places = new Map();
    this.byId = new Map();
    this.groups = new Map();
    this.stored = new Map();
    this.loading = null;
    this.draw();
  }

  draw() {
    const { questions, platforms, repeats } = this.diagnosis;
    this.root.replaceChildren(
      ...questions.map((question, index) => {
        const counter = h("span", { class: "group-count" });
        const list = h("ul", { class: "answer-list" });
        for (const platform of platforms) {
          for (let repeat = 1; repeat <= repeats; repeat += 1) list.append(this.place(question, platform, repeat));
        }
        this.groups.set(String(question.id), { counter, total: platforms.length * repeats, done: 0 });
        const heading = h("h3", { id: `question-${index}` }, h("span", { class: "question-number" }, `${index + 1}`), h("span", {}, question.text), counter);
        return h("section", { class: "answer-group", "aria-labelledby": `question-${index}` }, heading, list);
      }),
    );
    for (const group of this.groups.values()) this.count(group);
  }

  count(group) {
    setText(group.counter, `${group.done} / ${group.total}`);
  }

  /** How many answers there are of each state. */
  counts() {
    const counts = { valid: 0, failed: 0, filtered: 0 };
    for (const { state } of this.places.values()) if (state in counts) counts[state] += 1;
    return counts;
  }

  place(question, platform, repeat) {
    const item = h("li", { class: "answer", "data-state": "pending", "data-platform": platform.id });
    const place = { item, question, platform, repeat, state: "pending", result: null };
    item.append(h("div", { class: "answer-line" }, this.who(place), h("span", { class: "answer-state" }, _("等待回答"))));
    this.places.set(placeKey(question.id, platform.id, repeat), place);
    return item;
  }

  who({ platform, repeat }) {
    const again = this.diagnosis.repeats > 1 && h("span", { class: "answer-repeat" }, _("第 {n} 次", { n: repeat }));
    return h("span", { class: "answer-who" }, platform.name, platform.demo && demoTag(), again);
  }

  /** Takes one result, from an event or from the stored answers; the same one twice changes nothing. */
  update(id, result) {
    const place = this.places.get(placeKey(result.question, result.platform, result.repeat));
    if (!place) return;
    if (place.state === result.state) {
      this.addReason(place, result);
      return;
    }
    if (place.state === "pending") {
      const group = this.groups.get(String(result.question));
      group.done += 1;
      this.count(group);
    }
    place.state = result.state;
    place.id = id;
    place.result = result;
    this.byId.set(String(id), place);
    place.item.dataset.state = result.state;
    place.item.replaceChildren(this.arrived(place));
  }

  // The event that told of a failure had only its code; the stored answer knows the words.
  addReason(place, result) {
    if (!result.error?.copy || place.result.error) return;
    place.result = result;
    setText(place.item.querySelector(".answer-state"), this.stateOf(result));
  }

  stateOf({ state, error }) {
    return error?.copy ? `${STATES[state]} · ${error.copy.title}` : STATES[state];
  }

  arrived(place) {
    const body = h("div", { class: "answer-body" });
    const details = h("details", {}, h("summary", { class: "answer-line" }, this.who(place), this.summary(place)), body);
    details.addEventListener("toggle", () => details.open && this.open(place, body));
    place.body = body;
    return details;
  }

  summary({ result }) {
    const own = this.diagnosis.brand;
    const brands = result.mentioned || [];
    const chips = brands.map((name) => brandChip(name, own));
    const isSilent = result.state === "valid" && !brands.length;
    return [
      h("span", { class: "answer-state" }, this.stateOf(result)),
      isSilent && h("span", { class: "answer-none" }, _("没有提到任何品牌")),
      chips.length > 0 && h("span", { class: "answer-brands" }, chips),
      result.carried_over && h("span", { class: "chip" }, _("沿用")),
      result.ms > 0 && h("span", { class: "answer-time" }, duration(result.ms / 1000)),
    ];
  }

  async open(place, body) {
    if (body.dataset.filled) return;
    body.replaceChildren(h("p", { class: "loading" }, _("正在读取回答…")));
    try {
      await this.fetchUntil(String(place.id));
    } catch (error) {
      const retry = () => this.open(place, body);
      body.replaceChildren(problemCard(asProblem(error).body, { actions: { retry }, heading: "h4" }));
      return;
    }
    const answer = this.stored.get(String(place.id));
    if (!answer) {
      body.replaceChildren(h("p", { class: "loading" }, _("回答正在入库，请稍后再打开。")));
      return;
    }
    body.dataset.filled = "yes";
    body.replaceChildren(...this.content(answer));
  }

  content(answer) {
    if (answer.state === "valid") {
      const source = [answer.model, answer.answered_at && moment(answer.answered_at)].filter(Boolean);
      return [
        h("p", { class: "answer-text" }, markedText(answer.text, answer.mentions, this.diagnosis.brand)),
        h("p", { class: "answer-source" }, source.map((part) => h("span", {}, part))),
      ];
    }
    if (!answer.error?.copy) return [h("p", {}, _("没有得到可用的回答。"))];
    const { title, message, suggestion } = answer.error.copy;
    return [h("p", { class: "answer-reason" }, title), message && h("p", {}, message), suggestion && h("p", { class: "hint" }, suggestion)].filter(Boolean);
  }

  /** Reads stored answers until this one is among them; readers share one pass. */
  async fetchUntil(id) {
    while (!this.stored.has(id)) {
      const isFresh = !this.loading;
      this.loading ??= this.fetchAll().finally(() => {
        this.loading = null;
      });
      await this.loading;
      if (isFresh) return;
    }
  }

  /** Reads every stored answer and fills the places that no event has filled. */
  async fetchAll() {
    for await (const answer of eachAnswer(this.diagnosis.id)) {
      if (!(answer.state in STATES)) continue;
      this.stored.set(String(answer.id), answer);
      const mentioned = [...new Set((answer.mentions || []).map((mention) => mention.brand))];
      this.update(answer.id, { ...answer, mentioned });
    }
  }

  /** Shows one platform's answers, or all with null. */
  filter(platform) {
    for (const place of this.places.values()) place.item.hidden = platform !== null && String(place.platform.id) !== platform;
  }

  /** What will not come any more is said so, when the diagnosis has ended. */
  end() {
    for (const place of this.places.values()) {
      if (place.state !== "pending") continue;
      place.item.dataset.state = "missing";
      setText(place.item.querySelector(".answer-state"), _("没有等到回答"));
    }
  }

  /** Opens or closes every answer. */
  async toggleAll(isOpen) {
    if (isOpen) await this.fetchAll();
    for (const details of this.root.querySelectorAll("details")) details.open = isOpen;
  }
}
