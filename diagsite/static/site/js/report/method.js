// How the figures were measured: the models, the parameters, the number of calls and their time.

import { _ } from "../common/config.js";
import { h } from "../common/dom.js";
import { dateTime } from "../common/elements.js";
import { number } from "../common/format.js";

function modelItem(platform, method) {
  const models = method.models_by_platform[platform.id] || [];
  return h("li", {}, `${platform.name}: ${models.join("、") || platform.model}`);
}

function timeSpan({ first_answer_at: first, last_answer_at: last }) {
  if (!first) return _("没有得到回答");
  return [dateTime(first), " – ", dateTime(last)];
}

/** Fill the list. */
export function drawMethod(list, report) {
  const { method } = report;
  const facts = [
    [_("来源"), h("ul", {}, report.platforms.map((platform) => h("li", {}, `${platform.name}: ${method.surface_labels[platform.id] || ""}`)))],
    [_("回答的时间"), timeSpan(method)],
    [_("模型"), h("ul", {}, report.platforms.map((platform) => modelItem(platform, method)))],
    [_("参数"), _("只发送问题本身，没有系统提示和上下文；温度等用平台的默认值。")],
    [_("规模"), _("{q} 个问题 × {p} 个平台 × {r} 次", { q: number(report.questions.length), p: number(report.platforms.length), r: number(method.repeats) })],
    [_("内容标识"), report.ai_label],
  ];
  list.replaceChildren(...facts.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}
