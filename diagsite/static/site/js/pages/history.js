// The list of past diagnoses: search, filter, more; two of them compared.

import { listDiagnoses } from "../common/api.js";
import { _ } from "../common/config.js";
import { announce, byId, debounced, h } from "../common/dom.js";
import { problemCard, showProblem } from "../common/problem_display.js";
import { diagnosisItem } from "../common/diagnosis_item.js";
import { isNews, loadNews } from "../history/notifications.js";
import { Picks } from "../history/compare_selection.js";
import { asProblem } from "../common/problem.js";
import { emptyNote } from "../form/form_rows.js";

const form = byId("filters");
const list = byId("history");
const more = byId("more");
const picks = new Picks(list);
let next = null;
let request = null;

const filters = () => ({
  status: form.status.value,
  q: form.q.value.trim(),
  since: form.since.value,
  until: form.until.value,
  scheduled: form.scheduled.checked ? "true" : "",
});

function rememberInAddress() {
  const given = Object.entries(filters()).filter(([, value]) => value);
  const query = new URLSearchParams(given).toString();
  history.replaceState(null, "", query ? `?${query}` : location.pathname);
}

function row(item) {
  const line = diagnosisItem(item);
  line.dataset.id = item.id;
  const brand = line.querySelector(".diagnosis-brand");
  if (item.schedule) brand.append(h("span", { class: "chip" }, _("定期")));
  line.prepend(picks.box(item));
  return line;
}

function markNews() {
  for (const line of list.querySelectorAll(".diagnosis-item")) {
    line.querySelector(".news-mark")?.remove();
    if (isNews(line.dataset.id)) line.querySelector(".diagnosis-brand").append(h("span", { class: "chip news-mark" }, _("有变化")));
  }
}

function draw(items, isFirst) {
  if (isFirst) list.replaceChildren();
  const first = list.children.length;
  list.append(...items.map(row));
  markNews();
  if (!list.children.length) {
    const isFiltered = Object.values(filters()).some(Boolean);
    list.append(emptyNote(isFiltered ? _("没有符合条件的诊断。") : _("还没有诊断。")));
  }
  if (!isFirst) list.children[first]?.querySelector("a").focus();
  announce(_("已显示 {n} 条", { n: list.querySelectorAll(".diagnosis-item").length }));
}

async function load({ isFirst }) {
  request?.abort();
  const own = new AbortController();
  request = own;
  more.disabled = true;
  list.setAttribute("aria-busy", "true");
  try {
    const page = await listDiagnoses({ ...filters(), cursor: isFirst ? null : next }, own.signal);
    next = page.next;
    draw(page.items, isFirst);
    more.hidden = !next;
  } catch (error) {
    if (own.signal.aborted) return;
    failed(error, isFirst);
  }
  more.disabled = false;
  list.setAttribute("aria-busy", "false");
}

function failed(error, isFirst) {
  const problem = asProblem(error);
  const retry = () => load({ isFirst });
  if (isFirst) list.replaceChildren(problemCard(problem.body, { actions: { retry } }));
  else showProblem(problem, { actions: { retry } });
}

function refresh() {
  rememberInAddress();
  load({ isFirst: true });
}

const given = new URLSearchParams(location.search);
for (const name of ["status", "q", "since", "until"]) form[name].value = given.get(name) || "";
form.scheduled.checked = given.get("scheduled") === "true";
form.addEventListener("submit", (event) => {
  event.preventDefault();
  refresh();
});
for (const name of ["status", "since", "until", "scheduled"]) form[name].addEventListener("change", refresh);
form.q.addEventListener("input", debounced(refresh, 300));
more.addEventListener("click", () => load({ isFirst: false }));
document.addEventListener("news-changed", markNews);
load({ isFirst: true });
loadNews();
