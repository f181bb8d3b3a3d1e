"""Sign-in by WeChat: exchanges a `wx.login` code for an openid. The session_key is discarded."""

import json
from typing import Any

import httpx
import structlog
from django.conf import settings

from diagsite.accounts.exceptions import (
    SignInRejected,
    WeChatBusy,
    WeChatMisconfigured,
    WeChatResponseLost,
    WeChatUnavailable,
)
from errors.retry import RetryBudget, build_retrying
from performance.bounded_reads import UNCOMPRESSED_HEADERS, read_bounded
from performance.client_metrics import measure_call
from performance.ssrf_guard import get_ssl_context, parse_allowed_host, restrict_hosts

log = structlog.get_logger(__name__)

WECHAT_TIMEOUT = httpx.Timeout(5, connect=2)
WECHAT_TOTAL_TIMEOUT_SECONDS = 8.0  # of the whole response, however slowly it arrives
MAX_WECHAT_RESPONSE_BYTES = 64 * 1024
MAX_OPENID_CHARACTERS = 64  # usually 28
REJECTED_LOGIN_CODES = {40029, 40163, 40226}  # invalid, used, blocked by WeChat's risk control
WECHAT_BUSY_CODES = {-1, 45011}
_retry_budget = RetryBudget()


def exchange_login_code(code: str) -> str:
    """Return the openid of a login code, which is valid once and for five minutes.

    Retried only while the code is certainly unused. Raises SignInRejected for an invalid code, otherwise WeChatBusy,
    WeChatMisconfigured, WeChatUnavailable or WeChatResponseLost.
    """
    openid: str = build_retrying(_retry_budget)(_request_openid, code)
    return openid


def create_wechat_client(timeout: httpx.Timeout | None = None) -> httpx.Client:
    """Create a client that may call only WeChat and the hosts in settings.OUTGOING_HOSTS."""
    return restrict_hosts(
        httpx.Client(verify=get_ssl_context(), timeout=timeout or WECHAT_TIMEOUT),
        lambda: [*parse_allowed_host(settings.WECHAT_API_BASE), *settings.OUTGOING_HOSTS],
    )


def request_json(
    client: httpx.Client,
    method: str,
    path: str,
    *,
    total_seconds: float = WECHAT_TOTAL_TIMEOUT_SECONDS,
    **options: Any,
) -> Any:
    """Return the JSON of WeChat's response, bounded. Raises httpx.HTTPError, also for an error status, or ValueError.

    options: as of httpx.Client.request.
    """
    url = f"{settings.WECHAT_API_BASE}{path}"
    with client.stream(method, url, headers=UNCOMPRESSED_HEADERS, **options) as response:
        response.raise_for_status()
        data = read_bounded(response, MAX_WECHAT_RESPONSE_BYTES, total_seconds)
    try:
        return json.loads(data)
    except RecursionError as error:
        raise ValueError("JSON nested too deeply") from error


def _request_openid(code: str) -> str:
    query = {
        "appid": settings.WECHAT_APP_ID,
        "secret": settings.WECHAT_APP_SECRET,
        "js_code": code,
        "grant_type": "authorization_code",
    }
    try:
        with measure_call("wechat.session") as call, create_wechat_client() as client:
            body = request_json(client, "GET", "/sns/jscode2session", params=query)
            if isinstance(body, dict) and body.get("errcode"):
                call.outcome = "refused"
    # The URL contains the secret, so the text of the error is not logged.
    except (httpx.ConnectError, httpx.ConnectTimeout) as error:
        log.warning("wechat_unavailable", error=type(error).__name__)
        raise WeChatUnavailable from None
    except (httpx.HTTPError, ValueError) as error:
        log.warning("wechat_answer_lost", error=type(error).__name__)
        raise WeChatResponseLost from None
    return _parse_openid(body)


def _parse_openid(body: object) -> str:
    answer = body if isinstance(body, dict) else {}
    openid, errcode = answer.get("openid"), answer.get("errcode")
    if isinstance(openid, str) and 0 < len(openid) <= MAX_OPENID_CHARACTERS and openid.isprintable():
        return openid
    if not isinstance(errcode, int) or not errcode:
        log.warning("wechat_answer_lost", error="neither openid nor errcode")
        raise WeChatResponseLost
    log.warning("wechat_refused", errcode=errcode)
    if errcode in REJECTED_LOGIN_CODES:
        raise SignInRejected
    raise WeChatBusy if errcode in WECHAT_BUSY_CODES else WeChatMisconfigured
