// The form of a new schedule, which repeats the diagnosis of `?from=`; an estimate follows every change.

import { createSchedule, estimateSchedule, getDiagnosis } from "../common/api.js";
import { _ } from "../common/config.js";
import { announce, byId, debounce, h, setText } from "../common/dom.js";
import { dateTime, demoTag } from "../common/elements.js";
import { clearErrors, setError } from "../common/fields.js";
import { dateTimeText, joinNames, number, roundedDuration, skipReasonLabel } from "../common/format.js";
import { asProblem } from "../common/problem.js";
import { showProblem } from "../common/problem_display.js";
import { costText, fact } from "./schedule_text.js";

const ESTIMATE_DELAY_MS = 300;

const form = byId("schedule-form");
const diagnosisId = new URLSearchParams(location.search).get("from");
let request = null;
let latestEstimate = null;
// The budget is filled in with the cost of a month until the user changes it.
let fillsBudget = true;

const isWeekly = () => form.every.value === "weekly";

function readRecurrence() {
  const day = isWeekly() ? { weekday: Number(form.weekday.value) } : { day: Number(form.day.value) };
  return { every: form.every.value, ...day, time: form.time.value };
}

const readBudget = () => ({ budget_calls: form.budget_calls.valueAsNumber, budget_money: form.budget_money.value });

const isComplete = () => form.time.value && Number.isInteger(form.budget_calls.valueAsNumber) && form.budget_money.value !== "";

function drawEstimate(estimate) {
  const duration = estimate.seconds !== null && ` · ${_("约 {time}", { time: roundedDuration(estimate.seconds) })}`;
  const facts = [
    fact(_("每次"), costText(estimate.run), duration),
    fact(_("每月"), costText(estimate.month, estimate.runs)),
    fact(_("第一次"), dateTime(estimate.next_at)),
    estimate.unpriced.length > 0 && fact(_("没有填价格的平台"), joinNames(estimate.unpriced)),
  ];
  byId("estimate").replaceChildren(...facts.filter(Boolean));
}

/** Say whether the budget covers every run of a month, one run, or none. */
function drawBudgetStatus({ refused, carries_month: coversMonth }) {
  const status = byId("budget-status");
  status.dataset.covers = refused !== "" ? "nothing" : coversMonth ? "month" : "run";
  const oneRun = _("预算够运行一次，但不够一个月里的每一次；不够时会跳过并告诉您。");
  setText(status, refused !== "" ? skipReasonLabel(refused) : coversMonth ? _("预算够一个月里的每一次。") : oneRun);
}

async function updateEstimate() {
  request?.abort();
  const controller = new AbortController();
  request = controller;
  if (!form.time.value) return;
  try {
    const budget = !fillsBudget && isComplete() ? readBudget() : {};
    const estimate = await estimateSchedule({ diagnosis: diagnosisId, ...readRecurrence(), ...budget }, controller.signal);
    if (fillsBudget) {
      form.budget_calls.value = estimate.month.calls;
      form.budget_money.value = (Math.ceil(Number(estimate.month.money) * 100) / 100).toFixed(2);
      fillsBudget = false;
    }
    clearErrors(form);
    byId("form-problem").replaceChildren();
    latestEstimate = estimate;
    drawEstimate(estimate);
    drawBudgetStatus(estimate);
  } catch (error) {
    if (!controller.signal.aborted) showRejection(asProblem(error));
  }
}

function showRejection(problem) {
  const errors = Object.entries(problem.body.fields || {});
  const ofFields = errors.filter(([name]) => name in form.elements);
  for (const [name, message] of ofFields) setError(form.elements[name], message);
  if (ofFields.length) return;
  const display = problem.body.copy.display === "page" ? "modal" : "inline";
  showProblem(problem, { container: byId("form-problem"), actions: { retry: updateEstimate }, display });
  byId("form-problem").append(...errors.map(([, message]) => h("p", {}, message)));
}

/** Mark missing values, and a budget that covers no run, at their fields; return whether the form is valid. */
function validate() {
  for (const input of [form.time, form.budget_calls, form.budget_money]) {
    if (input.value === "") setError(input, _("请填写这一项。"));
  }
  const tooSmall = form.elements[latestEstimate?.refused];
  if (tooSmall) setError(tooSmall, skipReasonLabel(latestEstimate.refused));
  const first = form.querySelector("[data-invalid]");
  first?.focus();
  return !first;
}

async function submit(event, onCreated) {
  event.preventDefault();
  if (!validate()) return;
  const button = byId("submit");
  button.disabled = true;
  try {
    const created = await createSchedule({ diagnosis: diagnosisId, ...readRecurrence(), ...readBudget() });
    history.replaceState(null, "", location.pathname);
    form.hidden = true;
    await onCreated();
    announce(_("已开始，第一次在 {when}。", { when: dateTimeText(created.next_at) }));
  } catch (error) {
    showRejection(asProblem(error));
    form.querySelector("[data-invalid]")?.focus();
  }
  button.disabled = false;
}

const updateEstimateSoon = debounce(updateEstimate, ESTIMATE_DELAY_MS);

function handleInput({ target }) {
  if (target.name === "every") fillsBudget = true;
  if (target.hasAttribute("data-invalid")) setError(target, "");
  byId("weekday-field").hidden = !isWeekly();
  byId("day-field").hidden = isWeekly();
  updateEstimateSoon();
}

async function load() {
  try {
    const { brand, questions, platforms, repeats } = await getDiagnosis(diagnosisId);
    const values = { brand, q: number(questions.length), platforms: joinNames(platforms.map(({ name }) => name)), r: repeats };
    setText(byId("schedule-summary"), _("{brand}：{q} 个问题，问 {platforms}，每个问 {r} 次。", values));
    byId("form-demo").replaceChildren(...(platforms.some(({ demo }) => demo) ? [demoTag()] : []));
    form.hidden = false;
    byId("form-heading").focus();
    await updateEstimate();
  } catch (error) {
    showProblem(error, { actions: { retry: load }, container: byId("page-problem") });
  }
}

/** Show the form when the address names a diagnosis; `onCreated` is awaited after a schedule was created. */
export function openForm({ onCreated }) {
  if (!diagnosisId) return;
  form.addEventListener("submit", (event) => submit(event, onCreated));
  form.addEventListener("input", handleInput);
  load();
}
