// The sources of a brand's answers: hosts, their pages, and the answers that cite each.

import { listPlatforms } from "../common/api.js";
import { _ } from "../common/config.js";
import { byId, h, setText } from "../common/dom.js";
import { number } from "../common/format.js";
import { showProblem } from "../common/problem_display.js";
import { listPanels, listSources } from "../workspace/api.js";
import { createHostItem } from "../workspace/host_item.js";
import { canEdit, loadWorkspace, workspaceId } from "../workspace/page.js";

const HOSTS_AT_ONCE = 20;

let workspace = null;
let names = new Map(); // of platforms, by id
let sources = null;
let shown = HOSTS_AT_ONCE;

const getScope = () => ({ panel: byId("panel").value, runs: byId("runs").value, surface: byId("surface").value });

function filterHosts() {
  const kind = byId("kind").value;
  return sources.hosts.filter((host) => (!kind || (host.kind ?? "none") === kind) && (!byId("gaps").checked || host.is_gap));
}

function summaryText(hosts) {
  if (!sources.runs) return _("还没有诊断。");
  if (!sources.answers) return _("这些诊断里没有平台透露来源的回答：–");
  return _("{hosts} 个网站 · {runs} 次诊断 · {answers} 条回答", { hosts: number(hosts.length), runs: number(sources.runs), answers: number(sources.answers) });
}

function drawUntold() {
  const rows = Object.entries(sources.untold);
  byId("untold-section").hidden = !rows.length;
  byId("untold").replaceChildren(...rows.map(([platform, n]) => h("li", {}, h("strong", {}, names.get(platform) || platform), h("span", {}, _("{n} 条回答", { n: number(n) })))));
}

function draw() {
  const hosts = filterHosts();
  setText(byId("summary"), summaryText(hosts));
  byId("gap-hint").hidden = !sources.hosts.some((host) => host.is_gap);
  const context = { workspaceId, scope: getScope(), total: sources.answers, names, canEdit: canEdit(workspace), reload: load };
  byId("hosts").replaceChildren(...hosts.slice(0, shown).map((host) => createHostItem(host, context)));
  const rest = hosts.length - shown;
  byId("more").hidden = rest <= 0;
  setText(byId("more"), _("再显示 {n} 个", { n: number(Math.min(rest, HOSTS_AT_ONCE)) }));
  drawUntold();
}

function showMore() {
  const first = shown;
  shown += HOSTS_AT_ONCE;
  draw();
  byId("hosts").children[first]?.querySelector("summary").focus();
}

async function load() {
  byId("hosts").setAttribute("aria-busy", "true");
  try {
    sources = await listSources(workspaceId, getScope());
    byId("page-problem").replaceChildren();
    draw();
  } catch (error) {
    showProblem(error, { actions: { retry: load }, container: byId("page-problem") });
  } finally {
    byId("loading").hidden = true;
    byId("hosts").setAttribute("aria-busy", "false");
  }
}

async function open() {
  try {
    let platforms, panels;
    [workspace, platforms, panels] = await Promise.all([loadWorkspace(), listPlatforms(), listPanels(workspaceId)]);
    names = new Map(platforms.map(({ id, name }) => [id, name]));
    byId("panel").append(...panels.map(({ id, name }) => h("option", { value: id }, name)));
    byId("panel-field").hidden = !panels.length;
    await load();
  } catch (error) {
    byId("loading").hidden = true;
    showProblem(error, { actions: { retry: open }, container: byId("page-problem") });
  }
}

byId("filters").addEventListener("submit", (event) => event.preventDefault());
byId("filters").addEventListener("change", (event) => {
  shown = HOSTS_AT_ONCE;
  if (["kind", "gaps"].includes(event.target.id)) draw();
  else load();
});
byId("more").addEventListener("click", showMore);
open();
