// The page of one diagnosis: follows it while it runs, then shows its report in the same place.

import { Answers } from "../diagnosis/answers.js";
import { cancelDiagnosis, getDiagnosis, getReport, listCorrections, retryDiagnosis } from "../common/api.js";
import { config, _ } from "../common/config.js";
import { confirmed } from "../common/confirm_dialog.js";
import { announce, byId, h, setText, withoutJump } from "../common/dom.js";
import { problemCard, showProblem } from "../common/problem_display.js";
import { isRunning, moment, number, statusChip, statusName } from "../common/format.js";
import { follow } from "../diagnosis/event_stream.js";
import { isProblemBody } from "../common/problem.js";
import { Progress } from "../diagnosis/progress.js";
import { headline } from "../report/headline.js";
import { scopeName } from "../report/cells.js";
import { ReportSections } from "../report/sections.js";
import { showActions } from "../report/report_actions.js";
import { randomId } from "../common/storage.js";

const id = byId("main").dataset.diagnosis;
const progress = new Progress();
const retryKey = randomId();
let diagnosis = null;
let answers = null;
let presenter = null;
let sections = null;
let stop = () => {};
let hasReport = false;

function drawHead() {
  setText(byId("brand"), diagnosis.brand);
  const rivals = diagnosis.brands.filter((brand) => !brand.is_own).map((brand) => brand.name);
  const facts = [
    moment(diagnosis.created_at),
    _("{n} 次调用", { n: number(diagnosis.planned) }),
    rivals.length > 0 && _("竞品 {n} 个", { n: rivals.length }),
  ].filter(Boolean);
  byId("facts").replaceChildren(...facts.map((fact) => h("li", {}, fact)));
  byId("demo-banner").hidden = !diagnosis.demo;
  byId("status").replaceChildren(statusChip(diagnosis.status));
  drawCarriedOver();
  byId("again").href = `${config.urls.start}?from=${diagnosis.id}`;
}

function drawCarriedOver() {
  const line = byId("carried-over");
  line.hidden = !diagnosis.retry_of;
  if (!diagnosis.retry_of) return;
  const link = h("a", { href: config.urls.diagnosis.replace("{id}", diagnosis.retry_of) }, _("查看上一次"));
  line.replaceChildren(_("这是一次补问：沿用了 {n} 条已有的回答，只重新询问失败的。", { n: number(diagnosis.carried_over || 0) }), " ", link);
}

function setTitle(text) {
  document.title = `${text} · ${_("AI 可见度诊断")}`;
}

function drawProgress(view) {
  if (progress.draw(view)) {
    announce(statusName(view.stage));
    byId("status").replaceChildren(statusChip(view.stage));
  }
  setTitle(`${progress.percent}% ${diagnosis.brand}`);
}

function noticeCard(problem) {
  const platform = diagnosis.platforms.find((one) => String(one.id) === String(problem.platform));
  return h("li", {}, problemCard(problem, { prefix: platform?.name }));
}

function drawNotices(problems) {
  const known = new Map(problems.filter(isProblemBody).map((problem) => [`${problem.code}/${problem.platform}`, problem]));
  byId("notices").replaceChildren(...[...known.values()].map(noticeCard));
}

function onEvents(events) {
  presenter.apply(events);
  const view = presenter.view();
  for (const [, kind, data] of events) {
    if (kind === "result") answers.update(data.answer, data);
  }
  // The stream tells of what is asked now; the places also hold what was carried over.
  drawProgress({ ...view, counts: answers.counts() });
  if (events.some(([, kind]) => kind === "error")) drawNotices(view.notices);
  if (events.some(([, kind]) => kind === "complete")) ended();
}

const CONNECTIONS = {
  connecting: _("连接中"),
  live: _("实时"),
  polling: _("轮询"),
  suspended: _("已暂停"),
  offline: _("离线"),
  reconnecting: _("重连中"),
};

let hasBeenLive = false;

function onState(state) {
  hasBeenLive ||= state === "live" || state === "polling";
  const shown = state === "connecting" && hasBeenLive ? "reconnecting" : state;
  const chip = byId("connection");
  chip.hidden = !(shown in CONNECTIONS);
  chip.dataset.state = shown;
  setText(chip.querySelector("span"), CONNECTIONS[shown] || "");
}

// The log behind the stream has been pruned: what is stored is the whole truth.
async function onReset() {
  try {
    await answers.fetchAll();
    diagnosis = await getDiagnosis(id);
    if (!isRunning(diagnosis.status)) ended();
    else drawProgress(diagnosis);
  } catch (error) {
    showProblem(error, { actions: { retry: onReset }, where: byId("page-problem") });
  }
}

function onFatal({ problem }) {
  stop();
  byId("connection").hidden = true;
  if (isProblemBody(problem)) byId("page-problem").replaceChildren(problemCard(problem));
  else byId("page-problem").replaceChildren(h("p", { class: "hint" }, _("进度更新断开了，诊断仍在进行。刷新页面可以继续看。")));
}

async function cancel() {
  const question = {
    title: _("取消这次诊断？"),
    message: _("已经得到的回答会保留，没有问完的不再询问。"),
    yes: _("取消诊断"),
    no: _("继续诊断"),
  };
  if (!(await confirmed(question))) return;
  const button = byId("cancel");
  button.disabled = true;
  try {
    await cancelDiagnosis(id);
    await onReset();
  } catch (error) {
    showProblem(error, { actions: { retry: cancel } });
  }
  button.disabled = false;
}

async function retry() {
  const button = byId("retry");
  button.disabled = true;
  try {
    const created = await retryDiagnosis(id, retryKey);
    location.assign(config.urls.diagnosis.replace("{id}", created.id));
  } catch (error) {
    button.disabled = false;
    showProblem(error, { actions: { retry }, where: byId("page-problem") });
  }
}

/** The run is over: what is stored replaces what was streamed, in place. */
async function ended() {
  if (hasReport) return;
  hasReport = true;
  stop();
  byId("connection").hidden = true;
  byId("page-problem").replaceChildren();
  try {
    await answers.fetchAll();
    const stored = await readStored();
    sections = new ReportSections({ answers, reload });
    withoutJump(byId("answers-section"), () => showReport(stored));
    answers.allowCorrections(reload);
  } catch (error) {
    hasReport = false;
    showProblem(error, { actions: { retry: ended }, where: byId("page-problem"), display: "inline" });
  }
}

async function readStored() {
  const [state, report, corrections] = await Promise.all([getDiagnosis(id), getReport(id), listCorrections(id)]);
  diagnosis = state;
  return { report, corrections };
}

/** Something was put right: what is shown follows, and what is being read stays where it is. */
async function reload() {
  await answers.refresh();
  const stored = await readStored();
  withoutJump(byId("answers-section"), () => drawReport(stored));
}

function drawReport({ report, corrections }) {
  setText(byId("headline"), headline(report));
  drawScope(report);
  answers.tellKinds(report.questions);
  sections.draw({ report, corrections, diagnosis });
}

function drawScope(report) {
  const own = report.brands.find((brand) => brand.is_own);
  byId("scope").hidden = !own?.figures.valid;
  if (own?.figures.valid) setText(byId("scope"), scopeName(own.figures.scope, report));
  const { recognition } = report;
  const line = byId("recognition-line");
  line.hidden = !recognition;
  if (recognition) setText(line, _("其中 {valid} / {planned} 条回答的问题写了品牌名，单独计为“认知”，不在提及率里。", { valid: number(recognition.valid), planned: number(recognition.planned) }));
}

function showReport({ report, corrections }) {
  drawHead();
  setTitle(diagnosis.brand);
  byId("progress").hidden = true;
  byId("notices").replaceChildren();
  const own = byId("report");
  own.hidden = false;
  byId("demo-banner").hidden = !report.demo;
  if (report.ai_label) setText(byId("ai-label"), report.ai_label);
  drawEnd(report);
  drawReport({ report, corrections });
  answers.end();
  byId("answers-tools").hidden = false;
  showActions(id);
  announce(`${statusName(diagnosis.status)} ${headline(report)}`);
  document.dispatchEvent(new CustomEvent("report-shown", { detail: { id } }));
}

function drawEnd(report) {
  // A partial success is a success: its figures say what is missing.
  const isWorthSaying = !["completed", "partial"].includes(diagnosis.status) && isProblemBody(diagnosis.error);
  const actions = { retry, open_report: () => byId("answers-heading").scrollIntoView() };
  byId("end-problem").replaceChildren(...(isWorthSaying ? [problemCard(diagnosis.error, { actions })] : []));
  byId("retry-section").hidden = report.failed === 0;
  setText(byId("retry-why"), whatRetryDoes(report.valid + report.filtered, report.failed));
}

function whatRetryDoes(kept, failed) {
  if (!kept) return _("会重新询问全部 {failed} 条。", { failed: number(failed) });
  return _("已有的 {kept} 条回答会原样沿用，只重新询问失败的 {failed} 条。", { kept: number(kept), failed: number(failed) });
}

async function watch() {
  if (diagnosis.carried_over) await answers.fetchAll();
  presenter = window.diag.reportPresenter.createPresenter();
  drawProgress(diagnosis);
  stop = follow(diagnosis.stream, { onEvents, onState, onReset, onFatal });
}

async function open() {
  try {
    diagnosis = await getDiagnosis(id);
  } catch (error) {
    showProblem(error, { actions: { retry: open }, where: byId("page-problem") });
    return;
  }
  byId("page-problem").replaceChildren();
  drawHead();
  answers = new Answers(byId("answers"), diagnosis);
  byId("diagnosis").hidden = false;
  byId("loading").hidden = true;
  if (isRunning(diagnosis.status)) await watch();
  else await ended();
}

byId("cancel").addEventListener("click", cancel);
byId("retry").addEventListener("click", retry);
byId("toggle-all").addEventListener("click", async (event) => {
  const isOpen = event.target.getAttribute("aria-expanded") !== "true";
  await answers.toggleAll(isOpen);
  event.target.setAttribute("aria-expanded", String(isOpen));
  setText(event.target, isOpen ? _("全部收起") : _("全部展开"));
});
open();
