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

from diagnosis.choices import Reason

# Codes and types, lower case; a trailing * stands for any rest. Asked for in this order.
_BY_BODY: list[tuple[str, Reason]] = [
    # 豆包
    ("accountoverdueerror", Reason.QUOTA),
    ("accountquotaexceeded", Reason.QUOTA),
    ("quotaexceeded", Reason.QUOTA),
    ("setlimitexceeded", Reason.QUOTA),
    ("ratelimitexceeded*", Reason.RATE),
    ("serveroverloaded", Reason.BUSY),
    ("sensitivecontentdetected*", Reason.FILTERED),
    ("inputtextsensitivecontentdetected*", Reason.FILTERED),
    ("outputtextsensitivecontentdetected*", Reason.FILTERED),
    ("inputtextriskdetection", Reason.FILTERED),
    ("outputtextriskdetection", Reason.FILTERED),
    ("invalidendpoint*", Reason.MODEL),
    ("modelnotopen*", Reason.MODEL),
    # 通义千问
    ("arrearage", Reason.QUOTA),
    ("allocationquota.freetieronly", Reason.QUOTA),
    ("throttling*", Reason.RATE),
    ("data_inspection_failed", Reason.FILTERED),
    ("datainspectionfailed", Reason.FILTERED),
    ("invalidapikey", Reason.KEY),
    ("model_not_found", Reason.MODEL),
    # Kimi
    ("exceeded_current_quota_error", Reason.QUOTA),
    ("rate_limit_reached_error", Reason.RATE),
    ("engine_overloaded_error", Reason.BUSY),
    ("content_filter", Reason.FILTERED),
    ("invalid_authentication_error", Reason.KEY),
    ("resource_not_found_error", Reason.MODEL),
    # 智谱
    ("1113", Reason.QUOTA),
    ("1304", Reason.QUOTA),
    ("1308", Reason.QUOTA),
    ("1309", Reason.QUOTA),
    ("1310", Reason.QUOTA),
    ("1302", Reason.RATE),
    ("1303", Reason.RATE),
    ("1305", Reason.BUSY),
    ("1312", Reason.BUSY),
    ("1301", Reason.FILTERED),
    ("1211", Reason.MODEL),
    ("1311", Reason.MODEL),
    ("1000", Reason.KEY),
    ("1001", Reason.KEY),
    ("1002", Reason.KEY),
    ("1003", Reason.KEY),
    ("1004", Reason.KEY),
    ("1110", Reason.KEY),
    ("1111", Reason.KEY),
    ("1112", Reason.KEY),
    ("1121", Reason.KEY),
    # 混元
    ("429001", Reason.RATE),
    ("451001", Reason.FILTERED),
    ("401002", Reason.KEY),
    # 文心
    ("unsafe_request", Reason.FILTERED),
    ("invalid_iam_token", Reason.KEY),
    ("invalid_model", Reason.MODEL),
    # OpenAI, Gemini
    ("insufficient_quota", Reason.QUOTA),
    ("rate_limit_exceeded", Reason.RATE),
    ("slow_down", Reason.RATE),
    ("invalid_prompt", Reason.FILTERED),
    ("invalid_api_key", Reason.KEY),
    ("unavailable", Reason.BUSY),
    ("api_key_invalid", Reason.KEY),
    ("failed_precondition", Reason.KEY),
]

# DeepSeek has one code for everything that is wrong with a request: only its message tells.
_BY_MESSAGE = [
    ("content exists risk", Reason.FILTERED),
    ("model not exist", Reason.MODEL),
]

_BY_STATUS = {
    401: Reason.KEY,
    402: Reason.QUOTA,
    403: Reason.KEY,
    404: Reason.MODEL,
    408: Reason.TIMEOUT,
    429: Reason.RATE,
    451: Reason.FILTERED,
    504: Reason.TIMEOUT,
}

# Why a completion ended; what is not here ended well. Gemini gives its own words, or puts them after OpenAI's.
_BY_FINISH = {
    "content_filter": Reason.FILTERED,
    "sensitive": Reason.FILTERED,  # 智谱, 混元
    "safety": Reason.FILTERED,
    "recitation": Reason.FILTERED,
    "blocklist": Reason.FILTERED,
    "prohibited_content": Reason.FILTERED,
    "spii": Reason.FILTERED,
    "network_error": Reason.BUSY,  # 智谱
    "insufficient_system_resource": Reason.BUSY,  # DeepSeek
}

_NUMBER = r"\d+(?:\.\d+)?"
_WAIT = re.compile(rf"\b(?:after|in)\s+((?:{_NUMBER}\s*(?:ms|hours?|minutes?|seconds?|h|m|s)\b\s*|{_NUMBER}[hm])+)")
_WAIT_PART = re.compile(rf"({_NUMBER})\s*(ms\b|h|m|s)")
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}
MOST_SECONDS_TO_WAIT = 120.0


@dataclass(frozen=True)
class Refusal:
    """An error answer: HTTP status, the body as far as it was JSON, and the headers in lower case."""

    status: int
    body: Any
    headers: Mapping[str, str]
    host: str = ""


def reason_of(refusal: Refusal) -> Reason:
    """Why the platform refused."""
    for word in _words_of(_error_object(refusal.body)):
        reason = _by_word(word.lower(), refusal)
        if reason:
            return reason
    return _by_message(refusal.body) or _by_status(refusal.status)


def reason_of_finish(finish_reason: Any) -> Reason | None:
    """Why a completion must not be counted as an answer, by its `finish_reason`; None when it may."""
    return _BY_FINISH.get(str(finish_reason or "").partition(":")[0].lower())


def _words_of(error: dict[str, Any]) -> Iterator[str]:
    for name in ("code", "type", "status"):
        yield str(error.get(name) or "")
    details = error.get("details")  # Google's: the status is INVALID_ARGUMENT for a bad key, too
    for detail in details if isinstance(details, list) else []:
        if isinstance(detail, dict):
            yield str(detail.get("reason") or "")


def _by_word(word: str, refusal: Refusal) -> Reason | None:
    if word == "insufficient_quota" and refusal.host.endswith("aliyuncs.com"):
        return Reason.RATE  # 通义千问 says so when it throttles
    if word == "resource_exhausted":  # Gemini says so for both; a daily quota is named in the details
        return Reason.QUOTA if "perday" in str(refusal.body).lower() else Reason.RATE
    for pattern, reason in _BY_BODY:
        if word == pattern or (pattern.endswith("*") and word.startswith(pattern[:-1])):
            return reason
    return None


def _by_message(body: Any) -> Reason | None:
    text = str(body).lower()
    return next((reason for words, reason in _BY_MESSAGE if words in text), None)


def _by_status(status: int) -> Reason:
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if 400 <= status < 500:
        return Reason.BUG  # our request is wrong: asking again cannot help
    return Reason.BUSY if status >= 500 else Reason.UNREADABLE  # an error inside a 200


def _error_object(body: Any) -> dict[str, Any]:
    """The object with `code` and `type`, whichever way the platform wraps it."""
    if isinstance(body, list) and body:  # Gemini wraps its errors in a list
        body = body[0]
    if not isinstance(body, dict):
        return {}
    error = body.get("error", body)
    return error if isinstance(error, dict) else body


def wait_seconds_of(refusal: Refusal) -> float | None:
    """How long the platform asks us to stay away: Retry-After, Google's retryDelay, or "after N seconds"."""
    for found in (_retry_after(refusal.headers), _retry_delay(refusal.body), _after_seconds(refusal.body)):
        if found is not None and math.isfinite(found) and found > 0:
            return min(found, MOST_SECONDS_TO_WAIT)
    return None


def _retry_after(headers: Mapping[str, str]) -> float | None:
    value = headers.get("retry-after", "")
    try:
        return float(value)
    except ValueError:
        pass
    try:
        return (parsedate_to_datetime(value) - timezone.now()).total_seconds()
    except (TypeError, ValueError):
        return None


def _retry_delay(body: Any) -> float | None:
    match = re.search(rf"retryDelay['\"]?\s*:\s*['\"]({_NUMBER})s", str(body))
    return float(match.group(1)) if match else None


def _after_seconds(body: Any) -> float | None:
    match = _WAIT.search(str(_error_object(body).get("message") or "").lower())
    if not match:
        return None
    return sum(float(number) * _SECONDS[unit] for number, unit in _WAIT_PART.findall(match.group(1)))
