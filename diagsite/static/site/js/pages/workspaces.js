// The list of the caller's brands, each with its runs.

import { listWorkspaces } from "../common/api.js";
import { config, _ } from "../common/config.js";
import { announce, byId, h } from "../common/dom.js";
import { dateTime, demoTag } from "../common/elements.js";
import { number } from "../common/format.js";
import { showProblem } from "../common/problem_display.js";
import { undoDeletion } from "../workspace/api.js";

function createItem({ id, name, demo, runs, last_run_at: lastRun }) {
  const link = h("a", { class: "workspace-link", href: `${config.urls.workspaces}${id}/` }, h("strong", {}, name), demo && demoTag());
  const facts = [h("span", {}, _("{n} 次诊断", { n: number(runs) })), lastRun && h("span", {}, _("最近一次"), " ", dateTime(lastRun))];
  return h("li", { class: "workspace-item" }, link, h("span", { class: "hint workspace-facts" }, facts));
}

function createDeletedItem({ id, name, demo, purged_at: purgedAt }) {
  const button = h("button", { type: "button", class: "button", "aria-label": `${_("撤销删除")} ${name}` }, _("撤销删除"));
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      await undoDeletion(id);
      await open();
      announce(_("已恢复。"));
      byId("main").focus();
    } catch (error) {
      button.disabled = false;
      showProblem(error, { display: "toast" });
    }
  });
  return h("li", {}, h("span", { class: "cell" }, h("strong", {}, name), demo && [" ", demoTag()], h("span", { class: "range" }, _("永久删除："), dateTime(purgedAt))), button);
}

async function open() {
  try {
    const { items, deleted } = await listWorkspaces();
    const empty = h("li", { class: "empty" }, _("还没有品牌。"), " ", h("a", { href: `${config.urls.workspaces}new/` }, _("写下品牌名，几分钟后就有第一份报告。")));
    byId("workspaces").replaceChildren(...(items.length ? items.map(createItem) : [empty]));
    byId("deleted-section").hidden = !deleted.length;
    byId("deleted").replaceChildren(...deleted.map(createDeletedItem));
    byId("page-problem").replaceChildren();
  } catch (error) {
    byId("workspaces").replaceChildren();
    showProblem(error, { actions: { retry: open }, container: byId("page-problem") });
  }
}

open();
