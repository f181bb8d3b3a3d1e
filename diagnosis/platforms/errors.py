"""Classify error responses of platforms: by the body's `code` and `type` first, by the HTTP status last.

Source: the platforms' own error documentation, collected in docs/operations/platforms.md.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from django.utils import timezone

from diagnosis.choices import FailureReason

# How long a platform is not called after a failure that retrying cannot fix.
PAUSE_DURATIONS = {
    FailureReason.QUOTA: timedelta(hours=1),
    FailureReason.KEY: timedelta(minutes=10),
    FailureReason.MODEL: timedelta(minutes=10),
    FailureReason.CONFIG: timedelta(minutes=10),
}

# Codes and types in lower case, tried in this order; a trailing * matches any suffix.
_REASONS_BY_CODE: list[tuple[str, FailureReason]] = [
    # 豆包
    ("accountoverdueerror", FailureReason.QUOTA),
    ("accountquotaexceeded", FailureReason.QUOTA),
    ("quotaexceeded", FailureReason.QUOTA),
    ("setlimitexceeded", FailureReason.QUOTA),
    ("ratelimitexceeded*", FailureReason.RATE),
    ("serveroverloaded", FailureReason.BUSY),
    ("sensitivecontentdetected*", FailureReason.FILTERED),
    ("inputtextsensitivecontentdetected*", FailureReason.FILTERED),
    ("outputtextsensitivecontentdetected*", FailureReason.FILTERED),
    ("inputtextriskdetection", FailureReason.FILTERED),
    ("outputtextriskdetection", FailureReason.FILTERED),
    ("invalidendpoint*", FailureReason.MODEL),
    ("modelnotopen*", FailureReason.MODEL),
    ("toolnotopen*", FailureReason.CONFIG),
    ("invalidparameter*", FailureReason.CONFIG),
    ("missingparameter*", FailureReason.CONFIG),
    # 通义千问
    ("arrearage", FailureReason.QUOTA),
    ("allocationquota.freetieronly", FailureReason.QUOTA),
    ("throttling*", FailureReason.RATE),
    ("data_inspection_failed", FailureReason.FILTERED),
    ("datainspectionfailed", FailureReason.FILTERED),
    ("invalidapikey", FailureReason.KEY),
    ("model_not_found", FailureReason.MODEL),
    ("invalid_parameter*", FailureReason.CONFIG),
    # Kimi
    ("exceeded_current_quota_error", FailureReason.QUOTA),
    ("rate_limit_reached_error", FailureReason.RATE),
    ("engine_overloaded_error", FailureReason.BUSY),
    ("content_filter", FailureReason.FILTERED),
    ("invalid_authentication_error", FailureReason.KEY),
    ("resource_not_found_error", FailureReason.MODEL),
    # 智谱
    ("1113", FailureReason.QUOTA),
    ("1304", FailureReason.QUOTA),
    ("1308", FailureReason.QUOTA),
    ("1309", FailureReason.QUOTA),
    ("1310", FailureReason.QUOTA),
    ("1302", FailureReason.RATE),
    ("1303", FailureReason.RATE),
    ("1305", FailureReason.BUSY),
    ("1312", FailureReason.BUSY),
    ("1301", FailureReason.FILTERED),
    ("1210", FailureReason.CONFIG),
    ("1213", FailureReason.CONFIG),
    ("1214", FailureReason.CONFIG),
    ("1215", FailureReason.CONFIG),
    ("1211", FailureReason.MODEL),
    ("1311", FailureReason.MODEL),
    ("1000", FailureReason.KEY),
    ("1001", FailureReason.KEY),
    ("1002", FailureReason.KEY),
    ("1003", FailureReason.KEY),
    ("1004", FailureReason.KEY),
    ("1110", FailureReason.KEY),
    ("1111", FailureReason.KEY),
    ("1112", FailureReason.KEY),
    ("1121", FailureReason.KEY),
    # 混元
    ("429001", FailureReason.RATE),
    ("451001", FailureReason.FILTERED),
    ("401002", FailureReason.KEY),
    # 文心
    ("unsafe_request", FailureReason.FILTERED),
    ("invalid_iam_token", FailureReason.KEY),
    ("invalid_model", FailureReason.MODEL),
    # OpenAI, Gemini
    ("unsupported_parameter", FailureReason.CONFIG),
    ("unsupported_value", FailureReason.CONFIG),
    ("unknown_parameter", FailureReason.CONFIG),
    ("missing_required_parameter", FailureReason.CONFIG),
    ("invalid_type", FailureReason.CONFIG),
    ("invalid_value", FailureReason.CONFIG),
    ("insufficient_quota", FailureReason.QUOTA),
    ("rate_limit_exceeded", FailureReason.RATE),
    ("slow_down", FailureReason.RATE),
    ("invalid_prompt", FailureReason.FILTERED),
    ("invalid_api_key", FailureReason.KEY),
    ("unavailable", FailureReason.BUSY),
    ("api_key_invalid", FailureReason.KEY),
    ("failed_precondition", FailureReason.KEY),
    # Claude
    ("authentication_error", FailureReason.KEY),
    ("billing_error", FailureReason.QUOTA),
    ("rate_limit_error", FailureReason.RATE),
    ("overloaded_error", FailureReason.BUSY),
    ("timeout_error", FailureReason.TIMEOUT),
    ("not_found_error", FailureReason.MODEL),
]

# DeepSeek uses one code for every invalid request; only the message distinguishes them.
_REASONS_BY_MESSAGE = [
    ("content exists risk", FailureReason.FILTERED),
    ("model not exist", FailureReason.MODEL),
    ("credit balance is too low", FailureReason.QUOTA),
]

# A 400 that names one of these is about a setting of the row, not about the question.
_SETTING_PATTERN = re.compile(
    r"enable_thinking|enable_search|reasoning[_.]effort|\bthinking|tool_choice|\btools?\b|web_search|max_\w*tokens"
    r"|\bstream\b|temperature|not support|unsupported|unknown (?:parameter|field|name)|unrecogni[sz]ed"
    r"|extra inputs are not permitted|不支持|参数"
)

_REASONS_BY_HTTP_STATUS = {
    401: FailureReason.KEY,
    402: FailureReason.QUOTA,
    403: FailureReason.KEY,
    404: FailureReason.MODEL,
    408: FailureReason.TIMEOUT,
    429: FailureReason.RATE,
    451: FailureReason.FILTERED,
    504: FailureReason.TIMEOUT,
}

# Values of `finish_reason` that mean failure. Gemini uses its own values, or appends them to OpenAI's after a colon.
_REASONS_BY_FINISH_REASON = {
    "content_filter": FailureReason.FILTERED,
    "sensitive": FailureReason.FILTERED,  # 智谱, 混元
    "safety": FailureReason.FILTERED,
    "recitation": FailureReason.FILTERED,
    "blocklist": FailureReason.FILTERED,
    "prohibited_content": FailureReason.FILTERED,
    "spii": FailureReason.FILTERED,
    "network_error": FailureReason.BUSY,  # 智谱
    "insufficient_system_resource": FailureReason.BUSY,  # DeepSeek
}

_NUMBER_PATTERN = r"\d+(?:\.\d+)?"
_WAIT_PATTERN = re.compile(
    rf"\b(?:after|in)\s+((?:{_NUMBER_PATTERN}\s*(?:ms|hours?|minutes?|seconds?|h|m|s)\b\s*|{_NUMBER_PATTERN}[hm])+)"
)
_WAIT_PART_PATTERN = re.compile(rf"({_NUMBER_PATTERN})\s*(ms\b|h|m|s)")
_CHINESE_WAIT_PATTERN = re.compile(
    rf"((?:{_NUMBER_PATTERN}\s*(?:毫秒|秒钟?|分钟?|个?小时)\s*)+)(?:之?后|以后|再|内请勿)"
    rf"|(?:等待?|稍候|稍等)\s*((?:{_NUMBER_PATTERN}\s*(?:毫秒|秒钟?|分钟?|个?小时)\s*)+)"
)
_CHINESE_WAIT_PART_PATTERN = re.compile(rf"({_NUMBER_PATTERN})\s*(毫秒|秒|分|个?小时)")
_SECONDS_PER_UNIT = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "毫秒": 0.001, "秒": 1, "分": 60, "小时": 3600}
MAX_PLATFORM_WAIT_SECONDS = 120.0


@dataclass(frozen=True)
class ErrorResponse:
    """An error response. body: parsed JSON, else text; headers: names in lower case."""

    status: int
    body: Any
    headers: Mapping[str, str]
    host: str = ""

    @property
    def error(self) -> dict[str, Any]:
        """Return the object that has `code` and `type`, unwrapped from list and `error`."""
        body = self.body
        if isinstance(body, list) and body:  # Gemini wraps its errors in a list
            body = body[0]
        if not isinstance(body, dict):
            return {}
        error = body.get("error", body)
        return error if isinstance(error, dict) else body

    @property
    def nested_status(self) -> int:
        """The HTTP status that an error inside of a 200 names as its code, else 200."""
        for name in ("code", "status", "status_code", "http_code"):
            value = str(self.error.get(name) or "")
            if re.fullmatch(r"[45]\d\d", value):
                return int(value)
        return 200

    @property
    def retry_after_seconds(self) -> float | None:
        """Return the value of Retry-After in any of its forms: milliseconds, seconds, or an HTTP date."""
        try:
            return float(self.headers.get("retry-after-ms", "")) / 1000
        except ValueError:
            pass
        value = self.headers.get("retry-after", "")
        try:
            return float(value)
        except ValueError:
            pass
        try:
            return (parsedate_to_datetime(value) - timezone.now()).total_seconds()
        except (TypeError, ValueError):
            return None


def classify_error_response(response: ErrorResponse) -> FailureReason:
    """Return the reason of an error response."""
    codes = [response.error.get(name) for name in ("code", "type", "status")]
    details = response.error.get("details")  # Google: `status` is INVALID_ARGUMENT even for an invalid key
    if isinstance(details, list):
        codes += [detail.get("reason") for detail in details if isinstance(detail, dict)]
    for code in codes:
        reason = _classify_code(str(code or "").lower(), response)
        if reason:
            return reason
    text = str(response.body).lower()
    for phrase, reason in _REASONS_BY_MESSAGE:
        if phrase in text:
            return reason
    status = response.status if response.status != 200 else response.nested_status
    if status in _REASONS_BY_HTTP_STATUS:
        return _REASONS_BY_HTTP_STATUS[status]
    if 400 <= status < 500:  # the request is invalid: retrying cannot help
        return FailureReason.CONFIG if _SETTING_PATTERN.search(text) else FailureReason.BUG
    return FailureReason.BUSY if status >= 500 else FailureReason.UNREADABLE  # an error inside a 200


def classify_finish_reason(finish_reason: Any) -> FailureReason | None:
    """Return why a completion is not a valid answer, by its `finish_reason`; None if it is valid."""
    return _REASONS_BY_FINISH_REASON.get(str(finish_reason or "").partition(":")[0].lower())


def _classify_code(code: str, response: ErrorResponse) -> FailureReason | None:
    if code == "insufficient_quota" and response.host.endswith("aliyuncs.com"):
        return FailureReason.RATE  # 通义千问 uses this code for throttling
    if code == "resource_exhausted":  # Gemini: rate limit or quota; the details name a daily quota
        return FailureReason.QUOTA if "perday" in str(response.body).lower() else FailureReason.RATE
    for pattern, reason in _REASONS_BY_CODE:
        if code == pattern or (pattern.endswith("*") and code.startswith(pattern[:-1])):
            return reason
    return None


def get_platform_wait_seconds(response: ErrorResponse) -> float | None:
    """Return the requested wait in seconds: a header, Google's retryDelay, or "after N seconds" / "N 秒后"."""
    waits = [response.retry_after_seconds]
    delay = re.search(rf"retryDelay['\"]?\s*:\s*['\"]({_NUMBER_PATTERN})s", str(response.body))
    if delay:
        waits.append(float(delay.group(1)))
    text = str(response.error.get("message") or response.error.get("msg") or "").lower()
    parts: list[tuple[str, str]] = []
    if message := _WAIT_PATTERN.search(text):
        parts = _WAIT_PART_PATTERN.findall(message.group(1))
    elif message := _CHINESE_WAIT_PATTERN.search(text):
        parts = _CHINESE_WAIT_PART_PATTERN.findall(message.group(1) or message.group(2))
    if parts:
        waits.append(sum(float(number) * _SECONDS_PER_UNIT[unit.removeprefix("个")] for number, unit in parts))
    for seconds in waits:
        if seconds is not None and math.isfinite(seconds) and seconds > 0:
            return min(seconds, MAX_PLATFORM_WAIT_SECONDS)
    return None
