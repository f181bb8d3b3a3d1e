"""One HTTP POST, bounded in time and size and without redirects, and the meaning of its failures."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
from django.conf import settings

from monitoring.exceptions import (
    ChannelMisconfigured,
    ChannelRateLimited,
    ChannelTimedOut,
    ChannelUnavailable,
    ChannelUnreachable,
    DeliveryFailed,
    MessageRejected,
)
from performance.bounded_reads import UNCOMPRESSED_HEADERS, ResponseTooLarge, read_bounded
from performance.client_metrics import measure_call
from performance.ssrf_guard import HostNotAllowed, get_ssl_context, restrict_hosts

POST_CONNECT_TIMEOUT_SECONDS, POST_READ_TIMEOUT_SECONDS, POST_TOTAL_TIMEOUT_SECONDS = 5.0, 10.0, 15.0
HTTPX_CLIENT_OPTIONS: dict[str, Any] = {
    "timeout": httpx.Timeout(POST_READ_TIMEOUT_SECONDS, connect=POST_CONNECT_TIMEOUT_SECONDS),
    "follow_redirects": False,
    "trust_env": False,
}
MAX_RESPONSE_BYTES = 64 * 1024
MAX_RETRY_AFTER_SECONDS = 3600.0


@dataclass(frozen=True)
class HttpResult:
    """The response; `body` is its JSON if that is an object, else {}."""

    status: int
    body: dict[str, Any]
    headers: Mapping[str, str]


def to_json_bytes(body: Any) -> bytes:
    """Return compact JSON in UTF-8, Chinese characters unescaped."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def post(
    client_name: str,
    url: str,
    content: bytes,
    *,
    headers: Mapping[str, str] | None = None,
    content_type: str = "application/json",
) -> HttpResult:
    """Post once and return the response of any status. Raises DeliveryFailed if there is none.

    client_name: label of the call metrics. Errors never contain the URL, which may be secret.
    """
    with measure_call(client_name) as call:
        try:
            result = _post_with_deadline(
                url, content, {"Content-Type": f"{content_type}; charset=utf-8", **(headers or {})}
            )
        except (httpx.TimeoutException, TimeoutError) as error:
            raise ChannelTimedOut("对方没有及时应答") from error
        except HostNotAllowed as error:
            raise ChannelMisconfigured(f"{error}（设置 ALERT_HOSTS）") from None
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise ChannelUnreachable(f"连接失败（{type(error).__name__}）") from None
        call.outcome = "ok" if result.status < 400 else f"http_{result.status // 100}xx"
        return result


def _post_with_deadline(url: str, content: bytes, headers: Mapping[str, str]) -> HttpResult:
    with (
        restrict_hosts(
            httpx.Client(**HTTPX_CLIENT_OPTIONS, verify=get_ssl_context()), lambda: settings.ALERT_HOSTS
        ) as client,
        client.stream("POST", url, content=content, headers={**UNCOMPRESSED_HEADERS, **headers}) as response,
    ):
        try:
            data = read_bounded(response, MAX_RESPONSE_BYTES, POST_TOTAL_TIMEOUT_SECONDS)
        except ResponseTooLarge:
            data = b""
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        body = None
    return HttpResult(response.status_code, body if isinstance(body, dict) else {}, response.headers)


def classify_http_status(result: HttpResult) -> DeliveryFailed | None:
    """Return the failure that an HTTP status means; None for success."""
    status, code = result.status, str(result.status)
    if 200 <= status < 300:
        return None
    if status == 429:
        return ChannelRateLimited(
            "对方要求放慢", provider_code=code, wait_seconds=parse_retry_after_seconds(result) or 60.0
        )
    if status in (408, 425) or status >= 500:
        return ChannelUnavailable(
            f"对方出错：HTTP {status}", provider_code=code, wait_seconds=parse_retry_after_seconds(result)
        )
    if 300 <= status < 400:
        return ChannelMisconfigured(f"地址已转移：HTTP {status}，不跟随转移，请填写最终地址", provider_code=code)
    if status in (401, 403, 404, 405, 410):
        return ChannelMisconfigured(f"对方拒绝：HTTP {status}，请检查地址与密钥", provider_code=code)
    return MessageRejected(f"对方不接受这条消息：HTTP {status}", provider_code=code)


def parse_retry_after_seconds(result: HttpResult) -> float | None:
    """Return the seconds of a Retry-After header (a number or a date), bounded; None if absent or invalid."""
    text = result.headers.get("retry-after", "").strip()
    if not text:
        return None
    try:
        if text.isdecimal():
            seconds = float(text)
        else:
            moment = parsedate_to_datetime(text)
            moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            seconds = (moment - datetime.now(UTC)).total_seconds()
    except ValueError:
        return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_SECONDS)
