"""WeChat's content check, msg_sec_check 2.0."""

import httpx
import structlog
from django.core.cache import cache

from diagsite.moderation.results import Checker, CheckFailed, Verdict
from diagsite.wechat.access_token import post_with_access_token
from errors.exceptions import Unauthorized

log = structlog.get_logger(__name__)

VERSION = 2
SCENE_FORUM = 3  # of 1 profile, 2 comment, 3 forum, 4 social log
MAX_WECHAT_CHARACTERS = 2500
BUSY = -1
NO_RECENT_VISIT = 61010  # WeChat checks texts only of users who have opened the mini-program within two hours
# A sign-in counts as a visit. If it does not help, another one within this time would not either.
VISIT_RENEWAL_SECONDS = 300
RISKY_CONTENT = 87014  # as version 1 answered


def build_wechat_checker(openid: str) -> Checker:
    """Return the check of texts of this user. It raises Unauthorized once if the user must sign in again first."""
    return Checker("wechat", MAX_WECHAT_CHARACTERS, lambda text, seconds: _check(text, openid, seconds))


def _check(text: str, openid: str, seconds: float) -> Verdict:
    body = {"content": text, "version": VERSION, "scene": SCENE_FORUM, "openid": openid}
    try:
        answer = post_with_access_token("/wxa/msg_sec_check", body, purpose="moderation", timeout_seconds=seconds)
        code = answer["errcode"]
        verdict = Verdict(answer["result"]["suggest"]) if code == 0 else None
    # The URL contains the token, so the text of the error is not kept.
    except (httpx.HTTPError, ValueError, LookupError, TypeError) as error:
        raise CheckFailed(type(error).__name__, is_retryable=isinstance(error, httpx.HTTPError)) from None
    if code == NO_RECENT_VISIT:
        if cache.add(f"diagsite.moderation.visit.{openid}", 1, VISIT_RENEWAL_SECONDS):
            raise Unauthorized
        raise CheckFailed(str(code))
    if code == RISKY_CONTENT:
        return Verdict.RISKY
    if verdict is None:
        raise CheckFailed(str(code), is_retryable=code == BUSY)
    if verdict is not Verdict.PASS:
        # For questions to WeChat; the text itself is not logged.
        log.info("moderation_not_passed", verdict=verdict.value, trace_id=str(answer.get("trace_id", ""))[:64])
    return verdict
