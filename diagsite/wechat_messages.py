"""WeChat's subscribe messages: one accept of the user allows one send. The access token is kept in the cache."""

from enum import StrEnum
from typing import Any

import httpx
import structlog
from django.conf import settings
from django.core.cache import cache

from diagsite.wechat import allowed_hosts
from performance.doors import certificates, guard
from performance.outgoing import measured_call

log = structlog.get_logger(__name__)

TIMEOUT = httpx.Timeout(5, connect=2)
TOKEN_KEY = "diagsite.wechat.access_token"
TOKEN_MARGIN_SECONDS = 300
CODES_OF_AN_OLD_TOKEN = {40001, 40014, 42001}
# -1: busy; the others ask us to slow down.
CODES_THAT_PASS = {-1, 45009, 45011, 45047}


class Sending(StrEnum):
    """How it went."""

    SENT = "sent"
    REFUSED = "refused"  # 43101: no accept is left; or it is wrong in a way that stays wrong
    AGAIN = "again"  # WeChat was away or busy, or we cannot know


def send(openid: str, page: str, data: dict[str, str]) -> tuple[Sending, str]:
    """Send the message "diagnosis ended"; returns how it went and WeChat's code or the kind of failure. Never raises.

    data: the template's own names and their texts.
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
        code = _post(message)
        if code in CODES_OF_AN_OLD_TOKEN:
            cache.delete(TOKEN_KEY)
            code = _post(message)
    # The request's address holds the token, so the error's own text is not kept.
    except (httpx.HTTPError, ValueError, LookupError) as error:
        log.warning("wechat_message_unsent", error=type(error).__name__)
        return Sending.AGAIN, type(error).__name__
    if code == 0:
        return Sending.SENT, ""
    log.warning("wechat_message_refused", errcode=code)
    is_passing = code in CODES_THAT_PASS | CODES_OF_AN_OLD_TOKEN
    return (Sending.AGAIN if is_passing else Sending.REFUSED), str(code)


def _post(message: dict[str, Any]) -> int:
    url = f"{settings.WECHAT_API_BASE}/cgi-bin/message/subscribe/send"
    token = _access_token()
    with (
        measured_call("wechat.message") as call,
        guard(httpx.Client(verify=certificates(), timeout=TIMEOUT), allowed_hosts) as client,
    ):
        answer = client.post(url, params={"access_token": token}, json=message)
        answer.raise_for_status()
        code = int(answer.json()["errcode"])
        if code:
            call.outcome = "refused"
    return code


def _access_token() -> str:
    """The token of the cache, else a new one. WeChat gives every asker the same while it is good."""
    kept = cache.get(TOKEN_KEY)
    if kept:
        return str(kept)
    credentials = {
        "grant_type": "client_credential",
        "appid": settings.WECHAT_APP_ID,
        "secret": settings.WECHAT_APP_SECRET,
    }
    with (
        measured_call("wechat.token"),
        guard(httpx.Client(verify=certificates(), timeout=TIMEOUT), allowed_hosts) as client,
    ):
        answer = client.post(f"{settings.WECHAT_API_BASE}/cgi-bin/stable_token", json=credentials)
        answer.raise_for_status()
        body = answer.json()
    token, lifetime = str(body["access_token"]), int(body["expires_in"])
    cache.set(TOKEN_KEY, token, max(1, lifetime - TOKEN_MARGIN_SECONDS))
    return token
