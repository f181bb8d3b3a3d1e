// The form of a new schedule, which repeats the diagnosis of `?from=`; an estimate follows every change.

import { createSchedule, estimateSchedule, getDiagnosis } from "../common/api.js";
import { _ } from "../common/config.js";
import { announce, byId, debounce, h, setText } from "../common/dom.js";
import { confirmDialog } from "../common/confirm_dialog.js";
import { demoTag } from "../common/elements.js";
import { clearErrors, setError } from "../common/fields.js";
import { joinNames, number, roundedDuration, skipReasonLabel, zonedTimeText } from "../common/format.js";
import { asProblem } from "../common/problem.js";
import { showProblem } from "../common/problem_display.js";
import { costText, fact, zonedTime } from "./schedule_text.js";

const ESTIMATE_DELAY_MS = 300;

const form = byId("schedule-form");
const diagnosisId = new URLSearchParams(location.search).get("from");
let request = null;
let latestEstimate = null;
// The budget is filled in with the cost of a month until the user changes it.
let fillsBudget = true;

function readRecurrence() {
  const days = { daily: {}, weekly: { weekday: Number(form.weekday.value) }, monthly: { day: Number(form.day.value) } };
  const every = form.every.value;
  return { every, ...days[every], time: form.time.value };
}

const readBudget = () => ({ budget_calls: form.budget_calls.valueAsNumber, budget_money: form.budget_money.value });

const isComplete = () => form.time.value && Number.isInteger(form.budget_calls.valueAsNumber) && form.budget_money.value !== "";

function drawEstimate(estimate) {
  const duration = estimate.seconds !== null && ` · ${_("约 {time}", { time: roundedDuration(estimate.seconds) })}`;
  const facts = [
    fact(_("每次"), costText(estimate.run), duration),
    fact(_("每月"), costText(estimate.month, estimate.runs)),
    fact(_("第一次"), zonedTime(estimate.next_at, estimate.zone)),
    ...estimate.unavailable.map(({ name, reason }) => fact(_("现在不能询问"), _("{name}：{reason}", { name, reason }))),
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

const confirmDuplicate = () =>
  confirmDialog({
    title: _("再建一个同样的定期诊断？"),
    message: _("已有同样的品牌、问题、平台和时间的定期诊断，再建一个会重复付费。"),
    yes: _("仍然新建"),
    no: _("不建了"),
  });

/** Create a schedule; ask first if there is one like it. Resolves to null if the user declines. */
async function createConfirmed(body) {
  if (!latestEstimate?.is_duplicate) {
    try {
      return await createSchedule(body);
    } catch (error) {
      // The estimate was not yet that of the latest input.
      if (!asProblem(error).body.fields?.confirm_duplicate) throw error;
    }
  }
  return (await confirmDuplicate()) ? createSchedule({ ...body, confirm_duplicate: true }) : null;
}

async function submit(event, onCreated) {
  event.preventDefault();
  if (!validate()) return;
  const button = byId("submit");
  button.disabled = true;
  try {
    const created = await createConfirmed({ diagnosis: diagnosisId, ...readRecurrence(), ...readBudget() });
    if (!created) {
      button.disabled = false;
      return;
    }
    history.replaceState(null, "", location.pathname);
    form.hidden = true;
    await onCreated();
    announce(_("已开始，第一次在 {when}。", { when: zonedTimeText(created.next_at, created.zone) }));
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
  byId("weekday-field").hidden = form.every.value !== "weekly";
  byId("day-field").hidden = form.every.value !== "monthly";
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
