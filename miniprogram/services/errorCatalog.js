/** The text shown for an error: the problem body's own, else the server's catalogue, else the texts of the package. */
(function (/** @type {any} */ root, /** @type {() => {createErrorCatalog(options: {wx: any, http: Diag.Http}): Diag.ErrorCatalog}} */ factory) {
  if (typeof module === 'object' && module.exports) module.exports = factory();
  else {
    root.diag = root.diag || {};
    root.diag.errorCatalog = factory();
  }
})(this, function () {
  'use strict';

  const STORAGE_KEY = 'diag.errors';
  const UNKNOWN = 'UNKNOWN_ERROR';
  const TOAST_MS = 3000;
  const DISPLAYS = ['toast', 'modal', 'page', 'inline'];

  /**
   * Used while the server cannot be reached: title, message, suggestion, display, action, icon if not warning.
   * @type {{[code: string]: string[]}}
   */
  const DEFAULT_TEXTS = {
    NETWORK_ERROR: ['网络连接失败', '暂时连不上服务，已有的结果都还在。', '请检查网络后重试。', 'toast', 'retry'],
    NETWORK_TIMEOUT: ['等待超时', '对方没有在规定时间内答复，已有的结果都还在。', '请稍后重试。', 'toast', 'retry'],
    AI_PLATFORM_ERROR: ['AI 平台暂时不可用', '这个平台现在无法回答，其他平台不受影响。', '可以切换 AI 模型，或稍后再试。', 'modal', 'switch_platform', 'error'],
    AI_QUOTA_EXHAUSTED: ['AI 配额已用尽', '这个平台的配额已经用完，其他平台的回答照常保留。', '请切换平台，运营人员会收到告警。', 'modal', 'switch_platform'],
    AI_RATE_LIMIT: ['平台有点忙', '平台要求我们放慢速度，几次重试后仍没有答复。', '稍后可以只重试未答复的部分。', 'inline', 'dismiss'],
    DIAGNOSIS_TIMEOUT: ['诊断超时', '这次诊断超过了时间上限，已得到的回答都已保存。', '可在历史记录中查看，或只重试未完成的部分。', 'page', 'open_history', 'error'],
    DIAGNOSIS_FAILED: ['诊断失败', '这次没有得到可用的回答，您填写的内容都已保存。', '可以查看部分结果和原因，再重试。', 'page', 'open_report', 'error'],
    DIAGNOSIS_PARTIAL_SUCCESS: ['诊断已完成，部分平台未答复', '报告按已得到的回答计算，未答复的已单独列出。', '可以直接查看报告，或只重试未答复的部分。', 'inline', 'open_report'],
    DATA_NOT_FOUND: ['没有找到', '这条内容不存在，或不属于当前账号。', '请返回首页，从历史记录中打开。', 'page', 'go_home', 'error'],
    DATA_FORMAT_ERROR: ['内容无法识别', '提交的内容格式有误，未作任何改动。', '请刷新页面后重试。', 'toast', 'retry', 'error'],
    UNAUTHORIZED: ['请先登录', '登录状态已失效，您的诊断仍在后台进行。', '重新登录后即可继续查看。', 'modal', 'sign_in', 'error'],
    FORBIDDEN: ['没有权限', '当前账号不能进行这项操作。', '如有需要，请联系管理员。', 'modal', 'dismiss', 'error'],
    SERVER_ERROR: ['系统开小差了', '是我们的问题，已经记录下来，您的内容都还在。', '请稍后重试。', 'modal', 'retry', 'error'],
    SERVICE_UNAVAILABLE: ['服务维护中', '服务暂时不可用，已提交的诊断不会丢失。', '请稍等片刻再试。', 'page', 'retry', 'error'],
    UNKNOWN_ERROR: ['出了点问题', '发生了预料之外的情况。', '请重试；如果反复出现，请联系客服。', 'modal', 'retry', 'error'],
    CONTENT_FILTERED: ['平台拒绝回答', '平台以内容规范为由没有回答这个问题，不计入统计。', '可以换一种问法再试。', 'inline', 'dismiss'],
    RATE_LIMITED: ['操作太频繁', '短时间内的请求有点多，已有的结果不受影响。', '请在 {seconds} 秒后再试。', 'toast', 'dismiss'],
    INVALID_INPUT: ['请检查填写的内容', '有内容不符合要求，其余内容都已保留。', '请按提示修改后再提交。', 'inline', 'dismiss'],
    CONFLICT: ['内容有冲突', '这次请求与已有的记录不一致，未作任何改动。', '请刷新后再试。', 'modal', 'dismiss'],
    DIAGNOSIS_CANCELLED: ['诊断已取消', '已得到的回答都已保存。', '可以查看部分结果，或重新发起。', 'inline', 'open_report', 'info'],
    DIAGNOSIS_RUNNING: ['诊断进行中', '报告会在诊断结束后生成。', '请稍等，进度会自动更新。', 'inline', 'dismiss', 'info'],
    QUEUE_FULL: ['排队的诊断太多', '现在排队的人很多，这次还没有开始，您填写的内容都已保留。', '请在 {seconds} 秒后再试。', 'modal', 'retry'],
    TOO_MANY_UNFINISHED: ['进行中的诊断已到上限', '等您的一个诊断结束后才能开始新的，您填写的内容都已保留。', '可以在历史记录中查看或取消进行中的诊断。', 'modal', 'open_history'],
    BUDGET_EXHAUSTED: ['预算不足', '本月剩余的预算不够支付这次调用，没有多花一分钱，已有的结果和填写的内容都已保留。', '可以换用其他平台、减少问题，或请运营人员提高预算。', 'modal', 'switch_platform'],
    CONTENT_REJECTED: ['内容未通过检查', '有文字没有通过内容安全检查，没有提交，您填写的内容都已保留。', '请修改标出的文字后再提交。', 'inline', 'dismiss'],
    CONTENT_CHECK_UNAVAILABLE: ['暂时无法检查内容', '内容安全检查暂时没有答复，这次还没有提交，您填写的内容都已保留。', '请在 {seconds} 秒后再试。', 'modal', 'retry'],
    CONSENT_REQUIRED: ['请先同意协议', '开始前需要您同意用户协议和隐私政策，您填写的内容都已保留。', '请阅读后勾选同意，再提交。', 'inline', 'dismiss', 'info'],
  };
  /** @type {{[kind: string]: string}} */
  const ACTION_LABELS = {
    retry: '重试', switch_platform: '切换平台', open_history: '查看历史记录', open_report: '查看报告',
    sign_in: '重新登录', go_home: '返回首页', dismiss: '知道了',
  };
  /** @type {{[code: string]: string}} */
  const LABELS_BY_CODE = {
    AI_PLATFORM_ERROR: '切换 AI 模型', DIAGNOSIS_FAILED: '查看部分结果', DIAGNOSIS_CANCELLED: '查看部分结果',
    DATA_FORMAT_ERROR: '刷新',
  };
  /** The text of a placeholder whose value is unknown. @type {{[name: string]: string}} */
  const UNKNOWN_VALUES = { platform: '该平台', seconds: '几', valid: '部分', planned: '全部' };

  /** @type {(object: any, name: string) => boolean} */
  const has = (object, name) => Object.prototype.hasOwnProperty.call(object, name);

  /** @param {string} code */
  function getDefaultCopy(code) {
    const [title, message, suggestion, display, kind, icon = 'warning'] = DEFAULT_TEXTS[code];
    const label = has(LABELS_BY_CODE, code) ? LABELS_BY_CODE[code] : ACTION_LABELS[kind];
    const durationMs = display === 'toast' ? TOAST_MS : 0;
    return { title, message, suggestion, display, icon, duration_ms: durationMs, action: { kind, label, params: {} } };
  }

  /**
   * Replace the four known placeholders; any other brace is part of the text.
   * @type {(text: any, values: {[name: string]: any}) => string}
   */
  function fillPlaceholders(text, values) {
    return String(text || '').replace(/\{(platform|seconds|valid|planned)\}/g, (whole, name) => {
      const value = values[name];
      return value === undefined || value === null || value === '' ? UNKNOWN_VALUES[name] : String(value);
    });
  }

  /** @param {any} error  an error of a service, a problem body, or any other thrown value */
  function toProblem(error) {
    const problem = error && error.problem ? error.problem : error;
    return problem && typeof problem.code === 'string' ? problem : { code: UNKNOWN };
  }

  /** @param {any} body  any JSON: a captive portal answers 200 as well */
  const isCatalogue = (body) => Boolean(body && body.errors && body.codes);

  /**
   * @param {{wx: any, http: Diag.Http}} options
   * @returns {Diag.ErrorCatalog}
   */
  function createErrorCatalog({ wx, http }) {
    /** @type {{etag: string, body: any}} */
    let cached = restore();

    function restore() {
      const empty = { etag: '', body: { errors: {}, codes: {} } };
      try {
        const stored = wx.getStorageSync(STORAGE_KEY);
        return stored && isCatalogue(stored.body) ? stored : empty;
      } catch (error) {
        return empty;
      }
    }
    /** @param {Diag.HttpResponse} response */
    function store({ status, body, headers }) {
      if (status !== 200 || !isCatalogue(body)) return;
      cached = { etag: headers.etag || '', body };
      try {
        wx.setStorageSync(STORAGE_KEY, cached);
      } catch (error) {
        return; // still cached in memory
      }
    }
    /** Refresh the catalogue; without a response the cached one stays. */
    function load() {
      /** @type {{[name: string]: string}} */
      const headers = cached.etag ? { 'If-None-Match': cached.etag } : {};
      return http.send({ path: '/api/errors', headers }).then(store, () => undefined);
    }
    /** @type {(code: string) => any} */
    function getCopy(code) {
      const { errors } = cached.body;
      if (has(errors, code)) return errors[code];
      if (has(DEFAULT_TEXTS, code)) return getDefaultCopy(code);
      return has(errors, UNKNOWN) ? errors[UNKNOWN] : getDefaultCopy(UNKNOWN);
    }
    /** @type {(code: string, action: any) => any} the action with its label; an unsupported one becomes `dismiss` */
    function getAction(code, action) {
      const supported = action && has(ACTION_LABELS, action.kind) ? action : { kind: 'dismiss' };
      const label = has(LABELS_BY_CODE, code) ? LABELS_BY_CODE[code] : ACTION_LABELS[supported.kind];
      return { kind: supported.kind, label: supported.label || label, params: supported.params || {} };
    }
    /** @type {(problem: any, code: string) => string} */
    function getSeverity(problem, code) {
      const { codes } = cached.body;
      return problem.severity || (has(codes, code) && codes[code].severity) || 'error';
    }
    /** @type {Diag.ErrorCatalog['present']} */
    function present(error, known = {}) {
      const problem = toProblem(error);
      const { code, fields = {}, request_id: requestId } = problem;
      const waitMs = problem.retry_after_ms || 0;
      const copy = problem.copy && problem.copy.title ? problem.copy : getCopy(code);
      const action = getAction(code, copy.action);
      const values = Object.assign(waitMs ? { seconds: Math.ceil(waitMs / 1000) } : {}, known);
      return {
        code,
        title: fillPlaceholders(copy.title, values),
        message: fillPlaceholders(copy.message, values),
        suggestion: fillPlaceholders(copy.suggestion, values),
        display: DISPLAYS.includes(copy.display) ? copy.display : 'modal',
        icon: copy.icon || 'warning',
        durationMs: copy.duration_ms || 0,
        severity: getSeverity(problem, code),
        waitMs,
        action: Object.assign(action, { label: fillPlaceholders(action.label, values) }),
        fields,
        reference: String(requestId || '').slice(0, 8),
      };
    }
    return { load, present };
  }

  return { createErrorCatalog };
});
