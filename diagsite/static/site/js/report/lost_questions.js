// The questions for which more answers mention a competitor than the own brand.

import { _ } from "../common/config.js";
import { h } from "../common/dom.js";
import { joinNames } from "../common/format.js";
import { mentionCount } from "./cells.js";

/** Fill the section; hide it when there are no competitors. */
export function drawLostQuestions(section, report, onOpen) {
  const own = report.brands.find((brand) => brand.is_own);
  section.hidden = report.brands.length < 2 || !own?.figures.valid;
  const texts = new Map(report.questions.map((question) => [question.id, question.text]));
  const item = (lost) =>
    h(
      "li",
      {},
      h("button", { type: "button", class: "link question-link", onclick: () => onOpen({ question: lost.question }) }, texts.get(lost.question)),
      h(
        "p",
        { class: "lost-question-counts" },
        _("{winners}领先：{theirs}；本品牌：{ours}", {
          winners: joinNames(lost.winners),
          theirs: mentionCount(lost.winners_mentions, lost.valid),
          ours: mentionCount(lost.mentions, lost.valid),
        }),
      ),
    );
  const none = h("li", { class: "empty" }, _("没有：每个问题上，提到本品牌的回答都不比竞品少。"));
  section.querySelector("ul").replaceChildren(...(report.lost.length ? report.lost.map(item) : [none]));
}
