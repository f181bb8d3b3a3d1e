// The members of a workspace with their roles, and the open invitations.

import { config, _ } from "../common/config.js";
import { confirmDialog } from "../common/confirm_dialog.js";
import { announce, byId, h } from "../common/dom.js";
import { dateTime, emptyItem } from "../common/elements.js";
import { asProblem } from "../common/problem.js";
import { showProblem } from "../common/problem_display.js";
import { changeRole, invite, listInvitations, listMembers, removeMember, revokeInvitation } from "./api.js";
import { isOwner, workspaceId } from "./page.js";

const ROLES = { viewer: _("查看者"), editor: _("编辑"), owner: _("所有者") };

let workspace = null;

/** Run `work`; show what prevents it. Returns whether it succeeded. */
async function attempt(work) {
  try {
    await work();
    return true;
  } catch (error) {
    const reason = Object.values(asProblem(error).body.fields || {}).join(" ");
    showProblem(error, { display: "toast" });
    if (reason) document.querySelector("#toasts .problem-text")?.append(h("p", {}, reason));
    return false;
  }
}

async function drawMembers() {
  const members = await listMembers(workspaceId);
  byId("members").replaceChildren(...members.map(memberItem));
}

async function remove(member) {
  const question = member.is_you
    ? { title: _("离开这个工作区？"), message: _("您马上看不到它。要回来，需要新的邀请。"), yes: _("离开"), no: _("留下") }
    : { title: _("移除 {name}？", { name: member.name }), message: _("对方马上看不到这个工作区。他发起的诊断会留下。"), yes: _("移除"), no: _("保留") };
  if (!(await confirmDialog(question))) return;
  if (!(await attempt(() => removeMember(workspaceId, member.id)))) return;
  if (member.is_you) {
    location.assign(config.urls.workspaces);
    return;
  }
  await drawMembers();
  announce(_("已更新。"));
  byId("members-heading").focus();
}

function roleSelect(member) {
  const options = Object.entries(ROLES).map(([value, label]) => h("option", { value, selected: value === member.role }, label));
  const select = h("select", { class: "role-select", "aria-label": _("{name} 的角色", { name: member.name }) }, options);
  select.addEventListener("change", async () => {
    if (!(await attempt(() => changeRole(workspaceId, member.id, select.value)))) {
      select.value = member.role;
      return;
    }
    // The own role decides what this page offers.
    if (member.is_you) location.reload();
    member.role = select.value;
    announce(_("已更新。"));
  });
  return select;
}

function memberItem(member) {
  const canManage = isOwner(workspace);
  const label = member.is_you ? _("离开") : _("移除");
  const button = h("button", { type: "button", class: "button quiet", "aria-label": `${label} ${member.name}`, onclick: () => remove(member) }, label);
  return h(
    "li",
    {},
    h("span", { class: "cell" }, h("strong", {}, member.name), member.is_you && [" ", h("span", { class: "chip" }, _("您"))], h("span", { class: "range" }, _("加入于"), " ", dateTime(member.joined_at))),
    canManage ? roleSelect(member) : h("span", {}, ROLES[member.role]),
    (canManage || member.is_you) && button,
  );
}

async function drawInvitations() {
  const invitations = await listInvitations(workspaceId);
  byId("invitations").replaceChildren(...(invitations.length ? invitations.map(invitationItem) : [emptyItem(_("没有未接受的邀请。"))]));
}

function invitationItem({ id, role, email, expires_at: expiresAt }) {
  const name = email ? `${ROLES[role]} · ${email}` : ROLES[role];
  const revoke = async () => {
    if (!(await attempt(() => revokeInvitation(workspaceId, id)))) return;
    byId("new-invitation").hidden = true;
    await drawInvitations();
    announce(_("邀请已撤销。"));
    byId("invitations-heading").focus();
  };
  const button = h("button", { type: "button", class: "button quiet", "aria-label": `${_("撤销")} ${name}`, onclick: revoke }, _("撤销"));
  return h("li", {}, h("span", { class: "cell" }, name, h("span", { class: "range" }, _("有效至"), " ", dateTime(expiresAt))), button);
}

async function create() {
  const { url } = await invite(workspaceId, { role: byId("invitation-role").value, email: byId("invitation-email").value.trim() });
  byId("invitation-url").value = url;
  byId("new-invitation").hidden = false;
  await drawInvitations();
  byId("invitation-url").select();
}

async function copy() {
  const input = byId("invitation-url");
  input.select();
  try {
    await navigator.clipboard.writeText(input.value);
    announce(_("链接已复制。"));
  } catch {
    // Not available without HTTPS or without the user's permission.
    announce(_("请手动复制选中的链接。"));
  }
}

/** Draw members and invitations, and connect their controls. `connectForm` shows errors at the fields of a form. */
export async function connectMembers(loaded, connectForm) {
  workspace = loaded;
  connectForm(byId("invitation-form"), { role: byId("invitation-role"), email: byId("invitation-email") }, create);
  byId("copy-invitation").addEventListener("click", copy);
  await Promise.all([drawMembers(), isOwner(workspace) && drawInvitations()]);
}
