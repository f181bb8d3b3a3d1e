// The history page: past diagnoses with filters, unread notifications, and the selection of two diagnoses to compare.

import { listDiagnoses } from "../common/api.js";
import { _ } from "../common/config.js";
import { diagnosisItem } from "../common/diagnosis_item.js";
import { announce, byId, debounce, h } from "../common/dom.js";
import { emptyItem } from "../common/elements.js";
import { setError } from "../common/fields.js";
import { asProblem } from "../common/problem.js";
import { problemCard, showProblem } from "../common/problem_display.js";
import { CompareSelection } from "../history/compare_selection.js";
import { hasNotification, loadNotifications } from "../history/notifications.js";

const SEARCH_DELAY_MS = 300;

const form = byId("filters");
const list = byId("history");
const moreButton = byId("more");
const selection = new CompareSelection(list);
let nextCursor = null;
let request = null;

const getFilters = () => ({
  status: form.status.value,
  q: form.q.value.trim(),
  since: form.since.value,
  until: form.until.value,
  scheduled: form.scheduled.checked ? "true" : "",
});

function storeFiltersInUrl() {
  const filters = Object.entries(getFilters()).filter(([, value]) => value);
  const query = new URLSearchParams(filters).toString();
  history.replaceState(null, "", query ? `?${query}` : location.pathname);
}

function createItem(diagnosis) {
  const item = diagnosisItem(diagnosis);
  item.dataset.id = diagnosis.id;
  if (diagnosis.schedule) item.querySelector(".diagnosis-brand").append(h("span", { class: "chip" }, _("定期")));
  item.prepend(selection.createCheckbox(diagnosis));
  return item;
}

function markNotified() {
  for (const item of list.querySelectorAll(".diagnosis-item")) {
    item.querySelector(".notification-mark")?.remove();
    const mark = hasNotification(item.dataset.id) && h("span", { class: "chip notification-mark" }, _("有变化"));
    if (mark) item.querySelector(".diagnosis-brand").append(mark);
  }
}

function draw(diagnoses, isFirst) {
  if (isFirst) list.replaceChildren();
  const firstNew = list.children.length;
  list.append(...diagnoses.map(createItem));
  markNotified();
  if (!list.children.length) {
    const isFiltered = Object.values(getFilters()).some(Boolean);
    list.append(emptyItem(isFiltered ? _("没有符合条件的诊断。") : _("还没有诊断。")));
  }
  if (!isFirst) list.children[firstNew]?.querySelector("a").focus();
  announce(_("已显示 {n} 条", { n: list.querySelectorAll(".diagnosis-item").length }));
}

/** Load the first or the next page; a new request aborts the one before. */
async function load({ isFirst }) {
  request?.abort();
  const controller = new AbortController();
  request = controller;
  moreButton.disabled = true;
  list.setAttribute("aria-busy", "true");
  try {
    const page = await listDiagnoses({ ...getFilters(), cursor: isFirst ? null : nextCursor }, controller.signal);
    nextCursor = page.next;
    draw(page.items, isFirst);
    moreButton.hidden = !nextCursor;
  } catch (error) {
    if (controller.signal.aborted) return;
    const problem = asProblem(error);
    const actions = { retry: () => load({ isFirst }) };
    if (isFirst) list.replaceChildren(problemCard(problem.body, { actions }));
    else showProblem(problem, { actions });
  }
  moreButton.disabled = false;
  list.setAttribute("aria-busy", "false");
}

/** Whether the last day is not before the first; otherwise the field says so. */
function checkRange() {
  const { since, until } = getFilters();
  const isReversed = Boolean(since && until && until < since);
  setError(form.until, isReversed ? _("结束日期早于开始日期。") : "");
  return !isReversed;
}

function applyFilters() {
  if (!checkRange()) return;
  storeFiltersInUrl();
  load({ isFirst: true });
}

const parameters = new URLSearchParams(location.search);
for (const name of ["status", "q", "since", "until"]) form[name].value = parameters.get(name) || "";
form.scheduled.checked = parameters.get("scheduled") === "true";
form.addEventListener("submit", (event) => {
  event.preventDefault();
  applyFilters();
});
for (const name of ["status", "since", "until", "scheduled"]) form[name].addEventListener("change", applyFilters);
form.q.addEventListener("input", debounce(applyFilters, SEARCH_DELAY_MS));
moreButton.addEventListener("click", () => load({ isFirst: false }));
document.addEventListener("notifications-changed", markNotified);
checkRange();
load({ isFirst: true });
loadNotifications();
