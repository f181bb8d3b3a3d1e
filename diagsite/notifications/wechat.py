"""WeChat's subscribe messages; each permission of the user allows one."""

from enum import StrEnum

import httpx
import structlog
from django.conf import settings

from diagsite.wechat.access_token import EXPIRED_TOKEN_CODES, post_with_access_token

log = structlog.get_logger(__name__)

# -1: busy; the others: rate limits.
TRANSIENT_CODES = {-1, 45009, 45011, 45047}
# Every message fails until an operator corrects the template (40037), its fields (47003) or the page (41030).
MISCONFIGURED_CODES = (40037, 41030, 47003)


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
        code = post_with_access_token("/cgi-bin/message/subscribe/send", message, purpose="message")["errcode"]
    # The URL contains the token, so the text of the error is not stored.
    except (httpx.HTTPError, ValueError, LookupError, TypeError) as error:
        log.warning("wechat_message_unsent", error=type(error).__name__)
        return WeChatSendResult.RETRY, type(error).__name__
    if code == 0:
        return WeChatSendResult.SENT, ""
    log.warning("wechat_message_refused", errcode=code)
    is_transient = code in TRANSIENT_CODES | EXPIRED_TOKEN_CODES
    return (WeChatSendResult.RETRY if is_transient else WeChatSendResult.REFUSED), str(code)
