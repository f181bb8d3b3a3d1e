// The page of the account: the models in use with their filings, and the deletion of the account.

import { deleteAccount, listPlatforms } from "../common/api.js";
import { _, config } from "../common/config.js";
import { confirmDialog } from "../common/confirm_dialog.js";
import { announce, byId, h } from "../common/dom.js";
import { asProblem } from "../common/problem.js";
import { problemCard } from "../common/problem_display.js";
import { forgetSession } from "../common/session.js";

const button = byId("delete-account");

function modelItem({ name, model, filing_number: filing }) {
  return h("li", {}, name, " ", h("span", { class: "hint" }, [model, filing && _("备案号 {number}", { number: filing })].filter(Boolean).join(" · ")));
}

async function showModels() {
  try {
    byId("models").replaceChildren(...(await listPlatforms()).map(modelItem));
  } catch (error) {
    byId("models").replaceChildren(h("li", {}, problemCard(asProblem(error).body, { actions: { retry: showModels } })));
  }
}

async function confirmDeletion() {
  const question = {
    title: _("删除账号和全部数据？"),
    message: _("立即永久删除，不能恢复。"),
    yes: _("永久删除"),
    no: _("保留"),
  };
  if (!(await confirmDialog(question))) return;
  button.disabled = true;
  try {
    await deleteAccount();
    forgetSession();
    button.hidden = true;
    byId("deleted").hidden = false;
    announce(byId("deleted").textContent);
    setTimeout(() => location.assign(config.urls.start), 3000);
  } catch (error) {
    button.disabled = false;
    byId("delete-problem").replaceChildren(problemCard(asProblem(error).body, { actions: { retry: confirmDeletion } }));
  }
}

button.addEventListener("click", confirmDeletion);
showModels();
