// The first page: fill in a diagnosis and start it.

import { createDiagnosis, getDiagnosis, listDiagnoses, listPlatforms } from "../common/api.js";
import { config, _ } from "../common/config.js";
import { confirmed } from "../common/confirm_dialog.js";
import { announce, byId, debounced, setText } from "../common/dom.js";
import { bodyOf, clearDraft, draftFrom, forgetSubmission, loadDraft, saveDraft, submissionKey } from "../form/draft.js";
import { problemCard, showProblem } from "../common/problem_display.js";
import { clearErrors, fitHeight, setError } from "../common/fields.js";
import { about, number, yuan } from "../common/format.js";
import { diagnosisItem } from "../common/diagnosis_item.js";
import { NamedQuestions } from "../form/question_check.js";
import { chosenIds, drawPlatforms, estimate, firstChoice } from "../form/platform_picker.js";
import { asProblem } from "../common/problem.js";
import { QuestionTemplates } from "../form/question_templates.js";
import { Rows, asLines, emptyNote } from "../form/form_rows.js";
import { sample } from "../form/sample.js";
import { kept } from "../common/storage.js";

const LAST_PLATFORMS = "diag.platforms";
const form = byId("start-form");
const list = byId("platforms");
let platforms = [];
let platformsAsked = null;

const competitors = new Rows({
  list: byId("competitors"),
  template: "competitor-row",
  add: byId("add-competitor"),
  count: byId("competitor-count"),
  max: 10,
  onChange: () => changed(),
});

const questions = new Rows({
  list: byId("questions"),
  template: "question-row",
  add: byId("add-question"),
  count: byId("question-count"),
  max: 20,
  onChange: () => changed(),
  onRow: (row) => {
    asLines(questions, row, spreadLines);
    fitHeight(row.querySelector("textarea"));
  },
});

function spreadLines(row, input, lines) {
  input.value = lines[0];
  let last = row;
  for (const line of lines.slice(1)) last = questions.append({ values: [line], after: last }) || last;
  last.querySelector("textarea").focus();
}

function valuesOf(rows) {
  return rows.rows.map((row) => [...row.querySelectorAll("input, textarea")].map((input) => input.value));
}

function read() {
  return {
    brand: form.brand.value,
    aliases: form.aliases.value,
    competitors: valuesOf(competitors),
    questions: valuesOf(questions),
    platforms: chosenIds(list),
    repeats: Number(form.repeats.value),
  };
}

function write(draft) {
  form.brand.value = draft.brand;
  form.aliases.value = draft.aliases;
  competitors.fill(draft.competitors);
  questions.fill(draft.questions.length ? draft.questions : [[""]]);
  form.repeats.value = String(draft.repeats);
  clearErrors(form);
  tick(draft.platforms);
}

const chosenPlatforms = () => platforms.filter((platform) => chosenIds(list).includes(String(platform.id)));

function showEstimate() {
  const count = valuesOf(questions).filter(([text]) => text.trim()).length;
  const repeats = Number(form.repeats.value);
  const chosen = chosenPlatforms();
  const { calls, seconds, cost } = estimate(chosen, count, repeats);
  setText(byId("calls"), number(calls));
  setText(byId("calls-how"), _("{q} 个问题 × {p} 个平台 × {r} 次", { q: count, p: chosen.length, r: repeats }));
  setText(byId("expected"), calls && seconds !== null ? _("约 {time}", { time: about(seconds) }) : "–");
  setText(byId("cost"), calls && cost !== null ? (cost > 0 ? _("约 {price}", { price: yuan(cost) }) : _("免费")) : "–");
}

const questionInputs = () => questions.rows.map((row) => row.querySelector("textarea"));

const named = new NamedQuestions({
  read: () => bodyOf(read(), (id) => id),
  inputs: questionInputs,
  onKnown: (count, total) => {
    byId("named-note").hidden = !count;
    if (count) setText(byId("named-note"), count === total ? _("每个问题都写了品牌名，测不出提及率。") : _("{n} 个问题写了品牌名，会单独计为“认知”。", { n: number(count) }));
  },
});

const templates = new QuestionTemplates({
  taken: () => valuesOf(questions).map(([text]) => text.trim()),
  toggle: toggleQuestion,
});

function toggleQuestion(text) {
  const inputs = questionInputs();
  const taken = inputs.find((input) => input.value.trim() === text);
  const free = taken || inputs.find((input) => !input.value.trim());
  if (free) free.value = taken ? "" : text;
  else questions.append({ values: [text] });
  if (free) fitHeight(free);
  changed();
}

const remember = debounced(() => saveDraft(read()), 300);

function changed() {
  showEstimate();
  named.later();
  templates.draw();
  remember();
}

/** The field that a path of the API's problem means: `questions.2` -> the third question that was sent. */
function fieldAt(path, rows) {
  const [name, index, part] = path.split(".");
  if (name === "questions") return questionInputs()[rows.questions[index] ?? 0];
  if (name === "competitors") {
    const row = competitors.rows[rows.competitors[index] ?? 0];
    return row?.querySelector(part === "aliases" ? "[name=competitor_aliases]" : "[name=competitor]");
  }
  if (name === "platforms") return byId("platforms-field");
  if (name === "repeats") return form.querySelector("[name=repeats]:checked");
  return name === "brand" || name === "aliases" ? form[name] : null;
}

/** Says each error at its field and moves to the first; false when none of them has a field here. */
function showFieldErrors(fields, rows) {
  const placed = Object.entries(fields).map(([path, why]) => [fieldAt(path, rows), why]).filter(([input]) => input);
  for (const [input, why] of placed) setError(input, why);
  const first = form.querySelector("[data-invalid]");
  if (!first) return false;
  announce(_("有 {n} 处需要修改。", { n: placed.length }));
  first.focus();
  first.scrollIntoView({ block: "center" });
  return true;
}

function missing(body) {
  const fields = {};
  if (!body.brand) fields.brand = _("请填写品牌名。");
  body.competitors.forEach(({ name }, index) => {
    if (!name) fields[`competitors.${index}.name`] = _("请填写竞品名称，或删除这一行。");
  });
  if (!body.questions.length) fields.questions = _("请至少填写一个问题。");
  if (!body.platforms.length) fields.platforms = _("请至少选择一个平台。");
  return fields;
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
  await platformsAsked;
  const idOf = (id) => platforms.find((platform) => String(platform.id) === id).id;
  const { body, rows } = bodyOf(read(), idOf);
  const fields = missing(body);
  if (Object.keys(fields).length) {
    showFieldErrors(fields, rows);
    return;
  }
  setBusy(true);
  try {
    const created = await createDiagnosis(body, submissionKey(body));
    forgetSubmission();
    clearDraft();
    kept.set(LAST_PLATFORMS, body.platforms.map(String));
    location.assign(config.urls.diagnosis.replace("{id}", created.id));
  } catch (error) {
    setBusy(false);
    refused(asProblem(error), rows);
  }
}

function refused(problem, rows) {
  const { code, fields } = problem.body;
  if (code === "CONFLICT") forgetSubmission();
  if (fields && showFieldErrors(fields, rows)) return;
  // What was typed stays in sight, whatever the problem.
  const display = problem.body.copy.display === "page" ? "modal" : null;
  showProblem(problem, { where: byId("form-problem"), actions: { retry: () => submit() }, display });
}

function tick(ids) {
  for (const box of list.querySelectorAll("input")) box.checked = ids.includes(box.value);
  setError(byId("platforms-field"), "");
  changed();
}

function tickForSample() {
  const healthy = platforms.filter((platform) => platform.healthy);
  const demo = healthy.filter((platform) => platform.demo).slice(0, 2);
  tick((demo.length ? demo : healthy.slice(0, 1)).map(({ id }) => String(id)));
}

async function fillSample() {
  const draft = read();
  const isTouched = draft.brand || valuesOf(questions).some(([text]) => text.trim());
  const question = { title: _("换成示例？"), message: _("您已填写的内容会被替换。"), yes: _("换成示例"), no: _("保留我填的") };
  if (isTouched && !(await confirmed(question))) return;
  write(sample);
  announce(_("已填入示例，可以直接开始。"));
  byId("submit").focus({ preventScroll: true });
  // The words are there at once, even where the platforms are still on their way.
  await platformsAsked;
  tickForSample();
}

async function loadPlatforms(wanted, allHealthy) {
  const where = byId("platforms-problem");
  where.replaceChildren();
  byId("platforms-loading").hidden = false;
  try {
    platforms = await listPlatforms();
    drawPlatforms(list, platforms, firstChoice(platforms, { wanted, allHealthy }));
    byId("no-platforms").hidden = platforms.length > 0;
    byId("healthy-note").hidden = !(allHealthy && chosenIds(list).length);
  } catch (error) {
    where.replaceChildren(problemCard(asProblem(error).body, { actions: { retry: () => loadPlatforms(wanted, allHealthy) } }));
  }
  byId("platforms-loading").hidden = true;
  changed();
}

async function loadLatest() {
  const latest = byId("latest");
  try {
    const { items } = await listDiagnoses({});
    const shown = items.slice(0, 5).map(diagnosisItem);
    latest.replaceChildren(...(shown.length ? shown : [emptyNote(_("还没有诊断。填好上面的表单，几分钟后就有第一份报告。"))]));
  } catch (error) {
    latest.replaceChildren(problemCard(asProblem(error).body, { actions: { retry: loadLatest } }));
  }
}

async function firstDraft(from) {
  if (!from) return loadDraft();
  try {
    return draftFrom(await getDiagnosis(from));
  } catch (error) {
    showProblem(error, { display: "toast" });
    return loadDraft();
  }
}

async function start() {
  const parameters = new URLSearchParams(location.search);
  const draft = await firstDraft(parameters.get("from"));
  write(draft || { brand: "", aliases: "", competitors: [["", ""]], questions: [[""], [""], [""]], platforms: [], repeats: 1 });
  const wanted = draft?.platforms?.length ? draft.platforms : kept.get(LAST_PLATFORMS);
  platformsAsked = loadPlatforms(wanted, parameters.get("platforms") === "healthy");
  loadLatest();
}

form.addEventListener("submit", submit);
form.addEventListener("input", (event) => {
  if (event.target.matches("textarea")) fitHeight(event.target);
  if (event.target.hasAttribute("data-invalid")) setError(event.target, "");
  changed();
});
list.addEventListener("change", () => setError(byId("platforms-field"), ""));
byId("sample").addEventListener("click", fillSample);
window.addEventListener("pageshow", () => setBusy(false));
start();
