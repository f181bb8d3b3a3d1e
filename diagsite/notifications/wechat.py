"""WeChat's subscribe messages; each permission of the user allows one. The access token is cached."""

from enum import StrEnum
from typing import Any

import httpx
import structlog
from django.conf import settings
from django.core.cache import cache

from diagsite.accounts.wechat import create_wechat_client, request_json
from performance.client_metrics import measure_call

log = structlog.get_logger(__name__)

ACCESS_TOKEN_CACHE_KEY = "diagsite.wechat.access_token"
ACCESS_TOKEN_MARGIN_SECONDS = 300
EXPIRED_TOKEN_CODES = {40001, 40014, 42001}
# -1: busy; the others: rate limits.
TRANSIENT_CODES = {-1, 45009, 45011, 45047}


class WeChatSendResult(StrEnum):
    """The result of sending a message."""

    SENT = "sent"
    REFUSED = "refused"  # no permission left (43101), or another permanent error
    RETRY = "again"  # WeChat was unavailable or busy, or the result is unknown


def send_subscribe_message(openid: str, page: str, data: dict[str, str]) -> tuple[WeChatSendResult, str]:
    """Send a message; return the result with WeChat's error code or the class of the exception. Never raises.

    data: {field of the template: text}.
    """
    message = {
        "touser": openid,
        "template_id": settings.WECHAT_TEMPLATE_ID,
        "page": page,
        "data": {name: {"value": value} for name, value in data.items()},
        "miniprogram_state": settings.WECHAT_MINIPROGRAM_STATE,
        "lang": "zh_CN",
    }
    try:
        code = _post_message(message)
        if code in EXPIRED_TOKEN_CODES:
            cache.delete(ACCESS_TOKEN_CACHE_KEY)
            code = _post_message(message)
    # The URL contains the token, so the text of the error is not stored.
    except (httpx.HTTPError, ValueError, LookupError, TypeError) as error:
        log.warning("wechat_message_unsent", error=type(error).__name__)
        return WeChatSendResult.RETRY, type(error).__name__
    if code == 0:
        return WeChatSendResult.SENT, ""
    log.warning("wechat_message_refused", errcode=code)
    is_transient = code in TRANSIENT_CODES | EXPIRED_TOKEN_CODES
    return (WeChatSendResult.RETRY if is_transient else WeChatSendResult.REFUSED), str(code)


def _post_message(message: dict[str, Any]) -> int:
    path = "/cgi-bin/message/subscribe/send"
    token = _get_access_token()
    with measure_call("wechat.message") as call, create_wechat_client() as client:
        body = request_json(client, "POST", path, params={"access_token": token}, json=message)
        code = int(body["errcode"])
        if code:
            call.outcome = "refused"
    return code


def _get_access_token() -> str:
    """Return the access token, from the cache or from WeChat, which returns the same token while it is valid."""
    cached_token = cache.get(ACCESS_TOKEN_CACHE_KEY)
    if cached_token:
        return str(cached_token)
    credentials = {
        "grant_type": "client_credential",
        "appid": settings.WECHAT_APP_ID,
        "secret": settings.WECHAT_APP_SECRET,
    }
    with measure_call("wechat.token"), create_wechat_client() as client:
        body = request_json(client, "POST", "/cgi-bin/stable_token", json=credentials)
    token, lifetime = str(body["access_token"]), int(body["expires_in"])
    cache.set(ACCESS_TOKEN_CACHE_KEY, token, max(1, lifetime - ACCESS_TOKEN_MARGIN_SECONDS))
    return token
