// What the owner has not read yet: rates that moved, runs that were left out.

import { listNotices, readNotices } from "../common/api.js";
import { changeChip, changeRates } from "../common/rate_changes.js";
import { config, _ } from "../common/config.js";
import { announce, byId, h, setText } from "../common/dom.js";
import { showProblem } from "../common/problem_display.js";
import { demoTag, moment } from "../common/format.js";
import { skipWords } from "../common/skip_reasons.js";

let items = [];

function words(item) {
  if (item.kind === "skipped") return [h("strong", {}, item.brand), " ", _("有一次定期诊断没有运行：{why}", { why: skipWords(item.reason) })];
  return item.moves.map((move) => h("span", { class: "news-move" }, h("strong", {}, move.name), " ", changeChip(move), " ", changeRates(move)));
}

function linkOf(item) {
  if (item.kind === "skipped") return h("a", { href: config.urls.schedules }, _("查看定期诊断"));
  return h("a", { href: config.urls.diagnosis.replace("{id}", item.diagnosis) }, _("查看报告"));
}

function row(item) {
  return h(
    "li",
    { class: "news-item" },
    h("p", {}, words(item), item.demo && demoTag()),
    h("p", { class: "news-tools" }, moment(item.at), linkOf(item), h("button", { type: "button", class: "button quiet", onclick: () => read([item]) }, _("知道了"))),
  );
}

function draw() {
  byId("news-section").hidden = !items.length;
  setText(byId("news-count"), items.length ? String(items.length) : "");
  byId("news").replaceChildren(...items.map(row));
}

async function read(some) {
  try {
    await readNotices(some.map(({ id }) => id));
  } catch (error) {
    showProblem(error, { actions: { retry: () => read(some) } });
    return;
  }
  items = items.filter((item) => !some.includes(item));
  draw();
  announce(_("已标为已读"));
  byId(items.length ? "news-heading" : "main").focus();
  document.dispatchEvent(new CustomEvent("news-changed"));
}

/** Whether a diagnosis is told of by something unread. */
export const isNews = (id) => items.some((item) => item.diagnosis === id);

/** Shows what is unread. */
export async function loadNews() {
  try {
    items = (await listNotices()).items;
  } catch (error) {
    showProblem(error, { actions: { retry: loadNews }, display: "toast" });
    return;
  }
  draw();
  document.dispatchEvent(new CustomEvent("news-changed"));
}

byId("read-all").addEventListener("click", () => read([...items]));
