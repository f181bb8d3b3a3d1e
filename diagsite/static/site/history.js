// The list of past diagnoses: search, filter, more.

import { listDiagnoses } from "./api.js";
import { _ } from "./config.js";
import { announce, byId, debounced } from "./dom.js";
import { problemCard, showProblem } from "./errors.js";
import { diagnosisItem } from "./list.js";
import { asProblem } from "./problem.js";
import { emptyNote } from "./rows.js";

const form = byId("filters");
const list = byId("history");
const more = byId("more");
let next = null;
let request = null;

const filters = () => ({ status: form.status.value, q: form.q.value.trim() });

function rememberInAddress() {
  const given = Object.entries(filters()).filter(([, value]) => value);
  const query = new URLSearchParams(given).toString();
  history.replaceState(null, "", query ? `?${query}` : location.pathname);
}

function draw(items, isFirst) {
  if (isFirst) list.replaceChildren();
  const first = list.children.length;
  list.append(...items.map(diagnosisItem));
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
form.status.value = given.get("status") || "";
form.q.value = given.get("q") || "";
form.addEventListener("submit", (event) => {
  event.preventDefault();
  refresh();
});
form.status.addEventListener("change", refresh);
form.q.addEventListener("input", debounced(refresh, 300));
more.addEventListener("click", () => load({ isFirst: false }));
load({ isFirst: true });
