"""What a platform's refusal means. The body's `code` and `type` are read first, the HTTP status last.

Source: the platforms' own error documentation, collected in docs/operations/platforms.md.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from django.utils import timezone

from diagnosis.choices import FailureReason

# Codes and types, lower case; a trailing * stands for any rest. Asked for in this order.
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
    # 通义千问
    ("arrearage", FailureReason.QUOTA),
    ("allocationquota.freetieronly", FailureReason.QUOTA),
    ("throttling*", FailureReason.RATE),
    ("data_inspection_failed", FailureReason.FILTERED),
    ("datainspectionfailed", FailureReason.FILTERED),
    ("invalidapikey", FailureReason.KEY),
    ("model_not_found", FailureReason.MODEL),
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
    ("insufficient_quota", FailureReason.QUOTA),
    ("rate_limit_exceeded", FailureReason.RATE),
    ("slow_down", FailureReason.RATE),
    ("invalid_prompt", FailureReason.FILTERED),
    ("invalid_api_key", FailureReason.KEY),
    ("unavailable", FailureReason.BUSY),
    ("api_key_invalid", FailureReason.KEY),
    ("failed_precondition", FailureReason.KEY),
]

# DeepSeek has one code for everything that is wrong with a request: only its message tells.
_REASONS_BY_MESSAGE = [
    ("content exists risk", FailureReason.FILTERED),
    ("model not exist", FailureReason.MODEL),
]

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

# Why a completion ended; what is not here ended well. Gemini gives its own words, or puts them after OpenAI's.
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
_SECONDS_PER_UNIT = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}
MAX_PLATFORM_WAIT_SECONDS = 120.0


@dataclass(frozen=True)
class ErrorResponse:
    """An error answer: HTTP status, the body as far as it was JSON, and the headers in lower case."""

    status: int
    body: Any
    headers: Mapping[str, str]
    host: str = ""


def classify_error_response(response: ErrorResponse) -> FailureReason:
    """Why the platform refused."""
    for code in _iter_error_codes(_get_error_object(response.body)):
        reason = _classify_code(code.lower(), response)
        if reason:
            return reason
    return _classify_message(response.body) or _classify_http_status(response.status)


def classify_finish_reason(finish_reason: Any) -> FailureReason | None:
    """Why a completion must not be counted as an answer, by its `finish_reason`; None when it may."""
    return _REASONS_BY_FINISH_REASON.get(str(finish_reason or "").partition(":")[0].lower())


def _iter_error_codes(error: dict[str, Any]) -> Iterator[str]:
    for name in ("code", "type", "status"):
        yield str(error.get(name) or "")
    details = error.get("details")  # Google's: the status is INVALID_ARGUMENT for a bad key, too
    for detail in details if isinstance(details, list) else []:
        if isinstance(detail, dict):
            yield str(detail.get("reason") or "")


def _classify_code(code: str, response: ErrorResponse) -> FailureReason | None:
    if code == "insufficient_quota" and response.host.endswith("aliyuncs.com"):
        return FailureReason.RATE  # 通义千问 says so when it throttles
    if code == "resource_exhausted":  # Gemini says so for both; a daily quota is named in the details
        return FailureReason.QUOTA if "perday" in str(response.body).lower() else FailureReason.RATE
    for pattern, reason in _REASONS_BY_CODE:
        if code == pattern or (pattern.endswith("*") and code.startswith(pattern[:-1])):
            return reason
    return None


def _classify_message(body: Any) -> FailureReason | None:
    text = str(body).lower()
    return next((reason for phrase, reason in _REASONS_BY_MESSAGE if phrase in text), None)


def _classify_http_status(status: int) -> FailureReason:
    if status in _REASONS_BY_HTTP_STATUS:
        return _REASONS_BY_HTTP_STATUS[status]
    if 400 <= status < 500:
        return FailureReason.BUG  # our request is wrong: asking again cannot help
    return FailureReason.BUSY if status >= 500 else FailureReason.UNREADABLE  # an error inside a 200


def _get_error_object(body: Any) -> dict[str, Any]:
    """The object with `code` and `type`, whichever way the platform wraps it."""
    if isinstance(body, list) and body:  # Gemini wraps its errors in a list
        body = body[0]
    if not isinstance(body, dict):
        return {}
    error = body.get("error", body)
    return error if isinstance(error, dict) else body


def get_platform_wait_seconds(response: ErrorResponse) -> float | None:
    """How long the platform asks us to stay away: Retry-After, Google's retryDelay, or "after N seconds"."""
    for seconds in (
        _parse_retry_after_header(response.headers),
        _parse_google_retry_delay(response.body),
        _parse_wait_in_message(response.body),
    ):
        if seconds is not None and math.isfinite(seconds) and seconds > 0:
            return min(seconds, MAX_PLATFORM_WAIT_SECONDS)
    return None


def _parse_retry_after_header(headers: Mapping[str, str]) -> float | None:
    value = headers.get("retry-after", "")
    try:
        return float(value)
    except ValueError:
        pass
    try:
        return (parsedate_to_datetime(value) - timezone.now()).total_seconds()
    except (TypeError, ValueError):
        return None


def _parse_google_retry_delay(body: Any) -> float | None:
    match = re.search(rf"retryDelay['\"]?\s*:\s*['\"]({_NUMBER_PATTERN})s", str(body))
    return float(match.group(1)) if match else None


def _parse_wait_in_message(body: Any) -> float | None:
    match = _WAIT_PATTERN.search(str(_get_error_object(body).get("message") or "").lower())
    if not match:
        return None
    return sum(float(number) * _SECONDS_PER_UNIT[unit] for number, unit in _WAIT_PART_PATTERN.findall(match.group(1)))
