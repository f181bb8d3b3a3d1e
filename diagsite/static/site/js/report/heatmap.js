// Question x platform: how many answers mention a brand. Each cell opens its answers.

import { _ } from "../common/config.js";
import { h } from "../common/dom.js";
import { number } from "../common/format.js";

function heatmapCell(cell, brand, position, onOpen) {
  const mentions = cell.mentions[brand] ?? 0;
  const text = cell.valid ? `${number(mentions)}/${number(cell.valid)}` : "–";
  const label = cell.valid
    ? _("{where}：{valid} 条有效回答里有 {n} 条提到“{brand}”", { where: position, brand, valid: number(cell.valid), n: number(mentions) })
    : _("{where}：没有有效的回答", { where: position });
  const button = h(
    "button",
    { type: "button", class: "heat", "aria-label": `${text} · ${label}`, onclick: () => onOpen({ question: cell.question, platform: cell.platform }) },
    text,
  );
  if (cell.valid) button.style.setProperty("--heat", (mentions / cell.valid).toFixed(3));
  else button.classList.add("no-answer");
  return h("td", {}, button);
}

/** Fill a table with `cells` of the report, in the order of its questions. */
export function drawHeatmap(table, { report, cells, brand, onOpen }) {
  const questionIds = new Set(cells.map((cell) => cell.question));
  const cellsByKey = new Map(cells.map((cell) => [`${cell.question}/${cell.platform}`, cell]));
  const rows = report.questions.map((question, index) => ({ question, n: index + 1 })).filter(({ question }) => questionIds.has(question.id));
  const head = report.platforms.map((platform) => h("th", { scope: "col" }, platform.name));
  table.tHead.replaceChildren(h("tr", {}, h("th", { scope: "col" }, _("问题")), head));
  table.tBodies[0].replaceChildren(
    ...rows.map(({ question, n }) =>
      h(
        "tr",
        {},
        h("th", { scope: "row" }, h("span", { class: "heat-number" }, `${n}`), h("span", { class: "heat-question", title: question.text }, question.text)),
        report.platforms.map((platform) => {
          const cell = cellsByKey.get(`${question.id}/${platform.id}`);
          return cell ? heatmapCell(cell, brand, _("问题 {n}，{platform}", { n, platform: platform.name }), onOpen) : h("td", {}, "");
        }),
      ),
    ),
  );
}

/** Fill the select for the brand whose mentions the heat map shows. */
export function drawBrandOptions(select, report, selected) {
  select.replaceChildren(
    ...report.brands.map((brand) => {
      const option = h("option", { value: brand.name }, brand.is_own ? _("{brand}（本品牌）", { brand: brand.name }) : brand.name);
      option.selected = brand.name === selected;
      return option;
    }),
  );
}
