"""What each platform really sends when it refuses, and what that means.

Sources: each platform's page of error codes and what users of its API report: volcengine.com/docs/82379/1299023,
api-docs.deepseek.com/quick_start/error_codes, help.aliyun.com/zh/model-studio/error-code, platform.kimi.com/docs/api/
errors, docs.bigmodel.cn/cn/api/api-code, cloud.tencent.com/document/product/1823/131595, cloud.baidu.com/doc/
qianfan-api/s/Om9b4yj3w, platform.openai.com/docs/guides/error-codes, ai.google.dev/gemini-api/docs/troubleshooting.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from diagnosis.choices import FailureReason


@dataclass(frozen=True)
class PlatformErrorCase:
    """One way of one platform to refuse, and the reason that we are to see in it."""

    platform: str
    label: str
    status: int
    body: Any
    reason: FailureReason
    headers: Mapping[str, str] = field(default_factory=dict)
    wait_seconds: float | None = None

    def __str__(self) -> str:
        return f"{self.platform}-{self.status}-{self.label}".replace(" ", "-")


def _doubao(status: int, code: str, kind: str, message: str, reason: FailureReason) -> PlatformErrorCase:
    body = {"error": {"code": code, "message": f"{message} Request id: 0217ab", "param": "", "type": kind}}
    return PlatformErrorCase("doubao", code, status, body, reason)


def _deepseek(status: int, message: str, kind: str, reason: FailureReason) -> PlatformErrorCase:
    error = {"message": message, "type": kind, "param": None, "code": "invalid_request_error"}
    return PlatformErrorCase("deepseek", message, status, {"error": error}, reason)


def _qwen(status: int, code: str, kind: str, message: str, reason: FailureReason) -> PlatformErrorCase:
    error = {"code": code, "param": None, "message": message, "type": kind}
    body = {"error": error, "id": "chatcmpl-f9fdb027", "request_id": "f9fdb027-830c"}
    return PlatformErrorCase("qwen", code, status, body, reason)


def _kimi(
    status: int, kind: str, message: str, reason: FailureReason, wait_seconds: float | None = None
) -> PlatformErrorCase:
    body = {"error": {"message": message, "type": kind}}
    return PlatformErrorCase("kimi", kind, status, body, reason, wait_seconds=wait_seconds)


def _glm(status: int, code: str, message: str, reason: FailureReason, **extra: Any) -> PlatformErrorCase:
    return PlatformErrorCase("glm", code, status, {"error": {"code": code, "message": message}} | extra, reason)


def _hunyuan(status: int, kind: str, code: str, message: str, reason: FailureReason) -> PlatformErrorCase:
    error = {"type": kind, "code": code, "message": message, "source": "gateway", "request_id": "b7c1"}
    return PlatformErrorCase("hunyuan", code, status, {"error": error}, reason)


def _ernie(status: int, kind: str, code: str, message: str, reason: FailureReason) -> PlatformErrorCase:
    body = {"error": {"code": code, "message": message, "type": kind}, "id": "as-wbx23eriqh"}
    return PlatformErrorCase("ernie", code, status, body, reason)


def _openai(
    status: int, kind: str, code: str | None, message: str, reason: FailureReason, **rest: Any
) -> PlatformErrorCase:
    body = {"error": {"message": message, "type": kind, "param": None, "code": code}}
    return PlatformErrorCase("openai", code or kind, status, body, reason, **rest)


def _gemini(
    status: int, status_name: str, message: str, reason: FailureReason, *details: Any, **rest: Any
) -> PlatformErrorCase:
    error = {"code": status, "message": message, "status": status_name, "details": list(details)}
    return PlatformErrorCase("gemini", f"{status_name} {reason}", status, [{"error": error}], reason, **rest)


def _quota_failure(quota_id: str) -> dict[str, Any]:
    violation = {"quotaMetric": "generativelanguage.googleapis.com/requests", "quotaId": quota_id}
    return {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [violation]}


_RETRY_INFO = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "2s"}
_BAD_GOOGLE_KEY = {
    "@type": "type.googleapis.com/google.rpc.ErrorInfo",
    "reason": "API_KEY_INVALID",
    "domain": "googleapis.com",
}

R = FailureReason

PLATFORM_ERROR_CASES: list[PlatformErrorCase] = [
    _doubao(403, "AccountOverdueError", "Forbidden", "Your account has an overdue balance.", R.QUOTA),
    _doubao(429, "AccountQuotaExceeded", "TooManyRequests", "You have exceeded your account quota.", R.QUOTA),
    _doubao(429, "SetLimitExceeded", "TooManyRequests", "You have reached the set inference limit.", R.QUOTA),
    _doubao(429, "RateLimitExceeded.EndpointRPMExceeded", "TooManyRequests", "RPM limit exceeded.", R.RATE),
    _doubao(429, "ModelAccountRpmRateLimitExceeded", "TooManyRequests", "RPM limit exceeded.", R.RATE),
    _doubao(429, "ServerOverloaded", "TooManyRequests", "The service is currently unable to handle more.", R.BUSY),
    _doubao(500, "InternalServiceError", "InternalServerError", "The service encountered an error.", R.BUSY),
    _doubao(400, "SensitiveContentDetected", "BadRequest", "The input may be sensitive.", R.FILTERED),
    _doubao(400, "SensitiveContentDetected.SevereViolation", "BadRequest", "Severe violation.", R.FILTERED),
    _doubao(400, "InputTextSensitiveContentDetected", "BadRequest", "The input may be sensitive.", R.FILTERED),
    _doubao(400, "OutputTextSensitiveContentDetected", "BadRequest", "The output may be sensitive.", R.FILTERED),
    _doubao(400, "InputTextRiskDetection", "BadRequest", "The input text includes sensitive content.", R.FILTERED),
    _doubao(401, "AuthenticationError", "Unauthorized", "The API key is missing or invalid.", R.KEY),
    _doubao(403, "AccessDenied", "Forbidden", "You do not have access to the resource.", R.KEY),
    _doubao(404, "InvalidEndpointOrModel.NotFound", "NotFound", "The model does not exist.", R.MODEL),
    _doubao(404, "ModelNotOpen", "NotFound", "Your account has not activated the model.", R.MODEL),
    _doubao(400, "InvalidEndpoint.ClosedEndpoint", "BadRequest", "The endpoint is currently closed.", R.MODEL),
    _doubao(400, "InvalidParameter", "BadRequest", "A parameter is not valid.", R.CONFIG),
    _deepseek(402, "Insufficient Balance", "unknown_error", R.QUOTA),
    _deepseek(429, "Rate limit reached", "rate_limit_error", R.RATE),
    _deepseek(503, "Service is too busy", "service_unavailable_error", R.BUSY),
    _deepseek(400, "Content Exists Risk", "invalid_request_error", R.FILTERED),
    _deepseek(401, "Authentication Fails (no such user)", "authentication_error", R.KEY),
    _deepseek(400, "Model Not Exist", "invalid_request_error", R.MODEL),
    _deepseek(422, "Failed to deserialize the JSON body", "invalid_request_error", R.BUG),
    _qwen(400, "Arrearage", "Arrearage", "Please make sure your account is in good standing.", R.QUOTA),
    _qwen(403, "AllocationQuota.FreeTierOnly", "AllocationQuota.FreeTierOnly", "Free tier exhausted.", R.QUOTA),
    _qwen(429, "Throttling.RateQuota", "Throttling.RateQuota", "Requests rate limit exceeded.", R.RATE),
    _qwen(429, "insufficient_quota", "insufficient_quota", "You exceeded your current quota.", R.RATE),
    _qwen(429, "limit_requests", "limit_requests", "You exceeded your current requests list.", R.RATE),
    _qwen(400, "data_inspection_failed", "data_inspection_failed", "Inappropriate content.", R.FILTERED),
    _qwen(401, "invalid_api_key", "invalid_request_error", "Incorrect API key provided.", R.KEY),
    _qwen(404, "model_not_found", "invalid_request_error", "The model does not exist.", R.MODEL),
    _qwen(500, "internal_error", "internal_error", "An internal error has occurred.", R.BUSY),
    _kimi(429, "exceeded_current_quota_error", "Your account is suspended, please check your plan.", R.QUOTA),
    _kimi(
        429,
        "rate_limit_reached_error",
        "Your account org-e66<ak-f3t8> request reached organization max RPM: 3, please try again after 1 seconds",
        R.RATE,
        wait_seconds=1,
    ),
    _kimi(429, "engine_overloaded_error", "The engine is currently overloaded, please try again later", R.BUSY),
    _kimi(400, "content_filter", "The request was rejected because it was considered high risk", R.FILTERED),
    _kimi(401, "invalid_authentication_error", "Invalid Authentication", R.KEY),
    _kimi(401, "incorrect_api_key_error", "Incorrect API key provided", R.KEY),
    _kimi(404, "resource_not_found_error", "Not found the model kimi-k9 or Permission denied", R.MODEL),
    _kimi(500, "server_error", "Error during invoking model", R.BUSY),
    _glm(429, "1113", "您的账户已欠费，请充值后重试。", R.QUOTA),
    _glm(429, "1304", "该 API 已达今日调用次数限额。", R.QUOTA),
    _glm(429, "1308", "已达到 5 小时的使用上限。", R.QUOTA),
    _glm(429, "1309", "您的 GLM Coding Plan 套餐已到期，暂无法使用。", R.QUOTA),
    _glm(429, "1310", "您已达到每周使用上限。", R.QUOTA),
    _glm(429, "1302", "您当前使用该 API 的并发数过高，请降低并发。", R.RATE),
    _glm(429, "1303", "您当前使用该 API 的频率过高，请降低频率。", R.RATE),
    _glm(429, "1305", "该模型当前访问量过大，请您稍后再试。", R.BUSY),
    _glm(429, "1312", "该模型当前访问量过大，请您稍后再试。", R.BUSY),
    _glm(500, "1234", "网络错误，请联系客服。", R.BUSY),
    _glm(400, "1301", "系统检测到输入或生成内容可能包含敏感内容。", R.FILTERED, contentFilter=[{"level": 1}]),
    _glm(401, "1000", "身份验证失败。", R.KEY),
    _glm(401, "1001", "Header 中未收到 Authentication 参数。", R.KEY),
    _glm(401, "1002", "Authentication Token 非法。", R.KEY),
    _glm(401, "1003", "Authentication Token 已过期。", R.KEY),
    _glm(401, "1004", "通过 Authentication Token 的验证失败。", R.KEY),
    _glm(429, "1112", "您的账户已被锁定，请联系客服解锁。", R.KEY),
    _glm(400, "1211", "模型不存在，请检查模型代码。", R.MODEL),
    _glm(403, "1311", "当前订阅套餐暂未开放该模型权限。", R.MODEL),
    _hunyuan(402, "permission_error", "401008", "endpoint is inactive: FREE_QUOTA_EXHAUSTED", R.QUOTA),
    _hunyuan(429, "rate_limit_error", "429001", "rate limit exceeded on dimension: rpm", R.RATE),
    _hunyuan(502, "upstream_error", "502001", "provider returned an error", R.BUSY),
    _hunyuan(451, "content_filter_error", "451001", "content was filtered by safety policy", R.FILTERED),
    _hunyuan(401, "authentication_error", "401002", "invalid api key", R.KEY),
    _ernie(429, "rate_limit_exceeded", "rpm_rate_limit_exceeded", "Rate limit reached for RPM", R.RATE),
    _ernie(500, "internal_error", "internal_error", "Internal error", R.BUSY),
    _ernie(400, "unsafe_request", "unsafe_request", "the content of message is unsafe", R.FILTERED),
    _ernie(400, "unsafe_request", "messages_unsafe", "the content of message is unsafe", R.FILTERED),
    _ernie(401, "invalid_request_error", "invalid_iam_token", "IAM Certification failed", R.KEY),
    _ernie(401, "invalid_request_error", "invalid_model", "No permission to use the model", R.MODEL),
    _openai(429, "insufficient_quota", "insufficient_quota", "You exceeded your current quota.", R.QUOTA),
    _openai(429, "insufficient_quota", None, "You exceeded your current quota.", R.QUOTA),
    _openai(
        429,
        "requests",
        "rate_limit_exceeded",
        "Rate limit reached for gpt-6-luna. Please try again in 1m30.5s.",
        R.RATE,
        wait_seconds=90.5,
    ),
    _openai(503, "server_error", "slow_down", "Slow down.", R.RATE, headers={"Retry-After": "2"}, wait_seconds=2),
    _openai(500, "server_error", None, "The server had an error.", R.BUSY),
    _openai(400, "invalid_request_error", "content_filter", "The response was filtered.", R.FILTERED),
    _openai(400, "invalid_request_error", "invalid_prompt", "Your prompt was flagged.", R.FILTERED),
    _openai(401, "invalid_request_error", "invalid_api_key", "Incorrect API key provided.", R.KEY),
    _openai(404, "invalid_request_error", "model_not_found", "The model does not exist.", R.MODEL),
    _gemini(
        429,
        "RESOURCE_EXHAUSTED",
        "You exceeded your current quota. Please retry in 2.1s.",
        R.RATE,
        _quota_failure("GenerateRequestsPerMinutePerProjectPerModel"),
        _RETRY_INFO,
        wait_seconds=2,
    ),
    _gemini(
        429,
        "RESOURCE_EXHAUSTED",
        "You exceeded your current quota.",
        R.QUOTA,
        _quota_failure("GenerateRequestsPerDayPerProjectPerModel-FreeTier"),
        _RETRY_INFO,
        wait_seconds=2,
    ),
    _gemini(503, "UNAVAILABLE", "The model is overloaded. Please try again later.", R.BUSY),
    _gemini(400, "INVALID_ARGUMENT", "API key not valid.", R.KEY, _BAD_GOOGLE_KEY),
    _gemini(400, "FAILED_PRECONDITION", "User location is not supported for the API use.", R.KEY),
    _gemini(403, "PERMISSION_DENIED", "Method doesn't allow unregistered callers.", R.KEY),
    _gemini(404, "NOT_FOUND", "models/gemini-99 is not found.", R.MODEL),
]
