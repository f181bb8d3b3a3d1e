// The filters above the answers: by question, state, and which brands they name.

import { _ } from "../common/config.js";
import { announce, byId, h, setText } from "../common/dom.js";
import { number } from "../common/format.js";

/** Whether an answer names the brand, only others, or none of the diagnosis. */
function getNaming({ state, result, diagnosis }) {
  if (state !== "valid") return null;
  const mentioned = result?.mentioned || [];
  if (mentioned.includes(diagnosis.brand)) return "own";
  return mentioned.length ? "rival" : "none";
}

const MATCHERS = {
  question: (row, value) => row.question.id === value,
  platform: (row, value) => row.platform.id === value,
  state: (row, value) => row.state === value,
  naming: (row, value) => getNaming(row) === value,
};

/** Whether a row passes the filters `{question, platform, state, naming}`; an empty one passes all. */
export const matchesFilters = (row, filters) =>
  Object.entries(filters).every(([name, value]) => !value || MATCHERS[name](row, value));

/** Connect the selects to the answers. */
export function connectFilters(answers, diagnosis) {
  const question = byId("filter-question");
  const options = diagnosis.questions.map(({ id, text }, index) => h("option", { value: id }, `${index + 1}. ${text}`));
  question.append(...options);
  const platform = byId("filter-platform");
  platform.append(...diagnosis.platforms.map(({ id, name }) => h("option", { value: id }, name)));
  const selects = { question, platform, state: byId("filter-state"), naming: byId("filter-naming") };
  const apply = () => {
    const filters = Object.fromEntries(Object.entries(selects).map(([name, select]) => [name, select.value]));
    const { shown, total } = answers.setFilters(filters);
    const text = shown === total ? "" : _("显示 {shown} / {total} 条回答", { shown: number(shown), total: number(total) });
    setText(byId("filter-count"), text);
    byId("reset-filters").hidden = shown === total;
    announce(text);
  };
  for (const select of Object.values(selects)) select.addEventListener("change", apply);
  byId("reset-filters").addEventListener("click", () => {
    for (const select of Object.values(selects)) select.value = "";
    apply();
    question.focus();
  });
  byId("answer-filters").hidden = false;
}
