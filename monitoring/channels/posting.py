"""One POST, bounded in time and size, that follows no redirect; and what its failures mean."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
from django.conf import settings

from monitoring.exceptions import (
    ChannelFailing,
    ChannelRefused,
    ChannelTimedOut,
    ChannelTooFast,
    ChannelUnreachable,
    DeliveryFailed,
    MessageRefused,
)
from performance.doors import AddressRefused, certificates, guard
from performance.outgoing import measured_call

CONNECT_SECONDS, READ_SECONDS, WHOLE_SECONDS = 5.0, 10.0, 15.0
OPTIONS: dict[str, Any] = {
    "timeout": httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
    "follow_redirects": False,
    "trust_env": False,
}
MOST_ANSWER_BYTES = 64 * 1024
MOST_WAIT_SECONDS = 3600.0


@dataclass(frozen=True)
class Answer:
    """The other side's answer: `body` is its JSON when that is an object, else {}."""

    status: int
    body: dict[str, Any]
    headers: Mapping[str, str]


def post(
    client: str,
    address: str,
    content: bytes,
    *,
    headers: Mapping[str, str] | None = None,
    kind: str = "application/json",
) -> Answer:
    """Post it once; any status is an answer. Raises ChannelTimedOut or ChannelUnreachable.

    client: who is called, for the counters. The address can hold a secret: no failure tells it.
    """
    with measured_call(client) as call:
        try:
            answer = _post(address, content, {"Content-Type": f"{kind}; charset=utf-8", **(headers or {})})
        except (httpx.TimeoutException, TimeoutError) as error:
            raise ChannelTimedOut("对方没有及时应答") from error
        except AddressRefused as error:
            raise ChannelRefused(f"{error}（设置 ALERT_HOSTS）") from None
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise ChannelUnreachable(f"连接失败（{type(error).__name__}）") from None
        call.outcome = "ok" if answer.status < 400 else f"http_{answer.status // 100}xx"
        return answer


def _allowed_hosts() -> list[str]:
    return settings.ALERT_HOSTS


def _post(address: str, content: bytes, headers: Mapping[str, str]) -> Answer:
    deadline = time.monotonic() + WHOLE_SECONDS  # httpx's own is per read: a drip-feed would outlive the lease
    data = b""
    with (
        guard(httpx.Client(**OPTIONS, verify=certificates()), _allowed_hosts) as client,
        client.stream("POST", address, content=content, headers=dict(headers)) as response,
    ):
        for chunk in response.iter_bytes(4096):
            data += chunk
            if len(data) > MOST_ANSWER_BYTES:
                break
            if time.monotonic() > deadline:
                raise TimeoutError
        return Answer(response.status_code, _object_in(data), response.headers)


def _object_in(data: bytes) -> dict[str, Any]:
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def failure_of_status(answer: Answer) -> DeliveryFailed | None:
    """What an HTTP status means by itself; None for success."""
    status, code = answer.status, str(answer.status)
    if 200 <= status < 300:
        return None
    if status == 429:
        return ChannelTooFast("对方要求放慢", provider_code=code, wait_seconds=wait_seconds_of(answer) or 60.0)
    if status in (408, 425) or status >= 500:
        return ChannelFailing(f"对方出错：HTTP {status}", provider_code=code, wait_seconds=wait_seconds_of(answer))
    if 300 <= status < 400:
        return ChannelRefused(f"地址已转移：HTTP {status}，不跟随转移，请填写最终地址", provider_code=code)
    if status in (401, 403, 404, 405, 410):
        return ChannelRefused(f"对方拒绝：HTTP {status}，请检查地址与密钥", provider_code=code)
    return MessageRefused(f"对方不接受这条消息：HTTP {status}", provider_code=code)


def wait_seconds_of(answer: Answer) -> float | None:
    """Retry-After, in either of its forms, bounded."""
    text = answer.headers.get("retry-after", "").strip()
    if not text:
        return None
    try:
        seconds = float(text) if text.isdecimal() else _seconds_until(text)
    except ValueError:
        return None
    return min(max(seconds, 0.0), MOST_WAIT_SECONDS)


def _seconds_until(date: str) -> float:
    moment = parsedate_to_datetime(date)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (moment - datetime.now(UTC)).total_seconds()
