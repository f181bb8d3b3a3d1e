// Two diagnoses side by side: platforms, questions on each platform, and their answers, which are loaded when opened.

import { markMentions } from "../answers/mentions.js";
import { iterateAnswers } from "../common/api.js";
import { _ } from "../common/config.js";
import { byId, h } from "../common/dom.js";
import { number, percent } from "../common/format.js";
import { asProblem } from "../common/problem.js";
import { problemCard } from "../common/problem_display.js";

const countText = ({ mentions, valid }) => `${number(mentions)} / ${number(valid)}`;

const rateText = (count) => `${percent(count.mentions / count.valid)} (${countText(count)})`;

/** Return the valid answers of a diagnosis to a question on a platform. */
async function loadAnswers(diagnosis, question, platform) {
  const answers = [];
  for await (const answer of iterateAnswers(diagnosis, question)) {
    if (answer.platform === platform && answer.state === "valid") answers.push(answer);
  }
  return answers;
}

function answersColumn(label, answers, brand) {
  const texts = answers.map(({ text, mentions }) => h("p", { class: "answer-text" }, markMentions(text, mentions, brand)));
  return h("section", {}, h("h4", {}, label), texts.length ? texts : h("p", { class: "hint" }, _("没有得到可用的回答。")));
}

/** A platform's counts of one question; opened, the answers of both diagnoses. */
function cellItem({ cell, question, comparison, name }) {
  const { before, after } = comparison;
  const body = h("div", { class: "compared-answers" });
  const load = async () => {
    if (body.childElementCount && !body.querySelector(".problem")) return;
    body.replaceChildren(h("p", { class: "loading" }, _("正在读取回答…")));
    try {
      const sides = [
        [_("前一次"), before, question.before],
        [_("后一次"), after, question.after],
      ];
      const columns = sides.map(async ([label, { id, brand }, asked]) => answersColumn(label, await loadAnswers(id, asked, cell.platform), brand));
      body.replaceChildren(...(await Promise.all(columns)));
    } catch (error) {
      body.replaceChildren(problemCard(asProblem(error).body, { actions: { retry: load } }));
    }
  };
  const line = h("summary", {}, h("span", {}, name), h("span", { class: "compared-counts" }, `${countText(cell.before)} → ${countText(cell.after)}`));
  const details = h("details", { class: "compared-cell" }, line, body);
  details.addEventListener("toggle", () => details.open && load());
  return details;
}

/** Draw the tables of platforms and questions of a comparison. */
export function drawComparedCells(comparison) {
  const { platforms, questions } = comparison;
  const rows = platforms.map(({ name, before, after }) => h("tr", {}, h("th", { scope: "row" }, name), h("td", {}, rateText(before)), h("td", {}, rateText(after))));
  byId("compared-platforms").replaceChildren(...rows);
  byId("compared-platforms-section").hidden = !platforms.length;
  const names = new Map(platforms.map(({ platform, name }) => [platform, name]));
  const sections = questions.map((question) => {
    const cells = question.cells.map((cell) => cellItem({ cell, question, comparison, name: names.get(cell.platform) }));
    return h("section", { class: "compared-question" }, h("h3", {}, question.text), cells);
  });
  byId("compared-questions").replaceChildren(...sections);
  byId("compared-questions-section").hidden = !questions.length;
}
