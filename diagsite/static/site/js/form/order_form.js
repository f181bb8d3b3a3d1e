// The form of an order: of a single diagnosis on the start page, and of the first run of a new workspace.

import { acceptDocuments, getConsent, listPlatforms } from "../common/api.js";
import { _ } from "../common/config.js";
import { announce, byId, debounce, h, setText } from "../common/dom.js";
import { clearErrors, fitHeight, setError } from "../common/fields.js";
import { number } from "../common/format.js";
import { asProblem } from "../common/problem.js";
import { problemCard, showProblem } from "../common/problem_display.js";
import { localStore } from "../common/storage.js";
import { buildRequest, clearDraft, clearSubmissionKey, getSubmissionKey, saveDraft } from "./draft.js";
import { CompetitorSuggestions } from "./competitor_suggestions.js";
import { FormRows, handleLines } from "./form_rows.js";
import { describeEstimate, describeSelection, drawPlatforms, getSelectedIds, selectPlatforms } from "./platform_picker.js";
import { QuestionTemplates } from "./question_templates.js";
import { RecognitionCheck } from "./recognition_check.js";
import { findMissingFields, showFieldErrors } from "./validation.js";

const LAST_PLATFORMS_KEY = "diag.platforms";
const SAVE_DELAY_MS = 300;

export const form = byId("start-form");
const platformList = byId("platforms");
let platforms = [];
let platformsLoaded = null;
/** The state of the consent; null until it is known, and then the server decides. */
let consent = null;
/** Sends a request body with its idempotency key and returns the address to go to. */
let send = null;

// The form

export const competitors = new FormRows({
  list: byId("competitors"),
  template: "competitor-row",
  addButton: byId("add-competitor"),
  counter: byId("competitor-count"),
  max: 10,
  onChange: () => handleChange(),
});

const questions = new FormRows({
  list: byId("questions"),
  template: "question-row",
  addButton: byId("add-question"),
  counter: byId("question-count"),
  max: 20,
  onChange: () => handleChange(),
  onRow: (row) => {
    handleLines(questions, row, showRejectedLines);
    fitHeight(row.querySelector("textarea"));
  },
});

/** Keep pasted lines that have no room on the page, so that nothing is lost. */
function showRejectedLines(lines) {
  const box = byId("rejected-lines");
  box.hidden = !lines.length;
  if (!lines.length) return;
  const text = _("最多 {max} 个问题，还有 {n} 行没有加入：", { max: number(questions.max), n: number(lines.length) });
  box.replaceChildren(h("p", {}, text), h("ul", {}, ...lines.map((line) => h("li", {}, line))));
  announce(text);
}

const getQuestionInputs = () => questions.rows.map((row) => row.querySelector("textarea"));
export const getQuestionTexts = () => questions.values.map(([text]) => text.trim());

function readForm() {
  return {
    brand: form.brand.value,
    aliases: form.aliases.value,
    sites: form.sites.value,
    competitors: competitors.values,
    questions: questions.values,
    platforms: getSelectedIds(platformList),
    repeats: Number(form.repeats.value),
  };
}

/** Fill in a draft; see draft.js. */
export function fillForm(draft) {
  form.brand.value = draft.brand;
  form.aliases.value = draft.aliases;
  form.sites.value = draft.sites || "";
  competitors.fill(draft.competitors);
  questions.fill(draft.questions.length ? draft.questions : [[""]]);
  form.repeats.value = String(draft.repeats);
  clearErrors(form);
  tickPlatforms(draft.platforms);
}

/** Tick these platforms only. */
export function tickPlatforms(ids) {
  for (const checkbox of platformList.querySelectorAll("input")) checkbox.checked = ids.includes(checkbox.value);
  setError(byId("platforms-field"), "");
  handleChange();
}

function getSelectedPlatforms() {
  const selected = getSelectedIds(platformList);
  return platforms.filter(({ id }) => selected.includes(id));
}

/** Say at the platforms what is paused, and why the selection cannot be sent. */
function showSelection() {
  const { warnings, error } = describeSelection(getSelectedPlatforms());
  const texts = error && !warnings.includes(error) ? [...warnings, error] : warnings;
  const list = byId("platforms-warning");
  if (list.textContent === texts.join("")) return; // not announced again
  list.replaceChildren(...texts.map((text) => h("li", {}, text)));
  list.hidden = texts.length === 0;
}

function showEstimate() {
  const count = getQuestionTexts().filter(Boolean).length;
  const estimate = describeEstimate(getSelectedPlatforms(), count, Number(form.repeats.value));
  setText(byId("calls"), estimate.calls);
  setText(byId("calls-breakdown"), estimate.breakdown);
  setText(byId("estimated-duration"), estimate.duration);
  setText(byId("estimated-cost"), estimate.cost);
}

const recognitionCheck = new RecognitionCheck({
  getRequest: () => buildRequest(readForm()),
  getInputs: getQuestionInputs,
  onChecked: (count, total) => {
    const note = byId("recognition-note");
    note.hidden = !count;
    if (!count) return;
    setText(note, count === total ? _("每个问题都写了品牌名，测不出提及率。") : _("{n} 个问题写了品牌名，会单独计为“认知”。", { n: number(count) }));
  },
});

/** Add a question to the form, or remove it. */
export function toggleQuestion(text) {
  const inputs = getQuestionInputs();
  const selected = inputs.find((input) => input.value.trim() === text);
  const input = selected || inputs.find(({ value }) => !value.trim());
  if (input) input.value = selected ? "" : text;
  else questions.append({ values: [text] });
  if (input) fitHeight(input);
  handleChange();
}

const templates = new QuestionTemplates({ getQuestions: getQuestionTexts, toggle: toggleQuestion });

const suggestions = new CompetitorSuggestions(competitors);

const saveDraftSoon = debounce(() => saveDraft(readForm()), SAVE_DELAY_MS);

/** Update what depends on the form after a change by a script. */
export function handleChange() {
  showSelection();
  showEstimate();
  recognitionCheck.schedule();
  templates.draw();
  suggestions.refresh();
  saveDraftSoon();
}

// Submission

async function loadConsent() {
  consent = await getConsent().catch(() => null);
  byId("consent-field").hidden = !consent?.is_required;
}

/** Record the consent of the ticked box. */
async function acceptIfRequired() {
  if (!consent?.is_required) return;
  consent = await acceptDocuments(consent.version);
  byId("consent-field").hidden = true;
}

function setBusy(isBusy) {
  const button = byId("submit");
  button.disabled = isBusy;
  button.setAttribute("aria-busy", String(isBusy));
  setText(button, isBusy ? _("正在提交…") : _("开始诊断"));
}

async function submit(event) {
  event?.preventDefault();
  clearErrors(form);
  byId("form-problem").replaceChildren();
  await platformsLoaded;
  const { body, rows } = buildRequest(readForm());
  const { error: selectionError } = describeSelection(getSelectedPlatforms());
  const fields = { ...findMissingFields(body), ...(selectionError && { platforms: selectionError }) };
  if (Object.keys(fields).length) {
    showFieldErrors(form, fields, rows);
    return;
  }
  if (consent?.is_required && !form.consent.checked) {
    setError(form.consent, _("请先阅读并同意。"));
    form.consent.focus();
    return;
  }
  const aboutBrand = recognitionCheck.getQuestionsAboutBrand(body.questions);
  if (aboutBrand.length) body.questions_about_brand = aboutBrand;
  setBusy(true);
  try {
    await acceptIfRequired();
    const target = await send(body, getSubmissionKey(body));
    clearSubmissionKey();
    clearDraft();
    localStore.set(LAST_PLATFORMS_KEY, body.platforms);
    location.assign(target);
  } catch (error) {
    setBusy(false);
    handleRejection(asProblem(error), rows);
  }
}

function handleRejection(problem, rows) {
  const { code, fields } = problem.body;
  if (code === "CONFLICT") clearSubmissionKey();
  if (code === "CONSENT_REQUIRED" || fields?.version) loadConsent(); // the documents have changed meanwhile
  if (fields && showFieldErrors(form, fields, rows)) return;
  // Never replace the page: the form must stay visible.
  const display = problem.body.copy.display === "page" ? "modal" : null;
  showProblem(problem, { container: byId("form-problem"), actions: { retry: () => submit() }, display });
}

// The platforms

/** Return the platforms once they are loaded. */
export async function getPlatforms() {
  await platformsLoaded;
  return platforms;
}

async function loadPlatforms(preferred, allHealthy) {
  const problemContainer = byId("platforms-problem");
  problemContainer.replaceChildren();
  byId("platforms-loading").hidden = false;
  try {
    platforms = await listPlatforms();
    drawPlatforms(platformList, platforms, selectPlatforms(platforms, { preferred, allHealthy }));
    byId("no-platforms").hidden = platforms.length > 0;
    byId("healthy-note").hidden = !(allHealthy && getSelectedIds(platformList).length);
  } catch (error) {
    const retry = () => loadPlatforms(preferred, allHealthy);
    problemContainer.replaceChildren(problemCard(asProblem(error).body, { actions: { retry } }));
  }
  byId("platforms-loading").hidden = true;
  handleChange();
}

/** Open the form: `draft` is what it starts with, `sendOrder` sends it; `allHealthy` ticks all platforms that work. */
export function openOrderForm({ draft, sendOrder, allHealthy = false }) {
  send = sendOrder;
  // What was typed before this script was loaded is newer than the draft.
  const typed = [form.brand, form.aliases, form.sites].filter(({ value, defaultValue }) => value !== defaultValue);
  const values = Object.fromEntries(typed.map(({ name, value }) => [name, value]));
  const initial = draft || { brand: "", aliases: "", competitors: [["", ""]], questions: [[""], [""], [""]], platforms: [], repeats: 1 };
  fillForm({ ...initial, ...values });
  const preferred = draft?.platforms?.length ? draft.platforms : localStore.get(LAST_PLATFORMS_KEY) || [];
  platformsLoaded = loadPlatforms(preferred, allHealthy);
  loadConsent();
}

form.addEventListener("submit", submit);
form.addEventListener("input", (event) => {
  if (event.target.matches("textarea")) fitHeight(event.target);
  if (event.target.hasAttribute("data-invalid")) setError(event.target, "");
  handleChange();
});
platformList.addEventListener("change", () => setError(byId("platforms-field"), ""));
window.addEventListener("pageshow", () => setBusy(false));
