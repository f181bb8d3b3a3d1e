"""DingTalk custom bot: https://open.dingtalk.com/document/robots/custom-robot-access"""

import base64
import hashlib
import hmac
import time
from typing import Any
from urllib.parse import urlencode

from monitoring.delivery.channels.base import ADDRESS, KEY, OutgoingMessage
from monitoring.delivery.channels.chat_bot import (
    CONTENT_REJECTED,
    MESSAGE_TOO_LONG,
    RATE_LIMITED,
    SERVICE_BUSY,
    ChatBot,
    misconfigured,
)

_BOT_NOT_FOUND = misconfigured("机器人或群不存在，请重新添加机器人并更新地址")


class DingTalk(ChatBot):
    """Signed if it has a key; at most 20 messages per minute and 20,000 bytes."""

    client_name = "alerts.dingtalk"
    max_bytes = 20_000
    hints = {
        ADDRESS: "群设置 → 机器人 → 自定义：https://oapi.dingtalk.com/robot/send?access_token=…",
        KEY: "安全设置选“加签”时的密钥，以 SEC 开头；选关键词时留空，关键词用“#”",
    }
    error_meanings = {
        -1: SERVICE_BUSY,
        130101: RATE_LIMITED,
        410100: RATE_LIMITED,
        90018: RATE_LIMITED,
        90030: RATE_LIMITED,
        310000: misconfigured("安全设置不符（加签、关键词或 IP），请核对密钥与服务器时间"),
        300001: _BOT_NOT_FOUND,
        400013: _BOT_NOT_FOUND,
        400101: _BOT_NOT_FOUND,
        400102: misconfigured("机器人已停用"),
        400106: _BOT_NOT_FOUND,
        400105: CONTENT_REJECTED,
        40035: CONTENT_REJECTED,
        43004: CONTENT_REJECTED,
        430101: CONTENT_REJECTED,
        430102: CONTENT_REJECTED,
        430104: CONTENT_REJECTED,
        460101: MESSAGE_TOO_LONG,
    }

    def build_url(self, outgoing: OutgoingMessage, address: str) -> str:
        """Return the URL, signed with the key."""
        key = outgoing.secrets.get(KEY, "")
        if not key:
            return address
        timestamp = str(round(time.time() * 1000))
        digest = hmac.new(key.encode(), f"{timestamp}\n{key}".encode(), hashlib.sha256).digest()
        query = urlencode({"timestamp": timestamp, "sign": base64.b64encode(digest).decode()})
        return f"{address}{'&' if '?' in address else '?'}{query}"

    def build_body(self, outgoing: OutgoingMessage) -> dict[str, Any]:
        """Return Markdown that mentions no user."""
        title = outgoing.message.headline(outgoing.number)
        max_bytes = self.max_bytes - 1000  # the limit includes the envelope and escapes
        text = outgoing.message.to_markdown(outgoing.number, max_bytes)
        return {"msgtype": "markdown", "markdown": {"title": title, "text": text}, "at": {"isAtAll": False}}
