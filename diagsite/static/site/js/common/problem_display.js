// Shows a problem in the display form of its texts (toast, modal, page or inline) and performs the action of its button.

import { config, _, diagnosisUrl } from "./config.js";
import { byId, h } from "./dom.js";
import { Problem, asProblem, isProblemBody, pageProblem } from "./problem.js";
import { goToSignIn } from "./session.js";

const ACTION_LABELS = {
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
  location.assign(id ? `${diagnosisUrl(id)}#report` : config.urls.history);
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

// The results of a diagnosis that ended early are not called a report.
const ENDED_EARLY = new Set(["DIAGNOSIS_FAILED", "DIAGNOSIS_TIMEOUT", "DIAGNOSIS_CANCELLED"]);

function getActionLabel({ code }, kind) {
  return kind === "open_report" && ENDED_EARLY.has(code) ? _("查看部分结果") : ACTION_LABELS[kind];
}

/** Disable a button for as long as the server asks, and count down in its label. */
function disableFor(button, label, waitMs) {
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
  const label = action.label || getActionLabel(body, kind);
  const perform = actions[kind] || ACTIONS[kind];
  const button = h("button", { type: "button", class: isPrimary ? "button primary" : "button" }, label);
  button.addEventListener("click", () => {
    close();
    perform(action.params || {}, body);
  });
  if (kind === "retry") disableFor(button, label, body.retry_after_ms);
  return button;
}

const ICONS = new Set(["info", "warning", "error", "success"]);

function icon({ copy }) {
  if (copy.icon === "none") return null;
  return h("span", { class: "problem-icon", "data-icon": ICONS.has(copy.icon) ? copy.icon : "warning", "aria-hidden": "true" });
}

function reference(body) {
  if (!body.request_id) return null;
  return h("p", { class: "reference" }, _("参考编号 {id}", { id: String(body.request_id).slice(0, 8) }));
}

function problemText(body, heading) {
  const { title, message, suggestion } = body.copy;
  return h(
    "div",
    { class: "problem-text" },
    h(heading, { class: "problem-title" }, title),
    message && h("p", {}, message),
    suggestion && h("p", { class: "problem-suggestion" }, suggestion),
    reference(body),
  );
}

/** A problem with its button, as an element of the page. */
export function problemCard(body, { actions = {}, heading = "h3", close = () => {}, prefix = null } = {}) {
  const hasAction = body.copy.action && body.copy.action.kind !== "dismiss";
  return h(
    "div",
    { class: "problem", "data-severity": body.severity || "error" },
    icon(body),
    prefix && h("p", { class: "problem-prefix" }, prefix),
    problemText(body, heading),
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
  const dismiss = h("button", { type: "button", class: "button quiet", onclick: close }, ACTION_LABELS.dismiss);
  const buttons = [hasAction && actionButton(body, { actions, close, isPrimary: false }), dismiss];
  const parts = [icon(body), problemText(body, "p"), h("div", { class: "toast-actions" }, ...buttons.filter(Boolean))];
  toast.append(...parts.filter(Boolean));
  const startTimer = () => {
    const ms = body.copy.duration_ms;
    // A toast with an action stays until the user reacts.
    if (ms > 0 && !hasAction) timer = setTimeout(close, ms);
  };
  // It stays while the pointer or the focus is on it.
  for (const name of ["pointerenter", "focusin"]) toast.addEventListener(name, () => clearTimeout(timer));
  for (const name of ["pointerleave", "focusout"]) toast.addEventListener(name, startTimer);
  region.replaceChildren(toast);
  startTimer();
}

function showModal(body, actions) {
  const dialog = h("dialog", { class: "modal", "aria-labelledby": "problem-dialog-title" });
  const close = () => dialog.close();
  const content = problemText(body, "h2");
  content.querySelector(".problem-title").id = "problem-dialog-title";
  const isDismissOnly = !body.copy.action || body.copy.action.kind === "dismiss";
  const closeButton = h("button", { type: "button", class: "button quiet", onclick: close }, _("关闭"));
  const mark = icon(body);
  if (mark) dialog.append(mark);
  dialog.dataset.severity = body.severity || "error";
  dialog.append(content, h("div", { class: "modal-actions" }, isDismissOnly ? "" : closeButton, actionButton(body, { actions, close, isPrimary: true })));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

// It replaces the content of the page, so actions of that content do not apply any more.
function showPage(body) {
  const action = actionButton(body, { actions: {}, close: () => {}, isPrimary: true });
  const page = h(
    "section",
    { class: "problem-page", "data-severity": body.severity || "error" },
    icon(body),
    problemText(body, "h1"),
    h("div", { class: "problem-action" }, action),
  );
  byId("main").replaceChildren(page);
  const title = page.querySelector(".problem-title");
  title.tabIndex = -1;
  title.focus();
}

function showInline(body, actions, container) {
  const close = () => container.replaceChildren();
  container.replaceChildren(problemCard(body, { actions, close }));
}

/**
 * Show any error. `actions` replaces default actions ({retry: fn}), `container` takes inline problems, `display`
 * overrides the display form.
 */
export function showProblem(error, { actions = {}, container = null, display = null } = {}) {
  const { body } = asProblem(error);
  const form = display || body.copy.display;
  if (form === "page") showPage(body);
  else if (form === "modal") showModal(body, actions);
  else if (form === "inline" && container) showInline(body, actions, container);
  else showToast(body, actions);
}

/** Show a problem body that is part of a response or an event. */
export function showProblemBody(body, options) {
  showProblem(isProblemBody(body) ? new Problem(body) : pageProblem(), options);
}

window.addEventListener("unhandledrejection", (event) => {
  // Code of a page that was replaced by a problem may fail: that is expected.
  const isPageGone = document.querySelector(".problem-page");
  if (event.reason?.name !== "AbortError" && !isPageGone) showProblem(event.reason);
});
