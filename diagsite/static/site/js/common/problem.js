// A failure as the API describes it, and the few that the page must describe itself because no answer came.

import { _ } from "./config.js";

/** Thrown by api.js; `body` is always a whole problem body with its copy. */
export class Problem extends Error {
  constructor(body, { isLocal = false } = {}) {
    super(body.code || "UNKNOWN_ERROR");
    this.name = "Problem";
    this.body = body;
    this.isLocal = isLocal;
  }
}

function local(code, title, message, suggestion, display = "toast") {
  const copy = { title, message, suggestion, display, icon: "warning", duration_ms: 0, action: { kind: "retry", params: {} } };
  return new Problem({ code, severity: "warning", retryable: true, copy }, { isLocal: true });
}

/** The request got no answer at all. */
export function networkProblem() {
  return local(
    "NETWORK_ERROR",
    _("网络连接失败"),
    _("没有连上服务器，您填写的内容和已有的结果都还在。"),
    _("请检查网络后重试。"),
  );
}

/** The answer took too long. */
export function timeoutProblem() {
  return local("NETWORK_TIMEOUT", _("等待超时"), _("服务器迟迟没有回应，已有的结果不受影响。"), _("请稍后重试。"));
}

/** An answer came that is not one of ours: a proxy's page, or half a body. */
export function unreadableProblem() {
  return local("DATA_FORMAT_ERROR", _("暂时读不懂服务器的回答"), _("服务可能正在更新，已有的结果不受影响。"), _("请稍后重试。"));
}

/** Something in this page itself went wrong. */
export function pageProblem() {
  return local("UNKNOWN_ERROR", _("页面出了点问题"), _("已提交的诊断会继续进行，结果不会丢。"), _("请刷新页面再看。"));
}

/** Any thrown value as a Problem. */
export function asProblem(error) {
  if (error instanceof Problem) return error;
  console.error(error);
  return pageProblem();
}

/** Whether this is a problem body that can be shown. */
export function isProblemBody(body) {
  return Boolean(body && typeof body === "object" && body.copy && body.copy.title);
}
