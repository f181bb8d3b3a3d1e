// Question x platform: in how many answers a brand is named. Each place opens its answers.

import { _ } from "../common/config.js";
import { h } from "../common/dom.js";
import { number } from "../common/format.js";

function place(cell, brand, where, onOpen) {
  const mentions = cell.mentions[brand] ?? 0;
  const told = cell.valid
    ? _("{where}：{valid} 条有效回答里有 {n} 条提到“{brand}”", { where, brand, valid: number(cell.valid), n: number(mentions) })
    : _("{where}：没有有效的回答", { where });
  const button = h(
    "button",
    { type: "button", class: "heat", "aria-label": told, onclick: () => onOpen({ question: cell.question, platform: cell.platform }) },
    cell.valid ? `${number(mentions)}/${number(cell.valid)}` : "–",
  );
  if (cell.valid) button.style.setProperty("--heat", (mentions / cell.valid).toFixed(3));
  else button.classList.add("nothing");
  return h("td", {}, button);
}

/** Fills a table; `cells` are those of some questions, in the order of the questions. */
export function drawHeatmap(table, { report, cells, brand, onOpen }) {
  const asked = new Set(cells.map((cell) => cell.question));
  const at = new Map(cells.map((cell) => [`${cell.question}/${cell.platform}`, cell]));
  const rows = report.questions.map((question, index) => ({ question, number: index + 1 })).filter(({ question }) => asked.has(question.id));
  const head = report.platforms.map((platform) => h("th", { scope: "col" }, platform.name));
  table.tHead.replaceChildren(h("tr", {}, h("th", { scope: "col" }, _("问题")), head));
  table.tBodies[0].replaceChildren(
    ...rows.map(({ question, number: n }) =>
      h(
        "tr",
        {},
        h("th", { scope: "row" }, h("span", { class: "heat-number" }, `${n}`), h("span", { class: "heat-question", title: question.text }, question.text)),
        report.platforms.map((platform) => {
          const cell = at.get(`${question.id}/${platform.id}`);
          return cell ? place(cell, brand, _("问题 {n}，{platform}", { n, platform: platform.name }), onOpen) : h("td", {}, "");
        }),
      ),
    ),
  );
}

/** Lets a person choose whose mentions the map shows. */
export function drawBrandChoice(select, report, chosen) {
  select.replaceChildren(
    ...report.brands.map((brand) => {
      const option = h("option", { value: brand.name }, brand.is_own ? _("{brand}（本品牌）", { brand: brand.name }) : brand.name);
      option.selected = brand.name === chosen;
      return option;
    }),
  );
}
