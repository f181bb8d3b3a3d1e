// The page of feedback: the form, also to report the answer of `?answer=`, and the caller's entries with their replies.

import { listFeedback, sendFeedback } from "../common/api.js";
import { _ } from "../common/config.js";
import { announce, byId, h, setText } from "../common/dom.js";
import { dateTime, emptyItem } from "../common/elements.js";
import { clearErrors, setError } from "../common/fields.js";
import { asProblem } from "../common/problem.js";
import { problemCard, showProblem } from "../common/problem_display.js";

const form = byId("feedback-form");
const answer = new URLSearchParams(location.search).get("answer");

const KIND_LABELS = { feedback: _("意见与问题"), complaint: _("投诉与申诉"), answer: _("举报回答") };

function entryItem({ kind, text, created_at: createdAt, handled_at: handledAt, reply }) {
  return h(
    "li",
    { class: "card" },
    h("p", {}, h("strong", {}, KIND_LABELS[kind]), " ", dateTime(createdAt), " ", h("span", { class: "chip" }, handledAt ? _("已处理") : _("待处理"))),
    h("p", { class: "answer-text" }, text),
    reply && h("p", {}, _("处理结果：{reply}", { reply })),
  );
}

async function load() {
  const list = byId("feedback-list");
  try {
    const { items, reply_days: days, contact } = await listFeedback();
    const promise = _("我们在 {n} 个工作日内处理，结果显示在下方。", { n: days });
    setText(byId("reply-time"), contact ? `${promise} ${_("也可以联系 {contact}。", { contact })}` : promise);
    list.replaceChildren(...(items.length ? items.map(entryItem) : [emptyItem(_("还没有提交过。"))]));
  } catch (error) {
    list.replaceChildren(h("li", {}, problemCard(asProblem(error).body, { actions: { retry: load } })));
  }
}

function showKind() {
  byId("reason-field").hidden = form.kind.value !== "answer";
}

function readForm() {
  const body = { kind: form.kind.value, text: form.text.value, contact: form.contact.value };
  return body.kind === "answer" ? { ...body, answer, reason: form.reason.value } : body;
}

async function submit(event) {
  event?.preventDefault();
  clearErrors(form);
  byId("form-problem").replaceChildren();
  if (!form.text.value.trim()) {
    setError(form.text, _("请填写内容。"));
    form.text.focus();
    return;
  }
  byId("submit").disabled = true;
  try {
    await sendFeedback(readForm());
    form.text.value = "";
    announce(_("已提交。"));
    await load();
    byId("list-heading").focus();
  } catch (error) {
    const { fields } = asProblem(error).body;
    if (fields?.text) setError(form.text, fields.text);
    else showProblem(error, { container: byId("form-problem"), actions: { retry: () => submit() } });
  }
  byId("submit").disabled = false;
}

if (answer) {
  byId("answer-kind").hidden = false;
  form.kind.value = "answer";
}
form.addEventListener("submit", submit);
form.addEventListener("change", showKind);
showKind();
load();
