// The runs of a workspace: when, by whom, what was asked, the own rate and its change; two are ticked to compare them.

import { _, diagnosisUrl } from "../common/config.js";
import { announce, byId, h } from "../common/dom.js";
import { dateTime, emptyItem, statusChip } from "../common/elements.js";
import { dateTimeText, number } from "../common/format.js";
import { asProblem } from "../common/problem.js";
import { problemCard, showProblem } from "../common/problem_display.js";
import { changeChip, changeText } from "../common/rate_changes.js";
import { CompareSelection } from "../history/compare_selection.js";
import { mentionCount, rateParts, remark } from "../report/cells.js";
import { listPanels, listRuns } from "../workspace/api.js";
import { loadWorkspace, workspaceId } from "../workspace/page.js";

const list = byId("runs");
const moreButton = byId("more");
const panelSelect = byId("panel");
const selection = new CompareSelection(list);
let nextCursor = null;

function panelText({ panel_name: name, panel_version: version }) {
  return version === null ? _("单次诊断") : _("{name}，第 {version} 版", { name, version: number(version) });
}

function modelsText(models) {
  return Object.entries(models).map(([platform, names]) => (names.length ? `${platform}（${names.join("、")}）` : platform)).join("；");
}

function createItem(run) {
  const { figure, change } = run;
  const answers = _("{valid} / {planned} 条有效回答", { valid: number(run.valid), planned: number(run.planned) });
  const heading = h("div", { class: "run-head" }, h("a", { href: diagnosisUrl(run.id) }, dateTime(run.created_at)), statusChip(run.status));
  const facts = [_("{name} 发起", { name: run.by }), panelText(run), answers, modelsText(run.models)].filter(Boolean);
  const rate = figure && h("div", { class: "cell" }, rateParts(figure.rate, figure.low, figure.high), remark(mentionCount(figure.k, figure.n)));
  const changed = change && h("div", { class: "run-change" }, changeChip(change), remark(changeText(change)));
  const details = h("ul", { class: "run-facts" }, facts.map((fact) => h("li", {}, fact)));
  const label = _("比较 {brand}", { brand: dateTimeText(run.created_at) });
  return h("li", { class: "run" }, selection.createCheckbox(run, label), h("div", { class: "run-text" }, heading, details), h("div", { class: "run-figures" }, rate, changed));
}

async function load({ isFirst }) {
  moreButton.disabled = true;
  try {
    const page = await listRuns(workspaceId, { panel: panelSelect.value, cursor: isFirst ? null : nextCursor });
    nextCursor = page.next;
    if (isFirst) list.replaceChildren();
    const items = page.items.map(createItem);
    list.append(...items);
    if (!list.children.length) list.append(emptyItem(_("还没有诊断。")));
    if (!isFirst) items[0]?.querySelector("a").focus();
    announce(_("已显示 {n} 条", { n: number(list.querySelectorAll(".run").length) }));
    moreButton.hidden = !nextCursor;
  } catch (error) {
    const actions = { retry: () => load({ isFirst }) };
    if (isFirst) list.replaceChildren(h("li", {}, problemCard(asProblem(error).body, { actions })));
    else showProblem(error, { actions });
  }
  moreButton.disabled = false;
}

async function start() {
  try {
    const [, panels] = await Promise.all([loadWorkspace(), listPanels(workspaceId)]);
    panelSelect.append(...panels.map(({ id, name }) => h("option", { value: id }, name)));
    byId("panel-field").hidden = !panels.length;
  } catch (error) {
    showProblem(error, { actions: { retry: start }, container: byId("page-problem") });
  }
}

panelSelect.addEventListener("change", () => load({ isFirst: true }));
moreButton.addEventListener("click", () => load({ isFirst: false }));
start();
load({ isFirst: true });
