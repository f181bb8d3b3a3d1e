// The problem bodies of the API, and those of failures without a response, which the page describes itself.

import { _ } from "./config.js";

/** Thrown by api.js and session.js; `body` is always a complete problem body with its texts. */
export class Problem extends Error {
  constructor(body, { isLocal = false } = {}) {
    super(body.code || "UNKNOWN_ERROR");
    this.name = "Problem";
    this.body = body;
    this.isLocal = isLocal;
  }

  /** The name by which the shared client core reads it. */
  get problem() {
    return this.body;
  }
}

function createLocalProblem(code, title, message, suggestion) {
  const copy = { title, message, suggestion, display: "toast", icon: "warning", duration_ms: 0, action: { kind: "retry", params: {} } };
  return new Problem({ code, severity: "warning", retryable: true, copy }, { isLocal: true });
}

/** The request got no response. */
export function networkProblem() {
  return createLocalProblem(
    "NETWORK_ERROR",
    _("网络连接失败"),
    _("没有连上服务器，您填写的内容和已有的结果都还在。"),
    _("请检查网络后重试。"),
  );
}

/** The response took too long. */
export function timeoutProblem() {
  return createLocalProblem("NETWORK_TIMEOUT", _("等待超时"), _("服务器迟迟没有回应，已有的结果不受影响。"), _("请稍后重试。"));
}

/** The response is not one of the API: a proxy's page, or a truncated body. */
export function unreadableProblem() {
  return createLocalProblem("DATA_FORMAT_ERROR", _("服务器的回应无法识别"), _("服务可能正在更新，已有的结果不受影响。"), _("请稍后重试。"));
}

/** A bug in the page. */
export function pageProblem() {
  return createLocalProblem("UNKNOWN_ERROR", _("页面出了点问题"), _("已提交的诊断会继续进行，结果不会丢。"), _("请刷新页面再看。"));
}

/** Return any thrown value as a Problem. */
export function asProblem(error) {
  if (error instanceof Problem) return error;
  console.error(error);
  return pageProblem();
}

/** Whether this is a problem body with texts to show. */
export function isProblemBody(body) {
  return Boolean(body && typeof body === "object" && body.copy && body.copy.title);
}
