"""WeCom group bot: https://developer.work.weixin.qq.com/document/path/91770"""

from typing import Any

from monitoring.delivery.channels.base import ADDRESS, OutgoingMessage
from monitoring.delivery.channels.chat_bot import (
    CONTENT_REJECTED,
    MESSAGE_TOO_LONG,
    RATE_LIMITED,
    SERVICE_BUSY,
    ChatBot,
    misconfigured,
)
from monitoring.delivery.channels.http_post import HttpResult
from monitoring.exceptions import DeliveryFailed


class WeCom(ChatBot):
    """Authenticated by its URL alone; at most 20 messages per minute and 4,096 bytes of Markdown."""

    client_name = "alerts.wecom"
    accepted_fields = frozenset({ADDRESS})
    max_bytes = 4096
    hints = {ADDRESS: "群机器人的地址：https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=…"}
    error_meanings = {
        -1: SERVICE_BUSY,
        45009: RATE_LIMITED,
        45033: RATE_LIMITED,
        93000: misconfigured("地址无效，或机器人已被移出群"),
        40008: CONTENT_REJECTED,
        40058: CONTENT_REJECTED,
        44004: CONTENT_REJECTED,
        45002: MESSAGE_TOO_LONG,
    }

    def classify_code(self, code: int, detail: str) -> tuple[type[DeliveryFailed], str]:
        """WeCom uses 93000 also for messages that are too long."""
        if code in (93000, 40058) and "max length" in detail:
            return MESSAGE_TOO_LONG
        return super().classify_code(code, detail)

    def get_error_detail(self, result: HttpResult) -> str:
        """Return the text without the support reference that WeCom appends."""
        return super().get_error_detail(result).partition(", hint:")[0]

    def build_url(self, outgoing: OutgoingMessage, address: str) -> str:
        """Return the URL unchanged."""
        return address

    def build_body(self, outgoing: OutgoingMessage) -> dict[str, Any]:
        """Return Markdown, in which only `<@…>` would mention a user."""
        content = outgoing.message.to_markdown(outgoing.number, self.max_bytes)
        return {"msgtype": "markdown", "markdown": {"content": content}}
