"""WeChat's sign-in: one call that turns a `wx.login` code into an openid. The session_key never leaves here."""

import httpx
import structlog
from django.conf import settings

from diagsite.exceptions import (
    SignInRejected,
    WeChatAnswerLost,
    WeChatBusy,
    WeChatMisconfigured,
    WeChatUnavailable,
)
from errors.retry import RetryBudget, retrying
from performance.doors import certificates, guard, host_of
from performance.outgoing import measured_call

log = structlog.get_logger(__name__)

TIMEOUT = httpx.Timeout(5, connect=2)
MOST_OPENID_CHARACTERS = 64  # they have 28
CODES_OF_A_BAD_LOGIN = {40029, 40163, 40226}  # invalid, used already, blocked for risk
CODES_OF_A_BUSY_WECHAT = {-1, 45011}
_retries = RetryBudget()


def exchange_code(code: str) -> str:
    """The openid behind a login code (which works once, for five minutes).

    Asked again only while WeChat has not taken the code. Raises SignInRejected for a bad code, WeChatBusy,
    WeChatMisconfigured, WeChatUnavailable or WeChatAnswerLost for the rest.
    """
    openid: str = retrying(_retries)(_exchange, code)
    return openid


def allowed_hosts() -> list[str]:
    """Where calls to WeChat may go."""
    return [*host_of(settings.WECHAT_API_BASE), *settings.OUTGOING_HOSTS]


def _exchange(code: str) -> str:
    query = {
        "appid": settings.WECHAT_APP_ID,
        "secret": settings.WECHAT_APP_SECRET,
        "js_code": code,
        "grant_type": "authorization_code",
    }
    try:
        with (
            measured_call("wechat.session") as call,
            guard(httpx.Client(verify=certificates(), timeout=TIMEOUT), allowed_hosts) as client,
        ):
            answer = client.get(f"{settings.WECHAT_API_BASE}/sns/jscode2session", params=query)
            answer.raise_for_status()
            body = answer.json()
            if isinstance(body, dict) and body.get("errcode"):
                call.outcome = "refused"
    # The request's address holds the secret, so the error's own text is not logged.
    except (httpx.ConnectError, httpx.ConnectTimeout) as error:
        log.warning("wechat_unavailable", error=type(error).__name__)
        raise WeChatUnavailable from None
    except (httpx.HTTPError, ValueError) as error:
        log.warning("wechat_answer_lost", error=type(error).__name__)
        raise WeChatAnswerLost from None
    return _openid_in(body)


def _openid_in(body: object) -> str:
    answer = body if isinstance(body, dict) else {}
    openid, errcode = answer.get("openid"), answer.get("errcode")
    if isinstance(openid, str) and 0 < len(openid) <= MOST_OPENID_CHARACTERS and openid.isprintable():
        return openid
    if not isinstance(errcode, int) or not errcode:
        log.warning("wechat_answer_lost", error="neither openid nor errcode")
        raise WeChatAnswerLost
    log.warning("wechat_refused", errcode=errcode)
    if errcode in CODES_OF_A_BAD_LOGIN:
        raise SignInRejected
    raise WeChatBusy if errcode in CODES_OF_A_BUSY_WECHAT else WeChatMisconfigured
