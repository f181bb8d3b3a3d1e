// All answers of a diagnosis: one row for each from the beginning, filled when the answer arrives; texts are loaded on demand.

import { correctMention, iterateAnswers, listAnswerSummaries } from "../common/api.js";
import { _ } from "../common/config.js";
import { byId, h, setText } from "../common/dom.js";
import { asProblem } from "../common/problem.js";
import { problemCard, showProblem } from "../common/problem_display.js";
import { matchesFilters } from "./answer_filters.js";
import { AnswerRow } from "./answer_row.js";
import { openMentionMenu } from "./mention_menu.js";

const getKey = (question, platform, repeat) => `${question}/${platform}/${repeat}`;

export class Answers {
  constructor(root, diagnosis) {
    this.root = root;
    this.diagnosis = diagnosis;
    this.rows = new Map(); // by question/platform/repeat
    this.rowsById = new Map(); // by the answer's id
    this.groups = new Map(); // by question
    this.stored = new Map(); // the API's answers with their texts, by id
    this.loading = new Map(); // the requests for them, by question
    this.listed = null; // the request that fills the rows
    this.onListed = () => {}; // called when they are filled
    this.onCorrected = null;
    root.addEventListener("click", (event) => this.handlePress(event));
    root.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") this.handlePress(event);
    });
    root.replaceChildren(...diagnosis.questions.map((question, index) => this.createGroup(question, index)));
  }

  createGroup(question, index) {
    const { platforms, repeats } = this.diagnosis;
    const counter = h("span", { class: "group-count" });
    const list = h("ul", { class: "answer-list" });
    const recognitionChip = h("span", { class: "chip", hidden: true }, _("认知"));
    for (const platform of platforms) {
      for (let repeat = 1; repeat <= repeats; repeat += 1) {
        const row = new AnswerRow({ question, platform, repeat, diagnosis: this.diagnosis });
        this.rows.set(getKey(question.id, platform.id, repeat), row);
        list.append(row.item);
      }
    }
    const group = { counter, recognitionChip, total: platforms.length * repeats, done: 0 };
    this.groups.set(question.id, group);
    this.drawCounter(group);
    const number = h("span", { class: "question-number" }, `${index + 1}`);
    const heading = h("h3", { id: `question-${index}` }, number, h("span", {}, question.text, " ", recognitionChip), counter);
    return h("section", { class: "answer-group", "aria-labelledby": `question-${index}` }, heading, list);
  }

  drawCounter(group) {
    setText(group.counter, `${group.done} / ${group.total}`);
  }

  /** Return the number of answers by state. */
  countStates() {
    const counts = { valid: 0, failed: 0, filtered: 0 };
    for (const { state } of this.rows.values()) if (state in counts) counts[state] += 1;
    return counts;
  }

  /** Apply one result, from an event or from a stored answer; applying it again changes nothing. */
  update(id, result) {
    const row = this.rows.get(getKey(result.question, result.platform, result.repeat));
    if (!row) return;
    if (row.state === result.state) {
      row.addErrorText(result);
      return;
    }
    if (row.state === "pending") {
      const group = this.groups.get(result.question);
      group.done += 1;
      this.drawCounter(group);
    }
    this.rowsById.set(id, row);
    row.showResult(id, result, () => this.loadContent(row));
  }

  async loadContent(row) {
    if (row.isFilled) return;
    row.body.replaceChildren(h("p", { class: "loading" }, _("正在读取回答…")));
    try {
      await this.loadTexts([row.id]);
    } catch (error) {
      const retry = () => this.loadContent(row);
      row.body.replaceChildren(problemCard(asProblem(error).body, { actions: { retry }, heading: "h4" }));
      return;
    }
    const answer = this.stored.get(row.id);
    if (answer) row.fill(answer, { isCorrectable: Boolean(this.onCorrected) });
    else row.body.replaceChildren(h("p", { class: "loading" }, _("回答正在入库，请稍后再打开。")));
  }

  /** Load the texts of answers into `stored`, with those to the same questions; what is there is not loaded again. */
  async loadTexts(ids) {
    const wanted = ids.filter((id) => !this.stored.has(id));
    if (wanted.some((id) => !this.rowsById.has(id))) await this.whenListed();
    const missing = wanted.map((id) => this.rowsById.get(id)?.question.id);
    await Promise.all([...new Set(missing.filter(Boolean))].map((question) => this.loadQuestion(question)));
  }

  /** Load the answers to a question; concurrent callers share one request. */
  async loadQuestion(question) {
    if (!this.loading.has(question)) {
      const request = this.storeAnswers(question).finally(() => this.loading.delete(question));
      this.loading.set(question, request);
    }
    await this.loading.get(question);
  }

  async storeAnswers(question) {
    for await (const answer of iterateAnswers(this.diagnosis.id, question)) {
      if (answer.state !== "pending") this.stored.set(answer.id, answer);
    }
  }

  /** Wait until the rows are filled; the first caller has them loaded. */
  whenListed() {
    this.listed ??= this.loadSummaries().then(() => this.onListed());
    this.listed.catch(() => {
      this.listed = null;
    });
    return this.listed;
  }

  /** Fill the rows that no event has filled, without texts; return the summaries. */
  async loadSummaries() {
    const summaries = await listAnswerSummaries(this.diagnosis.id);
    for (const summary of summaries) if (summary.state !== "pending") this.update(summary.id, summary);
    return summaries;
  }

  /** Load everything that is shown again and redraw it in place; open answers stay open. */
  async reload() {
    const questions = new Set([...this.stored.values()].map(({ question }) => question));
    const [summaries] = await Promise.all([this.loadSummaries(), ...[...questions].map((question) => this.loadQuestion(question))]);
    for (const summary of summaries) {
      this.rowsById.get(summary.id)?.redraw(summary, this.stored.get(summary.id), { isCorrectable: Boolean(this.onCorrected) });
    }
  }

  /** Mark the questions that name a brand, which are counted separately. */
  markRecognition(questions) {
    for (const { id, kind } of questions) {
      const group = this.groups.get(id);
      if (group) group.recognitionChip.hidden = kind !== "recognition";
    }
  }

  /** Open the answers of `{question, platform}` or the one with `{id}`, and scroll to the first. */
  async reveal({ question = null, platform = null, id = null }) {
    await this.whenListed();
    const isMatch = (row) =>
      id === null ? row.question.id === question && (platform === null || row.platform.id === platform) : row.id === id;
    const matches = [...this.rows.values()].filter(isMatch);
    for (const row of matches) {
      row.item.hidden = false;
      row.item.closest(".answer-group").hidden = false;
    }
    await Promise.all(
      matches.filter(({ details }) => details).map((row) => {
        row.details.open = true;
        return this.loadContent(row);
      }),
    );
    const first = matches[0]?.item;
    first?.scrollIntoView({ block: "start" });
    first?.querySelector("summary")?.focus({ preventScroll: true });
  }

  /** Scroll to the first uncertain mention of a brand, for the user to confirm or reject. */
  async revealUncertain(brand) {
    await this.whenListed();
    const row = [...this.rows.values()].find(({ result }) => result?.uncertain?.includes(brand));
    if (!row) return;
    await this.reveal({ id: row.id });
    const mark = [...row.body.querySelectorAll("mark[data-state=uncertain]")].find(({ dataset }) => dataset.brand === brand);
    mark?.focus({ preventScroll: true });
    mark?.scrollIntoView({ block: "center" });
  }

  handlePress(event) {
    const mark = event.target.closest("mark[role=button]");
    // The click that ends a text selection is not a press.
    if (!mark || (event.type === "click" && !window.getSelection().isCollapsed)) return;
    event.preventDefault();
    const row = [...this.rows.values()].find(({ item }) => item === mark.closest(".answer"));
    const { brand, start, end, state } = mark.dataset;
    const mention = { answer: row.id, brand, start: Number(start), end: Number(end) };
    openMentionMenu(mark, { brand, state }, (kind) => this.correct(kind, mention, row));
  }

  async correct(kind, mention, row) {
    try {
      await correctMention(this.diagnosis.id, kind, mention);
      await this.onCorrected();
      const mark = row.body.querySelector(`mark[data-start="${mention.start}"]`);
      (mark || row.line).focus({ preventScroll: true });
    } catch (error) {
      showProblem(error, { display: "toast" });
    }
  }

  /** Make the marks clickable; `onCorrected` is awaited after each correction. */
  allowCorrections(onCorrected) {
    this.onCorrected = onCorrected;
    byId("marks-hint").hidden = false;
    for (const row of this.rowsById.values()) {
      const answer = this.stored.get(row.id);
      if (answer && row.isFilled) row.fill(answer, { isCorrectable: true });
    }
  }

  /** Show the answers that pass the filters, and hide questions without one; return how many there are. */
  setFilters(filters) {
    let shown = 0;
    for (const row of this.rows.values()) {
      row.item.hidden = !matchesFilters(row, filters);
      if (!row.item.hidden) shown += 1;
    }
    for (const group of this.root.children) group.hidden = !group.querySelector(".answer:not([hidden])");
    return { shown, total: this.rows.size };
  }

  /** The diagnosis has ended: mark the answers that are still pending as missing. */
  markEnded() {
    for (const row of this.rows.values()) if (row.state === "pending") row.markMissing();
  }

  /** Open or close all answers. */
  async toggleAll(isOpen) {
    if (isOpen) await Promise.all([this.whenListed(), this.storeAnswers(null)]);
    for (const details of this.root.querySelectorAll("details")) details.open = isOpen;
  }
}
