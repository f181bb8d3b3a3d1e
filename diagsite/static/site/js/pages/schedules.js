// The page of schedules: a new one from a diagnosis (`?from=`), with its estimate before, and the list.

import { createSchedule, deleteSchedule, estimateSchedule, getDiagnosis, listSchedules, pauseSchedule, resumeSchedule } from "../common/api.js";
import { config, _ } from "../common/config.js";
import { confirmed } from "../common/confirm_dialog.js";
import { announce, byId, debounced, h, setText } from "../common/dom.js";
import { problemCard, showProblem } from "../common/problem_display.js";
import { clearErrors, setError } from "../common/fields.js";
import { about, demoTag, listed, moment, number, yuan } from "../common/format.js";
import { asProblem } from "../common/problem.js";
import { emptyNote } from "../form/form_rows.js";
import { skipWords } from "../common/skip_reasons.js";

const form = byId("schedule-form");
const list = byId("schedules");
const from = new URLSearchParams(location.search).get("from");
let asked = null;
let known = null; // the latest estimate
let wantsBudget = true; // filled in with what a month costs, until the person has their own idea

const WEEKDAYS = [_("周一"), _("周二"), _("周三"), _("周四"), _("周五"), _("周六"), _("周日")];

// The form ---------------------------------------------------------------------------------------------------------

const isWeekly = () => form.every.value === "weekly";

function rhythm() {
  return { every: form.every.value, [isWeekly() ? "weekday" : "day"]: Number(isWeekly() ? form.weekday.value : form.day.value), time: form.time.value };
}

const budget = () => ({ budget_calls: form.budget_calls.valueAsNumber, budget_money: form.budget_money.value });

const isFilled = () => form.time.value && Number.isInteger(form.budget_calls.valueAsNumber) && form.budget_money.value !== "";

function cost({ calls, money }, runs) {
  const words = { calls: number(calls), money: yuan(Number(money)) };
  return runs === undefined ? _("{calls} 次调用，{money}", words) : _("{calls} 次调用，{money}（最多 {n} 次运行）", { ...words, n: runs });
}

function fact(name, ...value) {
  return h("div", {}, h("dt", {}, name), h("dd", {}, value));
}

function drawEstimate(found) {
  const facts = [
    fact(_("每次"), cost(found.run), found.seconds !== null && ` · ${_("约 {time}", { time: about(found.seconds) })}`),
    fact(_("每月"), cost(found.month, found.runs)),
    fact(_("第一次"), moment(found.next_at)),
    found.unpriced.length > 0 && fact(_("没有填价格的平台"), listed(found.unpriced)),
  ];
  byId("estimate").replaceChildren(...facts.filter(Boolean));
}

function drawVerdict(found) {
  const isRefused = found.refused !== "";
  const verdict = byId("verdict");
  verdict.dataset.carries = isRefused ? "none" : found.carries_month ? "month" : "run";
  const some = _("预算够运行一次，但不够一个月里的每一次；不够时会跳过并告诉您。");
  setText(verdict, isRefused ? skipWords(found.refused) : found.carries_month ? _("预算够一个月里的每一次。") : some);
}

async function estimate() {
  asked?.abort();
  const own = new AbortController();
  asked = own;
  if (!form.time.value) return;
  try {
    const body = { diagnosis: from, ...rhythm(), ...(!wantsBudget && isFilled() ? budget() : {}) };
    const found = await estimateSchedule(body, own.signal);
    if (wantsBudget) {
      form.budget_calls.value = found.month.calls;
      form.budget_money.value = (Math.ceil(Number(found.month.money) * 100) / 100).toFixed(2);
      wantsBudget = false;
    }
    clearErrors(form);
    byId("form-problem").replaceChildren();
    known = found;
    drawEstimate(found);
    drawVerdict(found);
  } catch (error) {
    if (!own.signal.aborted) refused(asProblem(error));
  }
}

function refused(problem) {
  const fields = Object.entries(problem.body.fields || {}).filter(([name]) => name in form.elements);
  for (const [name, why] of fields) setError(form.elements[name], why);
  if (fields.length) return;
  const why = Object.values(problem.body.fields || {}).map((text) => h("p", {}, text));
  const display = problem.body.copy.display === "page" ? "modal" : "inline";
  showProblem(problem, { where: byId("form-problem"), actions: { retry: estimate }, display });
  byId("form-problem").append(...why);
}

/** Says what is missing, or too little for a single run, at its field; false when there is nothing. */
function isIncomplete() {
  for (const input of [form.time, form.budget_calls, form.budget_money]) {
    if (input.value === "") setError(input, _("请填写这一项。"));
  }
  const tight = form.elements[known?.refused];
  if (tight) setError(tight, skipWords(known.refused));
  const first = form.querySelector("[data-invalid]");
  first?.focus();
  return Boolean(first);
}

async function submit(event) {
  event.preventDefault();
  if (isIncomplete()) return;
  const button = byId("submit");
  button.disabled = true;
  try {
    const made = await createSchedule({ diagnosis: from, ...rhythm(), ...budget() });
    history.replaceState(null, "", location.pathname);
    form.hidden = true;
    await load();
    announce(_("已开始，第一次在 {when}。", { when: moment(made.next_at).textContent }));
    byId("list-heading").focus();
  } catch (error) {
    refused(asProblem(error));
    form.querySelector("[data-invalid]")?.focus();
  }
  button.disabled = false;
}

const estimateSoon = debounced(estimate, 300);

function changed(event) {
  if (event.target.name === "every") wantsBudget = true;
  if (event.target.hasAttribute("data-invalid")) setError(event.target, "");
  byId("weekday-field").hidden = !isWeekly();
  byId("day-field").hidden = isWeekly();
  estimateSoon();
}

async function openForm() {
  if (!from) return;
  try {
    const diagnosis = await getDiagnosis(from);
    const words = { brand: diagnosis.brand, q: number(diagnosis.questions.length), platforms: listed(diagnosis.platforms.map(({ name }) => name)), r: diagnosis.repeats };
    setText(byId("form-order"), _("{brand}：{q} 个问题，问 {platforms}，每个问 {r} 次。", words));
    byId("form-demo").replaceChildren(...(diagnosis.platforms.some(({ demo }) => demo) ? [demoTag()] : []));
    form.hidden = false;
    byId("form-heading").focus();
    await estimate();
  } catch (error) {
    showProblem(error, { actions: { retry: openForm }, where: byId("page-problem") });
  }
}

// The list ---------------------------------------------------------------------------------------------------------

function rhythmWords(item) {
  const time = item.time.slice(0, 5);
  if (item.every === "weekly") return _("每{weekday} {time}", { weekday: WEEKDAYS[item.weekday], time });
  return _("每月 {day} 日 {time}", { day: item.day, time });
}

function spent({ estimate: found, budget_calls, budget_money }) {
  const words = { spent: number(found.spent.calls), most: number(budget_calls), money: yuan(Number(found.spent.money)), budget: yuan(Number(budget_money)) };
  return _("{spent} / {most} 次调用，{money} / {budget}", words);
}

function warning(item) {
  if (item.is_paused) return null;
  if (item.skip_reason) return h("p", { class: "warning" }, moment(item.skipped_at), " ", _("没有运行：{why}", { why: skipWords(item.skip_reason) }));
  if (!item.estimate.refused) return null;
  return h("p", { class: "warning" }, _("按现在的情况，下一次会跳过：{why}", { why: skipWords(item.estimate.refused) }));
}

function tools(item) {
  const pause = item.is_paused ? [_("恢复"), resumeSchedule] : [_("暂停"), pauseSchedule];
  const named = (label) => `${label} ${item.brand}`;
  return h(
    "div",
    { class: "form-actions" },
    h("button", { type: "button", class: "button", "aria-label": named(pause[0]), onclick: (event) => move(event.target, () => pause[1](item.id), item.id) }, pause[0]),
    h("button", { type: "button", class: "button quiet", "aria-label": named(_("删除")), onclick: (event) => remove(event.target, item) }, _("删除")),
  );
}

function card(item) {
  const last = item.last_diagnosis && h("a", { href: config.urls.diagnosis.replace("{id}", item.last_diagnosis) }, _("查看报告"));
  return h(
    "li",
    { class: "card schedule", "data-id": item.id },
    h("h3", {}, item.brand, " ", item.demo && demoTag(), " ", item.is_paused && h("span", { class: "chip" }, _("已暂停"))),
    h("p", { class: "hint" }, _("{q} 个问题 × {p} 个平台 × {r} 次", { q: item.questions.length, p: item.platforms.length, r: item.repeats })),
    h(
      "dl",
      {},
      fact(_("周期"), rhythmWords(item)),
      fact(_("下一次"), item.is_paused ? "–" : moment(item.next_at)),
      fact(_("本月用了"), spent(item)),
      fact(_("每次"), cost(item.estimate.run)),
      last && fact(_("最近一次"), last),
    ),
    warning(item),
    tools(item),
  );
}

async function move(button, act, id) {
  button.disabled = true;
  try {
    await act();
    await load();
    list.querySelector(`[data-id="${id}"] button`)?.focus();
  } catch (error) {
    button.disabled = false;
    showProblem(error, { actions: { retry: () => move(button, act, id) } });
  }
}

async function remove(button, item) {
  const question = {
    title: _("删除 {brand} 的定期诊断？", { brand: item.brand }),
    message: _("不会再自动运行，已有的诊断会保留。"),
    yes: _("删除"),
    no: _("保留"),
  };
  if (!(await confirmed(question))) return;
  await move(button, () => deleteSchedule(item.id), item.id);
  byId("list-heading").focus();
}

async function load() {
  try {
    const { items, most, zone } = await listSchedules();
    setText(byId("zone"), _("时间按 {zone}。", { zone }));
    setText(byId("schedule-count"), `${items.length} / ${most}`);
    list.replaceChildren(...(items.length ? items.map(card) : [emptyNote(_("还没有定期诊断。打开一份报告，在“趋势”里选“定期重复”。"))]));
  } catch (error) {
    list.replaceChildren(h("li", {}, problemCard(asProblem(error).body, { actions: { retry: load } })));
  }
}

form.addEventListener("submit", submit);
form.addEventListener("input", changed);
load();
openForm();
