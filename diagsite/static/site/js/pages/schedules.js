// The page of schedules: the form of a new one, and the list with pause, resume and delete.

import { deleteSchedule, listSchedules, pauseSchedule, resumeSchedule } from "../common/api.js";
import { _, diagnosisUrl } from "../common/config.js";
import { confirmDialog } from "../common/confirm_dialog.js";
import { byId, h, setText } from "../common/dom.js";
import { demoTag, emptyItem } from "../common/elements.js";
import { money, number, skipReasonLabel, zonedTimeText } from "../common/format.js";
import { asProblem } from "../common/problem.js";
import { problemCard, showProblem } from "../common/problem_display.js";
import { openForm } from "../schedules/schedule_form.js";
import { costText, fact, recurrenceText, zonedTime } from "../schedules/schedule_text.js";

const list = byId("schedules");

function spentText({ estimate: { spent }, budget_calls: budgetCalls, budget_money: budgetMoney }) {
  return _("{spent} / {most} 次调用，{money} / {budget}", {
    spent: number(spent.calls),
    most: number(budgetCalls),
    money: money(Number(spent.money)),
    budget: money(Number(budgetMoney)),
  });
}

function warning(schedule) {
  if (schedule.is_paused) return null;
  if (schedule.slot_at) {
    const values = { why: skipReasonLabel(schedule.wait_reason), until: zonedTimeText(schedule.retry_until, schedule.zone) };
    return h("p", { class: "warning" }, _("还没有运行：{why}。会一直重试到 {until}。", values));
  }
  if (schedule.skip_reason) {
    return h("p", { class: "warning" }, zonedTime(schedule.skipped_at, schedule.zone), " ", _("没有运行：{why}", { why: skipReasonLabel(schedule.skip_reason) }));
  }
  if (!schedule.estimate.refused) return null;
  return h("p", { class: "warning" }, _("按现在的情况，下一次会跳过：{why}", { why: skipReasonLabel(schedule.estimate.refused) }));
}

function buttons(schedule) {
  const [toggleLabel, toggle] = schedule.is_paused ? [_("恢复"), resumeSchedule] : [_("暂停"), pauseSchedule];
  const withBrand = (label) => `${label} ${schedule.brand}`;
  const onToggle = (event) => change(event.target, () => toggle(schedule.id), schedule.id);
  const onDelete = (event) => confirmDelete(event.target, schedule);
  return h(
    "div",
    { class: "form-actions" },
    h("button", { type: "button", class: "button", "aria-label": withBrand(toggleLabel), onclick: onToggle }, toggleLabel),
    h("button", { type: "button", class: "button quiet", "aria-label": withBrand(_("删除")), onclick: onDelete }, _("删除")),
  );
}

function scheduleCard(schedule) {
  const { questions, platforms, repeats, last_diagnosis: lastDiagnosis } = schedule;
  return h(
    "li",
    { class: "card schedule", "data-id": schedule.id },
    h("h3", {}, schedule.brand, " ", schedule.demo && demoTag(), " ", schedule.is_paused && h("span", { class: "chip" }, _("已暂停"))),
    h("p", { class: "hint" }, _("{q} 个问题 × {p} 个平台 × {r} 次", { q: questions.length, p: platforms.length, r: repeats })),
    h(
      "dl",
      {},
      fact(_("周期"), recurrenceText(schedule)),
      fact(schedule.slot_at ? _("下一次重试") : _("下一次"), schedule.is_paused ? "–" : zonedTime(schedule.next_at, schedule.zone)),
      fact(_("本月用了"), spentText(schedule)),
      fact(_("每次"), costText(schedule.estimate.run)),
      lastDiagnosis && fact(_("最近一次"), h("a", { href: diagnosisUrl(lastDiagnosis) }, _("查看报告"))),
    ),
    warning(schedule),
    buttons(schedule),
  );
}

/** Send a change of a schedule, reload the list and restore the focus. */
async function change(button, send, id) {
  button.disabled = true;
  try {
    await send();
    await load();
    list.querySelector(`[data-id="${id}"] button`)?.focus();
  } catch (error) {
    button.disabled = false;
    showProblem(error, { actions: { retry: () => change(button, send, id) } });
  }
}

async function confirmDelete(button, schedule) {
  const question = {
    title: _("删除 {brand} 的定期诊断？", { brand: schedule.brand }),
    message: _("不会再自动运行，已有的诊断会保留。"),
    yes: _("删除"),
    no: _("保留"),
  };
  if (!(await confirmDialog(question))) return;
  await change(button, () => deleteSchedule(schedule.id), schedule.id);
  byId("list-heading").focus();
}

async function load() {
  try {
    const { items, most: max, zone } = await listSchedules();
    setText(byId("zone"), _("时间按 {zone}。", { zone }));
    setText(byId("schedule-count"), `${items.length} / ${max}`);
    list.replaceChildren(...(items.length ? items.map(scheduleCard) : [emptyItem(_("还没有定期诊断。打开一份报告，在“趋势”里选“定期重复”。"))]));
  } catch (error) {
    list.replaceChildren(h("li", {}, problemCard(asProblem(error).body, { actions: { retry: load } })));
  }
}

load();
openForm({
  onCreated: async () => {
    await load();
    byId("list-heading").focus();
  },
});
