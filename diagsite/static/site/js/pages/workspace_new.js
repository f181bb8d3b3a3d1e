// The way in: a brand with suggested spellings, competitors and questions becomes a workspace with its first run.

import { _, diagnosisUrl } from "../common/config.js";
import { announce, byId, debounce, h, setText } from "../common/dom.js";
import { setError } from "../common/fields.js";
import { showProblem } from "../common/problem_display.js";
import { loadDraft, splitNames } from "../form/draft.js";
import { competitors, form, getQuestionTexts, handleChange, openOrderForm, toggleQuestion } from "../form/order_form.js";
import { askJudge, getSuggestions, startWorkspace } from "../workspace/api.js";
import { judgeButtonText } from "../workspace/question_suggestions.js";
import { suggestSpellings } from "../workspace/spelling_suggestions.js";

const DELAY_MS = 500;

/** What the judge has suggested. */
let judged = { spellings: [], competitors: [], questions: [] };
let isJudgeOffered = false;

async function sendOrder(body, key) {
  try {
    const { id } = await startWorkspace(body, key);
    return diagnosisUrl(id);
  } catch (error) {
    const fields = error.body?.fields;
    if (fields?.name) fields.brand = fields.name; // the name of the workspace is the brand's
    throw error;
  }
}

/** Draw buttons that add a suggestion; the focus goes to the next one. */
function drawButtons(box, texts, add, fallback) {
  box.hidden = !texts.length;
  box.replaceChildren(
    h("span", { class: "hint" }, _("建议：")),
    ...texts.map((text) => {
      const press = () => {
        add(text);
        draw();
        (box.querySelector("button") || fallback).focus();
      };
      return h("button", { type: "button", class: "button quiet", onclick: press }, `+ ${text}`);
    }),
  );
}

function addSpelling(text) {
  form.aliases.value = [...splitNames(form.aliases.value), text].join("、");
  handleChange();
}

function addCompetitor(name) {
  const empty = competitors.rows.find((row) => [...row.querySelectorAll("input")].every((input) => !input.value.trim()));
  if (empty) empty.querySelector("input").value = name;
  else if (!competitors.append({ values: [name] })) announce(_("最多 {n} 个竞品。", { n: competitors.max }));
  handleChange();
}

function drawQuestions() {
  const entered = getQuestionTexts();
  byId("judge-questions").replaceChildren(
    ...judged.questions.map((text, index) => {
      const isSelected = entered.includes(text);
      const icon = h("span", { "aria-hidden": "true" }, isSelected ? "✓" : "＋");
      const press = () => {
        toggleQuestion(text);
        drawQuestions();
        byId("judge-questions").children[index].querySelector("button").focus();
      };
      return h("li", {}, h("button", { type: "button", class: "button template", "aria-pressed": String(isSelected), onclick: press }, icon, h("span", { lang: "zh-Hans" }, text)));
    }),
  );
}

function draw() {
  const brand = form.brand.value.trim();
  const written = new Set([brand, ...splitNames(form.aliases.value)]);
  const spellings = [...new Set([...suggestSpellings(brand), ...judged.spellings])].filter((text) => !written.has(text));
  drawButtons(byId("spelling-suggestions"), spellings, addSpelling, form.aliases);
  const entered = new Set(competitors.values.map(([name]) => name.trim()));
  const rivals = judged.competitors.filter((name) => !entered.has(name));
  drawButtons(byId("competitor-suggestions"), rivals, addCompetitor, byId("add-competitor"));
  drawQuestions();
}

/** Offer the judge once the brand has a name. */
async function offerJudge() {
  const brand = form.brand.value.trim();
  if (isJudgeOffered || !brand) return;
  isJudgeOffered = true;
  const { judge } = await getSuggestions(brand).catch(() => ({ judge: null })); // templates remain
  byId("judge-offer").hidden = !judge;
  if (judge) setText(byId("ask-judge"), judgeButtonText(judge));
}

async function ask() {
  const product = byId("template-product");
  setError(form.brand, form.brand.value.trim() ? "" : _("请填写品牌名。"));
  setError(product, product.value.trim() ? "" : _("请先填写产品。"));
  const invalid = [form.brand, product].find((input) => input.hasAttribute("data-invalid"));
  if (invalid) {
    invalid.focus();
    return;
  }
  const button = byId("ask-judge");
  button.disabled = true;
  byId("judge-problem").replaceChildren();
  announce(_("正在读取…"));
  try {
    judged = await askJudge({ brand: form.brand.value.trim(), product: product.value.trim() });
    draw();
    announce(_("有 {n} 个建议的问题。", { n: judged.questions.length }));
  } catch (error) {
    showProblem(error, { container: byId("judge-problem"), display: "inline" });
  }
  button.disabled = false;
}

const update = debounce(() => {
  draw();
  offerJudge();
}, DELAY_MS);

openOrderForm({ draft: loadDraft(), sendOrder });
form.querySelector(".templates").open = true;
form.addEventListener("input", update);
byId("ask-judge").addEventListener("click", ask);
update();
