// What to do for a brand: each finding with the answers behind it, who takes care of it, and a note.

import { listPlatforms } from "../common/api.js";
import { _ } from "../common/config.js";
import { announce, byId } from "../common/dom.js";
import { emptyItem } from "../common/elements.js";
import { showProblem } from "../common/problem_display.js";
import { createActionItem } from "../workspace/action_item.js";
import { listActions, listMembers } from "../workspace/api.js";
import { canEdit, loadWorkspace, workspaceId } from "../workspace/page.js";

let context = null;

async function load() {
  const state = document.querySelector("#states input:checked").value;
  try {
    const actions = await listActions(workspaceId, { state });
    byId("page-problem").replaceChildren();
    byId("actions").replaceChildren(...(actions.length ? actions.map((action) => createActionItem(action, context)) : [emptyItem(_("目前没有。"))]));
  } catch (error) {
    showProblem(error, { actions: { retry: load }, container: byId("page-problem") });
  }
}

/** After a change of state: the item may have left the list. */
async function handleStateChange() {
  await load();
  announce(_("已更新。"));
  byId("actions-heading").focus();
}

async function open() {
  try {
    const [workspace, platforms, members] = await Promise.all([loadWorkspace(), listPlatforms(), listMembers(workspaceId)]);
    context = { workspaceId, platforms, members, canEdit: canEdit(workspace), onStateChange: handleStateChange };
    await load();
  } catch (error) {
    byId("actions").replaceChildren();
    showProblem(error, { actions: { retry: open }, container: byId("page-problem") });
  }
}

byId("states").addEventListener("change", load);
open();
