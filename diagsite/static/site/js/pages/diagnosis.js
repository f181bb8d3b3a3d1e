// The page of one diagnosis: its progress while it runs, then its report in the same place.

import { connectFilters } from "../answers/answer_filters.js";
import { Answers } from "../answers/answers.js";
import { cancelDiagnosis, getDiagnosis, getReport, listCorrections, retryDiagnosis } from "../common/api.js";
import { config, _, diagnosisUrl } from "../common/config.js";
import { confirmDialog } from "../common/confirm_dialog.js";
import { announce, byId, h, keepInPlace, setText } from "../common/dom.js";
import { dateTime, statusChip } from "../common/elements.js";
import { costText, isRunning, number, statusLabel, surfaceLabel } from "../common/format.js";
import { isProblemBody } from "../common/problem.js";
import { problemCard, showProblem } from "../common/problem_display.js";
import { randomId } from "../common/storage.js";
import { subscribe } from "../diagnosis/event_stream.js";
import { Progress } from "../diagnosis/progress.js";
import { connectionStatus, retryExplanation } from "../diagnosis/texts.js";
import { showReportActions } from "../report/actions.js";
import { scopeLabel } from "../report/cells.js";
import { drawSectionNav } from "../report/section_nav.js";
import { ReportSections } from "../report/sections.js";
import { showTrend } from "../report/trend.js";

const id = byId("main").dataset.diagnosis;
const progress = new Progress();
const retryKey = randomId();
let diagnosis = null;
let answers = null;
let presenter = null;
let sections = null;
let unsubscribe = () => {};
let wasConnected = false;
let hasReport = false;

const REPORT_POLL_MS = 500;
const MAX_REPORT_POLLS = 120;
const otherTabs = new BroadcastChannel(`diagnosis:${id}`);

// The head

function drawHead() {
  setText(byId("brand"), diagnosis.brand);
  const competitors = diagnosis.brands.filter((brand) => !brand.is_own).length;
  const facts = [
    dateTime(diagnosis.created_at),
    _("{n} 次调用", { n: number(diagnosis.planned) }),
    competitors > 0 && _("竞品 {n} 个", { n: competitors }),
    costText(diagnosis),
  ].filter(Boolean);
  byId("facts").replaceChildren(...facts.map((fact) => h("li", {}, fact)));
  byId("demo-banner").hidden = !diagnosis.demo;
  byId("status").replaceChildren(statusChip(diagnosis.status));
  byId("again").href = `${config.urls.start}?from=${diagnosis.id}`;
  byId("carried-over").hidden = !diagnosis.retry_of;
  if (!diagnosis.retry_of) return;
  const text = _("这是一次补问：沿用了 {n} 条已有的回答，只重新询问失败的。", { n: number(diagnosis.carried_over || 0) });
  byId("carried-over").replaceChildren(text, " ", h("a", { href: diagnosisUrl(diagnosis.retry_of) }, _("查看上一次")));
}

function setTitle(text) {
  document.title = `${text} · ${_("AI 可见度诊断")}`;
}

// While it runs

function drawProgress(view) {
  if (progress.draw(view)) {
    announce(statusLabel(view.stage));
    byId("status").replaceChildren(statusChip(view.stage));
  }
  setTitle(`${progress.percent}% ${diagnosis.brand}`);
}

function drawNotices(problems) {
  const latest = new Map(problems.filter(isProblemBody).map((problem) => [`${problem.code}/${problem.platform}`, problem]));
  const notices = [...latest.values()].map((problem) => {
    const platform = diagnosis.platforms.find((one) => one.id === problem.platform);
    return h("li", {}, problemCard(problem, { prefix: platform?.name }));
  });
  byId("notices").replaceChildren(...notices);
}

function handleEvents(events) {
  presenter.apply(events);
  const view = presenter.view();
  for (const [, kind, data] of events) {
    if (kind === "result") answers.update(data.answer, data);
  }
  // The stream has only the answers of this run; the rows also have those that were carried over.
  drawProgress({ ...view, counts: answers.countStates() });
  if (events.some(([, kind]) => kind === "error")) drawNotices(view.notices);
  if (events.some(([, kind]) => kind === "complete")) handleEnd();
}

function drawConnection(state) {
  wasConnected ||= state === "live" || state === "polling";
  const { id: shown, label } = connectionStatus(state, wasConnected);
  const chip = byId("connection");
  chip.hidden = !label;
  chip.dataset.state = shown;
  setText(chip.querySelector("span"), label);
}

/** The log behind the stream was pruned: load the stored state instead. */
async function handleReset() {
  try {
    await answers.loadSummaries();
    diagnosis = await getDiagnosis(id);
    if (!isRunning(diagnosis.status)) handleEnd();
    else drawProgress(diagnosis);
  } catch (error) {
    showProblem(error, { actions: { retry: handleReset }, container: byId("page-problem") });
  }
}

/** The stream cannot be read any more. */
function handleFatal({ problem }) {
  unsubscribe();
  byId("connection").hidden = true;
  const hint = () => h("p", { class: "hint" }, _("进度更新断开了，诊断仍在进行。刷新页面可以继续看。"));
  byId("page-problem").replaceChildren(isProblemBody(problem) ? problemCard(problem) : hint());
}

async function cancel() {
  const question = {
    title: _("取消这次诊断？"),
    message: _("已经得到的回答会保留，没有问完的不再询问。"),
    yes: _("取消诊断"),
    no: _("继续诊断"),
  };
  if (!(await confirmDialog(question))) return;
  const button = byId("cancel");
  button.disabled = true;
  try {
    await cancelDiagnosis(id);
    await handleReset();
  } catch (error) {
    showProblem(error, { actions: { retry: cancel } });
  }
  button.disabled = false;
}

// When it has ended

/** Replace what was streamed by what is stored, in place. */
async function handleEnd(options) {
  if (hasReport) return;
  hasReport = true;
  unsubscribe();
  byId("connection").hidden = true;
  byId("page-problem").replaceChildren();
  try {
    const stored = await loadReport(options);
    sections ??= new ReportSections({ answers, reload: reloadEverywhere });
    keepInPlace(byId("answers-section"), () => showReport(stored));
    answers.onListed = showAnswers;
    if (options?.isCurrent) listWhenNear();
    else await answers.whenListed();
    await sections.drawCorrections(stored.corrections);
    await revealAddressed();
  } catch (error) {
    hasReport = false;
    showProblem(error, { actions: { retry: handleEnd }, container: byId("page-problem"), display: "inline" });
  }
}

function showAnswers() {
  answers.markEnded();
  answers.allowCorrections(reloadEverywhere);
  connectFilters(answers, diagnosis);
}

/** Load the list of answers, which is long, when the user comes near it or asks for one. */
function listWhenNear() {
  const observer = new IntersectionObserver(
    (entries) => {
      if (!entries.some(({ isIntersecting }) => isIntersecting)) return;
      observer.disconnect();
      const list = () => answers.whenListed().catch((error) => showProblem(error, { actions: { retry: list }, container: byId("page-problem") }));
      list();
    },
    { rootMargin: "100% 0px" },
  );
  observer.observe(byId("answers-section"));
}

/** Show the answer that the address names: `/diagnoses/<id>/#answer-<id>`. */
async function revealAddressed() {
  const [, answer] = location.hash.match(/^#answer-([\w-]+)$/) || [];
  if (answer) await answers.reveal({ id: answer });
}

/** Load the report, after a correction as soon as it includes that. `isCurrent`: the diagnosis has just been loaded. */
async function loadReport({ isCurrent = false } = {}) {
  if (!isCurrent) diagnosis = await getDiagnosis(id);
  for (let attempt = 0; diagnosis.report_pending && attempt < MAX_REPORT_POLLS; attempt += 1) {
    await new Promise((resolve) => setTimeout(resolve, REPORT_POLL_MS));
    diagnosis = await getDiagnosis(id);
  }
  const [report, corrections] = await Promise.all([getReport(id), listCorrections(id)]);
  return { report, corrections };
}

/** Load and draw everything again after a correction, without moving the answers on the screen. */
async function reload() {
  const stored = await loadReport();
  await answers.reload();
  keepInPlace(byId("answers-section"), () => drawReport(stored));
  await sections.drawCorrections(stored.corrections);
  showTrend(id);
  drawSectionNav(byId("section-nav"));
}

/** After a correction here: other tabs show it too. */
async function reloadEverywhere() {
  otherTabs.postMessage("corrected");
  await reload();
}

/** Corrections made in another tab or on another device. */
async function checkForCorrections() {
  if (!hasReport || !sections || document.visibilityState !== "visible") return;
  try {
    const { revision } = await getDiagnosis(id);
    if (revision !== diagnosis.revision) await reload();
  } catch {
    // The next check, or the next action, shows what is wrong.
  }
}

function showReport({ report }) {
  drawHead();
  setTitle(diagnosis.brand);
  byId("progress").hidden = true;
  byId("notices").replaceChildren();
  byId("report").hidden = false;
  byId("demo-banner").hidden = !report.demo;
  if (report.ai_label) setText(byId("ai-label"), report.ai_label);
  drawEnd(report);
  drawReport({ report });
  byId("answers-tools").hidden = false;
  showReportActions(id);
  announce(`${statusLabel(diagnosis.status)} ${report.verdict.text}`);
  showTrend(id);
  drawSectionNav(byId("section-nav"));
}

function drawReport({ report }) {
  setText(byId("headline"), report.verdict.text);
  drawHeadlineNotes(report);
  answers.markRecognition(report.questions);
  sections.draw({ report, diagnosis });
}

function drawHeadlineNotes(report) {
  const own = report.brands.find((brand) => brand.is_own);
  byId("scope").hidden = !own?.figures.valid;
  if (own?.figures.valid) setText(byId("scope"), scopeLabel(own.figures.scope, report));
  byId("headline-surface").hidden = !own?.figures.valid;
  setText(byId("headline-surface"), _("测量的是：{surface}", { surface: surfaceLabel(report.surface) }));
  const { recognition } = report;
  const line = byId("recognition-line");
  line.hidden = !recognition;
  if (!recognition) return;
  const counts = { valid: number(recognition.valid), planned: number(recognition.planned) };
  setText(line, _("其中 {valid} / {planned} 条回答的问题写了品牌名，单独计为“认知”，不在提及率里。", counts));
}

/** Explain an early end, and offer a retry. A partial success needs no explanation: its figures say what is missing. */
function drawEnd(report) {
  const hasProblem = !["completed", "partial"].includes(diagnosis.status) && isProblemBody(diagnosis.error);
  const actions = { retry, open_report: () => byId("answers-heading").scrollIntoView() };
  byId("end-problem").replaceChildren(...(hasProblem ? [problemCard(diagnosis.error, { actions })] : []));
  byId("retry-section").hidden = report.failed === 0;
  byId("retry").hidden = diagnosis.retry_blocked !== "";
  setText(byId("retry-explanation"), diagnosis.retry_blocked || retryExplanation(report.planned - report.failed, report.failed));
}

/** Ask the failed questions again, as a new diagnosis. */
async function retry() {
  const button = byId("retry");
  button.disabled = true;
  try {
    const created = await retryDiagnosis(id, retryKey);
    location.assign(diagnosisUrl(created.id));
  } catch (error) {
    button.disabled = false;
    showProblem(error, { actions: { retry }, container: byId("page-problem") });
  }
}

async function open() {
  try {
    diagnosis = await getDiagnosis(id);
  } catch (error) {
    showProblem(error, { actions: { retry: open }, container: byId("page-problem") });
    return;
  }
  byId("page-problem").replaceChildren();
  drawHead();
  answers = new Answers(byId("answers"), diagnosis);
  byId("diagnosis").hidden = false;
  byId("loading").hidden = true;
  if (!isRunning(diagnosis.status)) {
    await handleEnd({ isCurrent: true });
    return;
  }
  if (diagnosis.carried_over) await answers.loadSummaries();
  presenter = window.diag.reportPresenter.createPresenter();
  drawProgress(diagnosis);
  unsubscribe = subscribe(diagnosis.stream, { onEvents: handleEvents, onState: drawConnection, onReset: handleReset, onFatal: handleFatal });
}

otherTabs.addEventListener("message", checkForCorrections);
document.addEventListener("visibilitychange", checkForCorrections);
byId("cancel").addEventListener("click", cancel);
byId("retry").addEventListener("click", retry);
byId("toggle-all").addEventListener("click", async (event) => {
  const isOpen = event.target.getAttribute("aria-expanded") !== "true";
  await answers.toggleAll(isOpen);
  event.target.setAttribute("aria-expanded", String(isOpen));
  setText(event.target, isOpen ? _("全部收起") : _("全部展开"));
});
open();
