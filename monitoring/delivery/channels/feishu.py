"""Feishu and Lark custom bot: https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot"""

import base64
import hashlib
import hmac
import time
from typing import Any

from monitoring.delivery.channels.base import ADDRESS, KEY, OutgoingMessage
from monitoring.delivery.channels.chat_bot import CONTENT_REJECTED, RATE_LIMITED, ChatBot, misconfigured
from monitoring.exceptions import DeliveryFailed

SEVERITY_COLOURS = {"info": "blue", "warning": "yellow", "error": "orange", "critical": "red"}


class Feishu(ChatBot):
    """Signed in the body if it has a key; 100 messages per minute, of which ALERT_MESSAGES_PER_MINUTE are used."""

    client_name = "alerts.feishu"
    max_bytes = 18_000  # of 20 KB for the whole body
    code_fields = ("code", "StatusCode")
    detail_fields = ("msg", "StatusMessage")
    hints = {
        ADDRESS: "群设置 → 群机器人 → 自定义机器人：https://open.feishu.cn/open-apis/bot/v2/hook/…",
        KEY: "安全设置选“签名校验”时的密钥；未选则留空",
    }
    error_meanings = {
        11232: RATE_LIMITED,
        11233: RATE_LIMITED,
        9499: CONTENT_REJECTED,
        11246: CONTENT_REJECTED,
        19001: misconfigured("地址无效，或机器人已被移出群"),
        19002: CONTENT_REJECTED,
        19021: misconfigured("签名不符，或服务器时间相差超过一小时，请核对密钥"),
        19022: misconfigured("服务器 IP 不在机器人的白名单里"),
        19024: misconfigured("消息里没有机器人要求的关键词，请改用签名校验"),
        19036: misconfigured("机器人已停用"),
    }

    def classify_code(self, code: int, detail: str) -> tuple[type[DeliveryFailed], str]:
        """Feishu uses 9499 for both "Bad Request" and "too many request"."""
        return RATE_LIMITED if code == 9499 and "too many" in detail.lower() else super().classify_code(code, detail)

    def build_url(self, outgoing: OutgoingMessage, address: str) -> str:
        """Return the URL unchanged: the signature is in the body."""
        return address

    def build_body(self, outgoing: OutgoingMessage) -> dict[str, Any]:
        """Return a card whose header has the colour of the severity."""
        message = outgoing.message
        colour = "green" if message.kind == "resolved" else SEVERITY_COLOURS.get(message.severity, "blue")
        text = message.to_markdown(outgoing.number, self.max_bytes - 2000, has_headline=False)
        card = {
            "config": {"wide_screen_mode": True},
            "header": {
                "title": {"tag": "plain_text", "content": message.headline(outgoing.number)},
                "template": colour,
            },
            "elements": [{"tag": "markdown", "content": text}],
        }
        body: dict[str, Any] = {"msg_type": "interactive", "card": card}
        key = outgoing.secrets.get(KEY, "")
        if key:  # Feishu signs an empty text with the HMAC key "timestamp, newline, secret"
            timestamp = str(round(time.time()))
            digest = hmac.new(f"{timestamp}\n{key}".encode(), b"", hashlib.sha256).digest()
            body |= {"timestamp": timestamp, "sign": base64.b64encode(digest).decode()}
        return body
