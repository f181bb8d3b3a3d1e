// The brands of a workspace with their spellings, and the names that answers mention beside them.

import { _ } from "../common/config.js";
import { confirmDialog } from "../common/confirm_dialog.js";
import { announce, byId, h, setText } from "../common/dom.js";
import { number } from "../common/format.js";
import { showProblem } from "../common/problem_display.js";
import { mentionCount, rateParts, remark } from "../report/cells.js";
import { getNames, undoNames } from "../workspace/api.js";
import { FoundNames } from "../workspace/found_names.js";
import { NamesForm } from "../workspace/names_form.js";
import { canEdit, loadWorkspace, workspaceId } from "../workspace/page.js";

const POLL_MS = 3000;

let workspace = null;
let names = null;
let timer = null;

const foundNames = new FoundNames({ onDecided: () => reload() });
const namesForm = new NamesForm({ onApplied: () => reload(), reload: () => loadNames() });

function createItem({ name, aliases, sites, is_own: isOwn, figure }) {
  const own = isOwn && h("span", { class: "chip brand" }, _("本品牌"));
  const facts = [aliases.length > 0 && _("也写作 {names}", { names: aliases.join("、") }), sites.join("、")].filter(Boolean);
  const text = h("div", { class: "row-text" }, h("p", {}, h("strong", {}, name), " ", own), facts.map((fact) => h("p", { class: "hint" }, fact)));
  const rate = figure ? [...rateParts(figure.rate, figure.low, figure.high), remark(mentionCount(figure.k, figure.n))] : remark("–");
  return h("li", {}, text, h("div", { class: "cell" }, rate));
}

/** Say how far the recount is, and look again until it is done. */
function drawRecount({ done, total }) {
  clearTimeout(timer);
  const isRunning = done < total;
  const wasRunning = !byId("recount").hidden;
  byId("recount").hidden = !isRunning;
  if (isRunning) {
    setText(byId("recount"), _("正在按新名称重算：{done} / {total} 次。", { done: number(done), total: number(total) }));
    timer = setTimeout(() => loadNames().catch(() => drawRecount({ done, total })), POLL_MS);
  } else if (wasRunning) announce(_("重算完成。"));
}

async function loadNames() {
  names = await getNames(workspaceId);
  byId("brands").replaceChildren(...names.brands.map(createItem));
  byId("undo-names").disabled = names.names_version < 2;
  drawRecount(names.recount);
  return names;
}

async function reload() {
  await loadNames();
  await foundNames.load({ names, canEdit: canEdit(workspace) });
}

async function undo() {
  const message = _("名称回到上一次修改之前，诊断会再重算一次。");
  if (!(await confirmDialog({ title: _("撤销上一次修改？"), message, yes: _("撤回"), no: _("取消") }))) return;
  try {
    await undoNames(workspaceId, names.names_version);
    await reload();
    byId("tracked-heading").focus();
  } catch (error) {
    showProblem(error, { display: "toast" });
  }
}

async function start() {
  try {
    workspace = await loadWorkspace();
    for (const element of document.querySelectorAll("[data-editor]")) element.hidden = !canEdit(workspace);
    await reload();
    byId("page-problem").replaceChildren();
  } catch (error) {
    showProblem(error, { actions: { retry: start }, container: byId("page-problem") });
  }
}

byId("edit-names").addEventListener("click", () => namesForm.open(names));
byId("undo-names").addEventListener("click", undo);
start();
