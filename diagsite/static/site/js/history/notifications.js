// The user's unread notifications: rates that changed, and scheduled runs that were skipped.

import { listNotifications, markNotificationsRead } from "../common/api.js";
import { config, _, diagnosisUrl } from "../common/config.js";
import { announce, byId, h, setText } from "../common/dom.js";
import { dateTime, demoTag } from "../common/elements.js";
import { skipReasonLabel } from "../common/format.js";
import { showProblem } from "../common/problem_display.js";
import { changeChip, ratesText } from "../common/rate_changes.js";

let notifications = [];

function describe(notification) {
  if (notification.kind === "skipped") {
    return [h("strong", {}, notification.brand), " ", _("有一次定期诊断没有运行：{why}", { why: skipReasonLabel(notification.reason) })];
  }
  return notification.moves.map((change) => h("span", { class: "notification-change" }, h("strong", {}, change.name), " ", changeChip(change), " ", ratesText(change)));
}

function createItem(notification) {
  const link =
    notification.kind === "skipped"
      ? h("a", { href: config.urls.schedules }, _("查看定期诊断"))
      : h("a", { href: diagnosisUrl(notification.diagnosis) }, _("查看报告"));
  const button = h("button", { type: "button", class: "button quiet", onclick: () => markRead([notification]) }, _("知道了"));
  return h(
    "li",
    { class: "notification" },
    h("p", {}, describe(notification), notification.demo && demoTag()),
    h("p", { class: "notification-tools" }, dateTime(notification.at), link, button),
  );
}

function draw() {
  byId("notifications-section").hidden = !notifications.length;
  setText(byId("notification-count"), notifications.length ? String(notifications.length) : "");
  byId("notifications").replaceChildren(...notifications.map(createItem));
  document.dispatchEvent(new CustomEvent("notifications-changed"));
}

async function markRead(read) {
  try {
    await markNotificationsRead(read.map(({ id }) => id));
  } catch (error) {
    showProblem(error, { actions: { retry: () => markRead(read) } });
    return;
  }
  notifications = notifications.filter((notification) => !read.includes(notification));
  draw();
  announce(_("已标为已读"));
  byId(notifications.length ? "notifications-heading" : "main").focus();
}

/** Whether there is an unread notification about this diagnosis. */
export const hasNotification = (diagnosisId) => notifications.some(({ diagnosis }) => diagnosis === diagnosisId);

/** Load and show the unread notifications. */
export async function loadNotifications() {
  try {
    notifications = (await listNotifications()).items;
  } catch (error) {
    showProblem(error, { actions: { retry: loadNotifications }, display: "toast" });
    return;
  }
  draw();
}

byId("read-all").addEventListener("click", () => markRead([...notifications]));
