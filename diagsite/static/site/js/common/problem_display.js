// Shows a problem the way its copy asks: toast, dialog, page or inline; and does what its button says.

import { config, _ } from "./config.js";
import { byId, h } from "./dom.js";
import { Problem, asProblem, isProblemBody, pageProblem } from "./problem.js";
import { goToSignIn } from "./session.js";

const LABELS = {
  retry: _("重试"),
  switch_platform: _("切换平台"),
  open_history: _("查看历史记录"),
  open_report: _("查看报告"),
  sign_in: _("重新登录"),
  go_home: _("返回首页"),
  dismiss: _("知道了"),
};

function switchPlatform(params) {
  const from = params.diagnosis || byId("main").dataset.diagnosis;
  location.assign(`${config.urls.start}?platforms=healthy${from ? `&from=${from}` : ""}`);
}

function openReport(params) {
  const id = params.diagnosis || byId("main").dataset.diagnosis;
  location.assign(id ? `${config.urls.diagnosis.replace("{id}", id)}#report` : config.urls.history);
}

const ACTIONS = {
  retry: () => location.reload(),
  switch_platform: switchPlatform,
  open_history: () => location.assign(config.urls.history),
  open_report: openReport,
  sign_in: goToSignIn,
  go_home: () => location.assign(config.urls.start),
  dismiss: () => {},
};

// What is left of a diagnosis that did not get far is not called a report.
const ENDED_EARLY = new Set(["DIAGNOSIS_FAILED", "DIAGNOSIS_TIMEOUT", "DIAGNOSIS_CANCELLED"]);

function labelOf({ code }, kind) {
  return kind === "open_report" && ENDED_EARLY.has(code) ? _("查看部分结果") : LABELS[kind];
}

/** A button that counts down the wait the server asked for, then may be pressed. */
function waitThenEnable(button, label, waitMs) {
  if (!waitMs) return;
  const readyAt = Date.now() + waitMs;
  const tick = () => {
    const seconds = Math.ceil((readyAt - Date.now()) / 1000);
    button.disabled = seconds > 0;
    button.textContent = seconds > 0 ? _("{label}（{s} 秒后）", { label, s: seconds }) : label;
    if (seconds > 0) setTimeout(tick, 1000);
  };
  tick();
}

function actionButton(body, { actions, close, isPrimary }) {
  const action = body.copy.action || { kind: "dismiss" };
  const kind = action.kind in ACTIONS ? action.kind : "dismiss";
  const label = action.label || labelOf(body, kind);
  const perform = actions[kind] || ACTIONS[kind];
  const button = h("button", { type: "button", class: isPrimary ? "button primary" : "button" }, label);
  button.addEventListener("click", () => {
    close();
    perform(action.params || {}, body);
  });
  if (kind === "retry") waitThenEnable(button, label, body.retry_after_ms);
  return button;
}

function reference(body) {
  if (!body.request_id) return null;
  return h("p", { class: "reference" }, _("参考编号 {id}", { id: String(body.request_id).slice(0, 8) }));
}

function words(body, heading) {
  const { title, message, suggestion } = body.copy;
  return h(
    "div",
    { class: "problem-words" },
    h(heading, { class: "problem-title" }, title),
    message && h("p", {}, message),
    suggestion && h("p", { class: "problem-suggestion" }, suggestion),
    reference(body),
  );
}

/** A problem as a block of the page, with its button. */
export function problemCard(body, { actions = {}, heading = "h3", close = () => {}, prefix = null } = {}) {
  const hasAction = body.copy.action && body.copy.action.kind !== "dismiss";
  return h(
    "div",
    { class: "problem", "data-severity": body.severity || "error" },
    h("span", { class: "problem-icon", "aria-hidden": "true" }),
    prefix && h("p", { class: "problem-prefix" }, prefix),
    words(body, heading),
    hasAction && h("div", { class: "problem-action" }, actionButton(body, { actions, close, isPrimary: false })),
  );
}

function showToast(body, actions) {
  const region = byId("toasts");
  const toast = h("div", { class: "toast", role: body.severity === "info" ? "status" : "alert", "data-severity": body.severity || "error" });
  let timer = null;
  const close = () => {
    clearTimeout(timer);
    toast.remove();
  };
  const hasAction = body.copy.action && body.copy.action.kind !== "dismiss";
  const dismiss = h("button", { type: "button", class: "button quiet", onclick: close }, LABELS.dismiss);
  const buttons = [hasAction && actionButton(body, { actions, close, isPrimary: false }), dismiss];
  toast.append(words(body, "p"), h("div", { class: "toast-actions" }, ...buttons.filter(Boolean)));
  const arm = () => {
    const ms = body.copy.duration_ms;
    // One that offers something to do waits for an answer.
    if (ms > 0 && !hasAction) timer = setTimeout(close, ms);
  };
  // Whoever is reading it or about to press its button keeps it.
  for (const name of ["pointerenter", "focusin"]) toast.addEventListener(name, () => clearTimeout(timer));
  for (const name of ["pointerleave", "focusout"]) toast.addEventListener(name, arm);
  region.replaceChildren(toast);
  arm();
}

function showModal(body, actions) {
  const dialog = h("dialog", { class: "modal", "aria-labelledby": "problem-dialog-title" });
  const close = () => dialog.close();
  const content = words(body, "h2");
  content.querySelector(".problem-title").id = "problem-dialog-title";
  const isDismissOnly = !body.copy.action || body.copy.action.kind === "dismiss";
  const later = h("button", { type: "button", class: "button quiet", onclick: close }, _("关闭"));
  dialog.append(content, h("div", { class: "modal-actions" }, isDismissOnly ? "" : later, actionButton(body, { actions, close, isPrimary: true })));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

// What the page held is gone, so its own ways of trying again are, too.
function showPage(body) {
  const action = actionButton(body, { actions: {}, close: () => {}, isPrimary: true });
  const page = h(
    "section",
    { class: "problem-page", "data-severity": body.severity || "error" },
    h("span", { class: "problem-icon", "aria-hidden": "true" }),
    words(body, "h1"),
    h("div", { class: "problem-action" }, action),
  );
  byId("main").replaceChildren(page);
  const title = page.querySelector(".problem-title");
  title.tabIndex = -1;
  title.focus();
}

function showInline(body, actions, where) {
  const close = () => where.replaceChildren();
  where.replaceChildren(problemCard(body, { actions, close }));
}

/**
 * Shows any error. `actions` replaces what a button does ({retry: fn}), `where` takes inline problems,
 * `display` overrules the copy where a page cannot honour it.
 */
export function showProblem(error, { actions = {}, where = null, display = null } = {}) {
  const { body } = asProblem(error);
  const form = display || body.copy.display;
  if (form === "page") showPage(body);
  else if (form === "modal") showModal(body, actions);
  else if (form === "inline" && where) showInline(body, actions, where);
  else showToast(body, actions);
}

/** Shows a problem body that came inside an answer or an event. */
export function showProblemBody(body, options) {
  showProblem(isProblemBody(body) ? new Problem(body) : pageProblem(), options);
}

window.addEventListener("unhandledrejection", (event) => {
  // What still looked for what a whole-page problem has replaced is no news.
  const isPageGone = document.querySelector(".problem-page");
  if (event.reason?.name !== "AbortError" && !isPageGone) showProblem(event.reason);
});
