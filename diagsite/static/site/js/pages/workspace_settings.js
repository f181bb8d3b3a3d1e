// The settings of a workspace: name, members, invitations, budget, digest, export and deletion.

import { config, _ } from "../common/config.js";
import { announce, byId, h, setText } from "../common/dom.js";
import { download } from "../common/download.js";
import { setError } from "../common/fields.js";
import { money, number } from "../common/format.js";
import { asProblem } from "../common/problem.js";
import { showProblem } from "../common/problem_display.js";
import { deleteWorkspace, endDigest, exportPath, getBudget, getDigest, renameWorkspace, setBudget, setDigest } from "../workspace/api.js";
import { connectMembers } from "../workspace/members.js";
import { isOwner, loadWorkspace, showWorkspace, workspaceId } from "../workspace/page.js";

/** Run `work` on submit; errors of its fields are shown at the inputs, `{field: input}`, others as a message. */
function connectForm(form, inputs, work) {
  const button = form.querySelector("button:not([type=button])");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    for (const input of Object.values(inputs)) setError(input, "");
    button.disabled = true;
    try {
      await work();
      announce(_("已更新。"));
    } catch (error) {
      const { body } = asProblem(error);
      const wrong = Object.entries(body.fields || {}).filter(([name]) => name in inputs);
      for (const [name, text] of wrong) setError(inputs[name], text);
      if (wrong.length) inputs[wrong[0][0]].focus();
      else showProblem(error, { display: "toast" });
    } finally {
      button.disabled = false;
    }
  });
}

function drawBudget(budget) {
  const limits = [
    budget.calls === null ? number(budget.used_calls) : `${number(budget.used_calls)} / ${number(budget.calls)}`,
    budget.money === null ? money(Number(budget.used_money)) : `${money(Number(budget.used_money))} / ${money(Number(budget.money))}`,
  ];
  setText(byId("budget-use"), _("本月已用：{calls} 次调用，{money}", { calls: limits[0], money: limits[1] }));
  byId("budget-calls").value = budget.calls ?? "";
  byId("budget-money").value = budget.money ?? "";
}

const textOrNull = (id) => byId(id).value.trim() || null;

function drawDigest({ every, channel, email }) {
  byId("digest-every").value = every ?? "";
  byId("digest-channel").value = channel ?? "page";
  setText(byId("digest-address"), email ? _("邮件发到 {email}。", { email }) : _("您的账号没有邮箱地址，只能在网页上看。"));
}

async function saveDigest() {
  const every = byId("digest-every").value;
  if (every) drawDigest(await setDigest(workspaceId, { every, channel: byId("digest-channel").value }));
  else await endDigest(workspaceId);
}

async function exportZip() {
  const button = byId("export");
  button.disabled = true;
  announce(_("正在准备文件…"));
  try {
    await download(exportPath(workspaceId));
    announce(_("文件已下载。"));
  } catch (error) {
    showProblem(error, { actions: { retry: exportZip } });
  } finally {
    button.disabled = false;
  }
}

async function remove() {
  await deleteWorkspace(workspaceId, byId("delete-name").value);
  location.assign(config.urls.workspaces);
}

function connect(workspace) {
  connectForm(byId("name-form"), { name: byId("name") }, async () => showWorkspace(await renameWorkspace(workspaceId, byId("name").value.trim())));
  connectForm(byId("budget-form"), { calls: byId("budget-calls"), money: byId("budget-money") }, async () => {
    drawBudget(await setBudget(workspaceId, { calls: textOrNull("budget-calls"), money: textOrNull("budget-money") }));
  });
  connectForm(byId("digest-form"), { channel: byId("digest-channel") }, saveDigest);
  connectForm(byId("delete-form"), { name: byId("delete-name") }, remove);
  byId("export").addEventListener("click", exportZip);
  return connectMembers(workspace, connectForm);
}

async function open() {
  try {
    const [workspace, budget, digest] = await Promise.all([loadWorkspace(), getBudget(workspaceId), getDigest(workspaceId)]);
    for (const part of document.querySelectorAll("[data-for=owner]")) part.hidden = !isOwner(workspace);
    byId("name").value = workspace.name;
    drawBudget(budget);
    drawDigest(digest);
    await connect(workspace);
    byId("settings").hidden = false;
  } catch (error) {
    showProblem(error, { actions: { retry: () => location.reload() }, container: byId("page-problem") });
  } finally {
    byId("loading").hidden = true;
  }
}

open();
