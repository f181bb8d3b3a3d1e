// The answers, a place for each from the beginning, filled as they arrive; the text comes when it is wanted.

import { eachAnswer, judgeHit } from "../common/api.js";
import { _ } from "../common/config.js";
import { byId, h, setText } from "../common/dom.js";
import { problemCard, showProblem } from "../common/problem_display.js";
import { demoTag, duration, moment } from "../common/format.js";
import { openHitMenu } from "./mention_menu.js";
import { brandChip, markedText } from "./mentions.js";
import { asProblem } from "../common/problem.js";

const STATES = { valid: _("有效"), failed: _("失败"), filtered: _("被过滤") };

// The names that count, and those of which only the person can say; as the report tells them apart.
function withBrands(answer) {
  const mentions = answer.mentions || [];
  const mentioned = new Set(mentions.filter(({ state }) => state !== "uncertain").map(({ brand }) => brand));
  const uncertain = new Set(mentions.map(({ brand }) => brand).filter((brand) => !mentioned.has(brand)));
  return { ...answer, mentioned: [...mentioned], uncertain: [...uncertain] };
}

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
    this.onCorrected = null;
    root.addEventListener("click", (event) => this.press(event));
    root.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") this.press(event);
    });
    this.draw();
  }

  draw() {
    const { questions, platforms, repeats } = this.diagnosis;
    this.root.replaceChildren(
      ...questions.map((question, index) => {
        const counter = h("span", { class: "group-count" });
        const list = h("ul", { class: "answer-list" });
        const kind = h("span", { class: "chip", hidden: true }, _("认知"));
        for (const platform of platforms) {
          for (let repeat = 1; repeat <= repeats; repeat += 1) list.append(this.place(question, platform, repeat));
        }
        this.groups.set(String(question.id), { counter, kind, total: platforms.length * repeats, done: 0 });
        const heading = h("h3", { id: `question-${index}` }, h("span", { class: "question-number" }, `${index + 1}`), h("span", {}, question.text, " ", kind), counter);
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
    const line = h("summary", { class: "answer-line" }, this.who(place), this.summary(place));
    const details = h("details", {}, line, body);
    details.addEventListener("toggle", () => details.open && this.open(place, body));
    Object.assign(place, { body, line, details });
    return details;
  }

  summary({ result }) {
    const own = this.diagnosis.brand;
    const brands = result.mentioned || [];
    const chips = brands.map((name) => brandChip(name, own));
    chips.push(...(result.uncertain || []).map((name) => brandChip(name, own, { isUncertain: true })));
    const isSilent = result.state === "valid" && !chips.length;
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
        h("p", { class: "answer-text" }, markedText(answer.text, answer.mentions, this.diagnosis.brand, { isCorrectable: Boolean(this.onCorrected) })),
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
      this.update(answer.id, withBrands(answer));
    }
  }

  /** Reads everything again and draws it in place: what is open stays open. */
  async refresh() {
    await this.fetchAll();
    for (const [id, place] of this.byId) {
      const answer = this.stored.get(id);
      if (answer) this.redraw(place, answer);
    }
  }

  redraw(place, answer) {
    place.result = withBrands(answer);
    place.line.replaceChildren(...[this.who(place), this.summary(place)].flat().filter(Boolean));
    if (place.body.dataset.filled) place.body.replaceChildren(...this.content(answer));
  }

  /** Says which questions name a brand, and are counted apart. */
  tellKinds(questions) {
    for (const { id, kind } of questions) {
      const group = this.groups.get(String(id));
      if (group) group.kind.hidden = kind !== "recognition";
    }
  }

  /** Opens the answers of a place, `{question, platform}` or `{id}`, and goes there. */
  async reveal({ question = null, platform = null, id = null }) {
    const isWanted = (place) =>
      id === null
        ? String(place.question.id) === String(question) && (platform === null || String(place.platform.id) === String(platform))
        : String(place.id) === String(id);
    const wanted = [...this.places.values()].filter(isWanted);
    for (const place of wanted) place.item.hidden = false;
    await Promise.all(wanted.filter(({ details }) => details).map((place) => this.openNow(place)));
    const first = wanted[0]?.item;
    first?.scrollIntoView({ block: "start" });
    first?.querySelector("summary")?.focus({ preventScroll: true });
    return wanted;
  }

  async openNow(place) {
    place.details.open = true;
    await this.open(place, place.body);
  }

  /** Goes to the first answer that may name this brand, for the person to say. */
  async review(brand) {
    const isDoubtful = (place) => place.result?.uncertain?.includes(brand);
    const place = [...this.places.values()].find(isDoubtful);
    if (!place) return;
    await this.reveal({ id: place.id });
    const marks = [...place.body.querySelectorAll("mark[data-state=uncertain]")];
    const mark = marks.find((one) => one.dataset.brand === brand);
    mark?.focus({ preventScroll: true });
    mark?.scrollIntoView({ block: "center" });
  }

  press(event) {
    const mark = event.target.closest("mark[role=button]");
    // Who selects text does not press.
    if (!mark || (event.type === "click" && !window.getSelection().isCollapsed)) return;
    event.preventDefault();
    const place = this.places.get(this.keyOf(mark));
    const { brand, start, end, state } = mark.dataset;
    const hit = { answer: place.id, brand, start: Number(start), end: Number(end) };
    openHitMenu(mark, { brand, state }, (kind) => this.correct(kind, hit, place));
  }

  keyOf(mark) {
    const item = mark.closest(".answer");
    return [...this.places].find(([, place]) => place.item === item)[0];
  }

  async correct(kind, hit, place) {
    try {
      await judgeHit(this.diagnosis.id, kind, hit);
      await this.onCorrected();
      const same = place.body.querySelector(`mark[data-start="${hit.start}"]`);
      (same || place.line).focus({ preventScroll: true });
    } catch (error) {
      showProblem(error, { display: "toast" });
    }
  }

  /** From here on the marks can be pressed; `onCorrected` is awaited after each correction. */
  allowCorrections(onCorrected) {
    this.onCorrected = onCorrected;
    byId("marks-hint").hidden = false;
    for (const place of this.byId.values()) {
      const answer = this.stored.get(String(place.id));
      if (answer && place.body.dataset.filled) place.body.replaceChildren(...this.content(answer));
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
