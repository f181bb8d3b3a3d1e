// A finding: what it is, since when, its answers, and what the members decided.

import { _, diagnosisUrl } from "../common/config.js";
import { announce, h } from "../common/dom.js";
import { dateTime } from "../common/elements.js";
import { number } from "../common/format.js";
import { asProblem } from "../common/problem.js";
import { problemCard, showProblem } from "../common/problem_display.js";
import { changeAction, listActionAnswers } from "./api.js";
import { ACTION_STATES, describeAction } from "./texts.js";

const MAX_NOTE = 500;

function answerItem({ answer, diagnosis, question, platform, excerpt, started_at: startedAt }, names) {
  return h(
    "li",
    {},
    h("a", { href: `${diagnosisUrl(diagnosis)}#answer-${answer}` }, question),
    h("span", { class: "range" }, names.get(platform) || platform, " · ", dateTime(startedAt)),
    h("q", { class: "cited-place" }, excerpt, "…"),
  );
}

function answersPart(action, { workspaceId, platforms }) {
  if (!action.count) return null;
  const names = new Map(platforms.map(({ id, name }) => [id, name]));
  const body = h("div", { class: "source-body" });
  const load = async () => {
    body.replaceChildren(h("p", { class: "loading" }, _("正在读取…")));
    try {
      const answers = await listActionAnswers(workspaceId, action.id);
      const isCut = action.count > answers.length;
      body.replaceChildren(
        ...[
          isCut && h("p", { class: "hint" }, _("显示其中 {n} 条。", { n: number(answers.length) })),
          h("ul", { class: "source-uses" }, answers.map((answer) => answerItem(answer, names))),
        ].filter(Boolean),
      );
    } catch (error) {
      body.replaceChildren(problemCard(asProblem(error).body, { actions: { retry: load }, heading: "h4" }));
    }
  };
  const details = h("details", { class: "method" }, h("summary", {}, _("依据 {n} 条回答", { n: number(action.count) })), body);
  details.addEventListener("toggle", () => {
    if (details.open && !body.childElementCount) load();
  });
  return details;
}

function factList(action) {
  const { quotes = [] } = action.details;
  return [
    h(
      "p",
      { class: "hint action-facts" },
      h("span", {}, _("首次出现"), " ", dateTime(action.created_at)),
      h("span", {}, _("最近出现"), " ", dateTime(action.seen_at)),
      action.seen_in_last_run === false && h("span", {}, _("最近一次没有再出现")),
      action.reopened_at && action.state === "open" && h("span", {}, _("完成后又出现了"), " ", dateTime(action.reopened_at)),
    ),
    quotes.map((quote) => h("p", {}, h("q", { class: "cited-place" }, quote))),
  ];
}

/** Save a change; `then` runs after it. The controls of the item are disabled meanwhile. */
async function save(item, action, change, { workspaceId }, then) {
  const controls = [...item.querySelectorAll("select, textarea, button")];
  for (const control of controls) control.disabled = true;
  try {
    Object.assign(action, await changeAction(workspaceId, action.id, change));
    for (const control of controls) control.disabled = false;
    await then();
  } catch (error) {
    for (const control of controls) control.disabled = false;
    showProblem(error, { display: "toast" });
  }
}

function field(label, control) {
  return h("label", { class: "field" }, h("span", {}, label), control);
}

function editor(item, action, context) {
  const states = Object.entries(ACTION_STATES).map(([value, label]) => h("option", { value, selected: value === action.state }, label));
  const state = h("select", {}, states);
  state.addEventListener("change", () => save(item, action, { state: state.value }, context, context.onStateChange));
  const members = context.members.map(({ id, name }) => h("option", { value: id, selected: id === action.assignee_member }, name));
  const assignee = h("select", {}, h("option", { value: "" }, _("无")), members);
  assignee.addEventListener("change", () => {
    const change = assignee.value ? { assignee: assignee.value } : { unassign: true };
    save(item, action, change, context, () => {
      announce(_("已更新。"));
      assignee.focus();
    });
  });
  const note = h("textarea", { rows: "1", maxlength: String(MAX_NOTE) });
  note.value = action.note;
  const button = h("button", { class: "button" }, _("保存备注"));
  const form = h("form", { class: "action-note" }, field(_("备注"), note), button);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    save(item, action, { note: note.value.trim() }, context, () => {
      announce(_("已更新。"));
      button.focus();
    });
  });
  return h("div", { class: "action-editor" }, field(_("状态"), state), field(_("负责人"), assignee), form);
}

function decision(action) {
  const parts = [ACTION_STATES[action.state], action.assignee && _("负责人：{name}", { name: action.assignee })].filter(Boolean);
  return [h("p", { class: "hint" }, parts.join(" · ")), action.note && h("p", {}, action.note)];
}

/** An item of the list. `context` is `{workspaceId, platforms, members, canEdit, onStateChange}`. */
export function createActionItem(action, context) {
  const { text } = describeAction(action, context);
  const item = h("li", { class: "card action-item" }, h("h3", {}, text), factList(action), answersPart(action, context));
  item.append(...(context.canEdit ? [editor(item, action, context)] : decision(action).filter(Boolean)));
  return item;
}
