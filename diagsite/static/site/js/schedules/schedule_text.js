// The cost and the recurrence of a schedule as text.

import { _ } from "../common/config.js";
import { h } from "../common/dom.js";
import { money, number, zonedTimeText } from "../common/format.js";

const WEEKDAYS = [_("周一"), _("周二"), _("周三"), _("周四"), _("周五"), _("周六"), _("周日")];

/** `{calls, money}` of one run, or of at most `runs` runs. */
export function costText(cost, runs) {
  const values = { calls: number(cost.calls), money: money(Number(cost.money)) };
  if (runs === undefined) return _("{calls} 次调用，{money}", values);
  return _("{calls} 次调用，{money}（最多 {n} 次运行）", { ...values, n: runs });
}

export function recurrenceText({ every, weekday, day, time }) {
  const timeText = time.slice(0, 5);
  if (every === "daily") return _("每天 {time}", { time: timeText });
  if (every === "weekly") return _("每{weekday} {time}", { weekday: WEEKDAYS[weekday], time: timeText });
  return _("每月 {day} 日 {time}", { day, time: timeText });
}

/** A time of a schedule, in the schedule's own zone and with its name. */
export function zonedTime(iso, zone) {
  return h("time", { datetime: iso }, zonedTimeText(iso, zone));
}

/** One term of a `<dl>` with its value. */
export function fact(name, ...value) {
  return h("div", {}, h("dt", {}, name), h("dd", {}, value));
}
