// Numbers, times and names as a person writes them.

import { config, _ } from "./config.js";
import { h } from "./dom.js";

const language = config.language || "zh-Hans";
const percentages = new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: 0 });
const numbers = new Intl.NumberFormat(language);
const money = new Intl.NumberFormat(language, { style: "currency", currency: "CNY", maximumFractionDigits: 4 });
const moments = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" });
const clock = new Intl.DateTimeFormat(language, { timeStyle: "short" });
const lists = new Intl.ListFormat(language, { type: "conjunction" });

/** `0.78` -> `78%`; nothing to say is a dash. */
export const percent = (rate) => (rate === null || rate === undefined ? "–" : percentages.format(rate));

export const number = (value) => numbers.format(value);

export const yuan = (value) => money.format(value);

export const listed = (names) => lists.format(names);

export const timeOfDay = (iso) => clock.format(new Date(iso));

/** A `<time>` in the reader's own time zone. */
export function moment(iso) {
  return h("time", { datetime: iso }, moments.format(new Date(iso)));
}

/** `95` -> `1 分 35 秒`. */
export function duration(seconds) {
  const whole = Math.max(1, Math.round(seconds));
  if (whole < 60) return _("{s} 秒", { s: whole });
  const minutes = Math.floor(whole / 60);
  const rest = whole % 60;
  return rest ? _("{m} 分 {s} 秒", { m: minutes, s: rest }) : _("{m} 分钟", { m: minutes });
}

/** Estimates are not precise to the second: beyond 10 s they go in steps of 5, beyond a minute of 15. */
export function about(seconds) {
  const step = seconds < 60 ? 5 : 15;
  return duration(seconds <= 10 ? Math.ceil(seconds) : Math.ceil(seconds / step) * step);
}

const STATUSES = {
  queued: _("排队中"),
  asking: _("询问中"),
  analysing: _("分析中"),
  completed: _("已完成"),
  partial: _("部分完成"),
  failed: _("未能完成"),
  timed_out: _("已超时"),
  cancelled: _("已取消"),
};

const RUNNING = new Set(["queued", "asking", "analysing"]);

export const isRunning = (status) => RUNNING.has(status);

export const statusName = (status) => STATUSES[status] || status;

/** A status as a chip; its shape and words tell it, not its colour alone. */
export function statusChip(status) {
  return h("span", { class: "chip status", "data-status": status }, statusName(status));
}

/** The mark on everything that came from the demo platform. */
export const demoTag = () => h("span", { class: "chip demo-tag" }, _("演示"));
