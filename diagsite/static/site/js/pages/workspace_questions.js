// The questions of a workspace: panels that ask them, import with a verdict for every line, suggestions, the list, tags.

import { listPlatforms } from "../common/api.js";
import { _ } from "../common/config.js";
import { confirmDialog } from "../common/confirm_dialog.js";
import { announce, byId, h } from "../common/dom.js";
import { emptyItem } from "../common/elements.js";
import { number } from "../common/format.js";
import { showProblem } from "../common/problem_display.js";
import { deleteTag, listPanels, listQuestions, listTags } from "../workspace/api.js";
import { canEdit, loadWorkspace, workspaceId } from "../workspace/page.js";
import { Panels } from "../workspace/panels.js";
import { QuestionImport } from "../workspace/question_import.js";
import { QuestionList, drawQuestionCount } from "../workspace/question_list.js";
import { QuestionSuggestions } from "../workspace/question_suggestions.js";

const archivedBox = byId("archived");
let workspace = null;
let platforms = [];

const panelSection = new Panels({ reload: () => reload() });
const questionList = new QuestionList({ reload: (options) => reload(options) });
new QuestionImport({ onStored: () => reload() });
const suggestions = new QuestionSuggestions({ onAdded: () => reload() });

/** Load questions, panels and tags; `isSilent` leaves the list as it is, for a row that is being edited. */
async function reload({ isSilent = false } = {}) {
  const [active, panels, tags] = await Promise.all([listQuestions(workspaceId), listPanels(workspaceId), listTags(workspaceId)]);
  const shown = archivedBox.checked ? (await listQuestions(workspaceId, "true")).items : active.items;
  drawQuestionCount(active.items.length, active.most);
  panelSection.show({ panels, questions: active.items, platforms, canEdit: canEdit(workspace) });
  if (!isSilent) questionList.show({ questions: shown, panels, canEdit: canEdit(workspace) });
  drawTags(tags);
  return shown;
}

function drawTags(tags) {
  const items = tags.map(({ name, questions }) => {
    const button = h("button", { type: "button", class: "button quiet", "aria-label": _("删除标签“{name}”", { name }) }, _("删除"));
    button.addEventListener("click", () => removeTag(name));
    const count = h("span", { class: "hint" }, _("{n} 个问题", { n: number(questions) }));
    return h("li", {}, h("span", { class: "chip" }, name), count, h("span", { class: "action-buttons" }, button));
  });
  byId("tags").replaceChildren(...(items.length ? items : [emptyItem(_("还没有标签。"))]));
}

async function removeTag(name) {
  const question = { title: _("删除标签“{name}”？", { name }), message: _("问题会保留。"), yes: _("删除"), no: _("取消") };
  if (!(await confirmDialog(question))) return;
  try {
    await deleteTag(workspaceId, name);
    announce(_("已删除。"));
    await reload();
    byId("tags-details").querySelector("summary").focus();
  } catch (error) {
    showProblem(error, { display: "toast" });
  }
}

async function start() {
  try {
    [workspace, platforms] = await Promise.all([loadWorkspace(), listPlatforms()]);
    platforms = platforms.filter(({ demo }) => demo === workspace.demo);
    for (const element of document.querySelectorAll("[data-editor]")) element.hidden = !canEdit(workspace);
    await reload();
    if (canEdit(workspace)) suggestions.offerJudge(workspace.name).catch(() => {}); // without it, templates remain
    byId("page-problem").replaceChildren();
  } catch (error) {
    showProblem(error, { actions: { retry: start }, container: byId("page-problem") });
  }
}

archivedBox.addEventListener("change", () => reload());
start();
