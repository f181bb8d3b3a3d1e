"""Calls of WeChat's server API, which need the app's access token. The token is cached for all processes."""

import time
from typing import Any

import httpx
from django.conf import settings
from django.core.cache import cache

from diagsite.accounts.wechat import WECHAT_TOTAL_TIMEOUT_SECONDS, create_wechat_client, request_json
from performance.client_metrics import measure_call

ACCESS_TOKEN_CACHE_KEY = "diagsite.wechat.access_token"
ACCESS_TOKEN_MARGIN_SECONDS = 300
EXPIRED_TOKEN_CODES = {40001, 40014, 42001}


def post_with_access_token(
    path: str, body: dict[str, Any], *, purpose: str, timeout_seconds: float | None = None
) -> dict[str, Any]:
    """Return WeChat's JSON object, whose `errcode` is an integer; a refused token is renewed once.

    purpose: for the metrics of calls. timeout_seconds: until the last of the at most four requests; None for the usual
    timeout of each.
    Raises httpx.HTTPError, ValueError, LookupError or TypeError; an error's text may contain the token in its URL.
    """
    deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
    answer = _post(path, body, purpose, deadline)
    if answer["errcode"] in EXPIRED_TOKEN_CODES:
        cache.delete(ACCESS_TOKEN_CACHE_KEY)
        answer = _post(path, body, purpose, deadline)
    return answer


def _post(path: str, body: dict[str, Any], purpose: str, deadline: float | None) -> dict[str, Any]:
    token = _get_access_token(deadline)
    with measure_call(f"wechat.{purpose}") as call:
        answer = dict(_request("POST", path, deadline, params={"access_token": token}, json=body))
        answer["errcode"] = int(answer["errcode"])
        if answer["errcode"]:
            call.outcome = "refused"
    return answer


def _get_access_token(deadline: float | None) -> str:
    """Return the access token, from the cache or from WeChat, which returns the same token while it is valid."""
    cached_token = cache.get(ACCESS_TOKEN_CACHE_KEY)
    if cached_token:
        return str(cached_token)
    credentials = {
        "grant_type": "client_credential",
        "appid": settings.WECHAT_APP_ID,
        "secret": settings.WECHAT_APP_SECRET,
    }
    with measure_call("wechat.token"):
        answer = _request("POST", "/cgi-bin/stable_token", deadline, json=credentials)
    token, lifetime = str(answer["access_token"]), int(answer["expires_in"])
    cache.set(ACCESS_TOKEN_CACHE_KEY, token, max(1, lifetime - ACCESS_TOKEN_MARGIN_SECONDS))
    return token


def _request(method: str, path: str, deadline: float | None, **options: Any) -> Any:
    seconds = WECHAT_TOTAL_TIMEOUT_SECONDS
    timeout = None
    if deadline is not None:
        seconds = deadline - time.monotonic()
        if seconds <= 0:
            raise httpx.PoolTimeout("no time left for this request")
        timeout = httpx.Timeout(seconds, connect=min(2.0, seconds))
    with create_wechat_client(timeout) as client:
        return request_json(client, method, path, total_seconds=seconds, **options)
