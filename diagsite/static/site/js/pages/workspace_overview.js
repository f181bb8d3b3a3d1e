// The overview of a brand: whether anything changed, the figures, the trend, and what to do.

import { config, _, diagnosisUrl } from "../common/config.js";
import { announce, byId, h, setText } from "../common/dom.js";
import { dateTime, emptyItem } from "../common/elements.js";
import { dateTimeText, interval, number, percent, surfaceLabel, zonedTimeText } from "../common/format.js";
import { connectPrint } from "../common/print_link.js";
import { showProblem } from "../common/problem_display.js";
import { breakTexts, changeText, drawSurfaceSwitch } from "../common/rate_changes.js";
import { drawTrendChart } from "../common/trend_chart.js";
import { cell, mentionCount, rateParts, remark } from "../report/cells.js";
import { ShareDialog } from "../report/share_dialog.js";
import {
  changeAction,
  createOverviewShare,
  getOverview,
  listOverviewShares,
  prepareOverviewPrint,
  revokeOverviewShare,
} from "../workspace/api.js";
import { canEdit, isOwner, showWorkspace, workspaceId } from "../workspace/page.js";
import { describeAction, describeTile } from "../workspace/texts.js";

const filters = { panel: "", surface: "" };
let overview = null;

function headlineText({ kind, since, changes }) {
  const date = since ? dateTimeText(since) : "";
  if (kind === "empty") return _("还没有诊断");
  if (kind === "first") return _("第一次诊断已完成，从第二次起能看到变化");
  if (kind === "not_comparable") return _("与 {date} 那次没有可比的回答", { date });
  if (kind === "unchanged") return _("与 {date} 相比没有显著变化", { date });
  return changes.map((change) => `${change.name} ${percent(change.before)} → ${percent(change.after)}`).join("；");
}

function drawHeadline({ headline, latest, recount, running }) {
  setText(byId("headline"), headlineText(headline));
  const isEmpty = headline.kind === "empty" && !running;
  const first = isEmpty && h("a", { href: "questions/" }, _("选好问题和平台，做第一次诊断"));
  const notes = [
    first,
    ...headline.changes.map((change) => `${change.name}：${changeText(change)}`),
    ...breakTexts(headline.breaks),
    latest?.is_partial && _("最近一次有回答缺失：{valid} / {planned} 有效", { valid: number(latest.valid), planned: number(latest.planned) }),
    recount.total > recount.done && _("名称改过，正在按新名称重算：{done} / {total} 次", { done: number(recount.done), total: number(recount.total) }),
    running > 0 && _("{n} 个诊断正在进行", { n: number(running) }),
  ].filter(Boolean);
  byId("headline-notes").replaceChildren(...notes.map((text) => h("li", {}, text)));
}

function drawTiles({ tiles, latest }) {
  byId("tiles").replaceChildren(
    ...tiles.map((tile) => {
      const { label, counts, change } = describeTile(tile);
      const parts = [rateParts(tile.value, tile.low, tile.high), counts && remark(counts), change && remark(change)];
      const href = latest ? diagnosisUrl(latest.id) : null;
      return h(href ? "a" : "div", { class: "tile", href }, h("span", { class: "tile-label" }, label), parts);
    }),
  );
}

function brandCell(brands, name) {
  const figure = brands.find((brand) => brand.name === name);
  if (!figure || figure.rate === null) return cell(name, "–");
  return cell(name, percent(figure.rate), remark(interval(figure.low, figure.high)), remark(mentionCount(figure.k, figure.n)));
}

function drawTrend({ trend }) {
  byId("trend-section").hidden = trend.length === 0;
  if (!trend.length) return;
  const latest = trend[trend.length - 1];
  const own = latest.brands.find((brand) => brand.is_own);
  const names = latest.brands.map(({ name }) => name);
  const steps = trend.flatMap((point) => {
    const brand = point.brands.find((one) => one.is_own);
    const change = { changed: "none", measured_differently: point.breaks.length > 0 };
    return brand ? [{ point, brand, change, breaks: point.breaks }] : [];
  });
  byId("trend-chart").replaceChildren(...(own && steps.length > 1 ? drawTrendChart(steps, latest.id) : []).filter(Boolean));
  byId("trend-head").replaceChildren(h("tr", {}, [_("时间"), ...names].map((name) => h("th", { scope: "col" }, name))));
  byId("trend-rows").replaceChildren(
    ...[...trend].reverse().map((point) => {
      const date = h("th", { scope: "row" }, h("a", { href: diagnosisUrl(point.id) }, dateTime(point.created_at)));
      const breaks = breakTexts(point.breaks).map((text) => remark(text));
      date.append(...breaks);
      return h("tr", {}, date, names.map((name) => brandCell(point.brands, name)));
    }),
  );
}

function drawLists({ platforms, lost, schedules, latest }) {
  byId("platforms").replaceChildren(
    ...platforms.map((row) =>
      h("li", {}, h("strong", {}, row.name), remark(surfaceLabel(row.surface)), h("div", { class: "cell" }, rateParts(row.rate, row.low, row.high), remark(mentionCount(row.k, row.n)))),
    ),
  );
  byId("platforms-section").hidden = !platforms.length;
  byId("lost-section").hidden = !lost.length;
  byId("lost").replaceChildren(
    ...lost.map((row) => {
      const counts = _("{brands} {winners} 次，本品牌 {own} 次", { brands: row.winners.join("、"), winners: number(row.winners_mentions), own: number(row.mentions) });
      return h("li", {}, h("a", { href: diagnosisUrl(latest.id) }, row.text), remark(counts));
    }),
  );
  const runs = schedules.map((row) => h("li", {}, row.is_paused ? _("已暂停") : zonedTimeText(row.next_at, row.zone)));
  const offer = h("li", {}, h("a", { href: latest ? `${config.urls.schedules}?from=${latest.id}` : config.urls.schedules }, _("设为定期诊断")));
  byId("next").replaceChildren(...(runs.length ? runs : [offer]));
}

function actionItem(action) {
  const { text, evidence } = describeAction(action, overview);
  const link = action.diagnosis ? h("a", { href: diagnosisUrl(action.diagnosis) }, text) : h("span", {}, text);
  const notes = [remark(evidence), action.seen_in_last_run === false && remark(_("最近一次没有再出现"))];
  const buttons = ["done", "dismissed"].map((state) => {
    const button = h("button", { type: "button", class: "button quiet" }, state === "done" ? _("做完了") : _("忽略"));
    button.addEventListener("click", () => setActionState(action, state, button));
    return button;
  });
  return h("li", {}, link, notes, canEdit(overview.workspace) && h("span", { class: "action-buttons" }, buttons));
}

function drawActions({ actions }) {
  byId("actions").replaceChildren(...(actions.length ? actions.map(actionItem) : [emptyItem(_("目前没有。"))]));
}

async function setActionState(action, state, button) {
  button.disabled = true;
  try {
    await changeAction(workspaceId, action.id, { state });
    await load();
    announce(_("已更新。"));
    byId("actions-heading").focus();
  } catch (error) {
    button.disabled = false;
    showProblem(error, { display: "toast" });
  }
}

function panelLabel({ name, runs, last_run_at: lastRun }) {
  const counts = _("{n} 次诊断，最近 {date}", { n: number(runs), date: dateTimeText(lastRun) });
  return name ? `${name}（${counts}）` : counts;
}

function draw() {
  const { workspace, panels, panel, latest } = overview;
  showWorkspace(workspace);
  byId("open-share").hidden = !isOwner(workspace);
  byId("run").href = latest ? `${config.urls.start}?from=${latest.id}` : config.urls.start;
  byId("panel-field").hidden = panels.length < 2;
  byId("panel").replaceChildren(...panels.map((one) => h("option", { value: one.key }, panelLabel(one))));
  byId("panel").value = panel;
  drawSurfaceSwitch(byId("surfaces"), overview, (surface) => load({ surface }));
  drawHeadline(overview);
  drawTiles(overview);
  drawTrend(overview);
  drawLists(overview);
  drawActions(overview);
}

async function load(changes = {}) {
  Object.assign(filters, changes);
  try {
    overview = await getOverview(workspaceId, filters);
    byId("page-problem").replaceChildren();
    byId("overview").hidden = false;
    draw();
  } catch (error) {
    showProblem(error, { actions: { retry: load }, container: byId("page-problem") });
  } finally {
    byId("loading").hidden = true;
  }
}

connectPrint(byId("open-print"), () => prepareOverviewPrint(workspaceId));
new ShareDialog({
  list: () => listOverviewShares(workspaceId),
  create: (days) => createOverviewShare(workspaceId, days),
  revoke: (id) => revokeOverviewShare(workspaceId, id),
});
byId("panel").addEventListener("change", (event) => load({ panel: event.target.value, surface: "" }));
load();
