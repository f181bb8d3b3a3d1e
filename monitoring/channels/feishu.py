"""Feishu's and Lark's custom bot: https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot"""

import base64
import hashlib
import hmac
import time
from typing import Any

from monitoring.channels.base import ADDRESS, KEY, Sending
from monitoring.channels.robots import BAD_CONTENT, TOO_FAST, Robot, wrong
from monitoring.exceptions import DeliveryFailed

COLOURS = {"info": "blue", "warning": "yellow", "error": "orange", "critical": "red"}


class Feishu(Robot):
    """Signed in the body when it has a key; 100 messages a minute, of which we use as many as of the others."""

    client = "alerts.feishu"
    most_bytes = 18_000  # of 20 KB for the whole body
    code_names = ("code", "StatusCode")
    words_names = ("msg", "StatusMessage")
    hints = {
        ADDRESS: "群设置 → 群机器人 → 自定义机器人：https://open.feishu.cn/open-apis/bot/v2/hook/…",
        KEY: "安全设置选“签名校验”时的密钥；未选则留空",
    }
    meanings = {
        11232: TOO_FAST,
        11233: TOO_FAST,
        9499: BAD_CONTENT,
        11246: BAD_CONTENT,
        19001: wrong("地址无效，或机器人已被移出群"),
        19002: BAD_CONTENT,
        19021: wrong("签名不符，或服务器时间相差超过一小时，请核对密钥"),
        19022: wrong("服务器 IP 不在机器人的白名单里"),
        19024: wrong("消息里没有机器人要求的关键词，请改用签名校验"),
        19036: wrong("机器人已停用"),
    }

    def meaning_of(self, code: int, words: str) -> tuple[type[DeliveryFailed], str]:
        """9499 is both "Bad Request" and "too many request"."""
        return TOO_FAST if code == 9499 and "too many" in words.lower() else super().meaning_of(code, words)

    def address_of(self, sending: Sending, address: str) -> str:
        """As it is: the signature goes into the body."""
        return address

    def body_of(self, sending: Sending) -> dict[str, Any]:
        """A card, whose head has the colour of the severity."""
        message = sending.message
        colour = "green" if message.kind == "resolved" else COLOURS.get(message.severity, "blue")
        text = message.markdown(sending.number, self.most_bytes - 2000, has_headline=False)
        card = {
            "config": {"wide_screen_mode": True},
            "header": {
                "title": {"tag": "plain_text", "content": message.headline(sending.number)},
                "template": colour,
            },
            "elements": [{"tag": "markdown", "content": text}],
        }
        return {"msg_type": "interactive", "card": card, **_signature(sending.secrets.get(KEY, ""))}


def _signature(key: str) -> dict[str, str]:
    """The key is "timestamp, line end, secret", and what is signed is nothing: that is how they have it."""
    if not key:
        return {}
    timestamp = str(round(time.time()))
    digest = hmac.new(f"{timestamp}\n{key}".encode(), b"", hashlib.sha256).digest()
    return {"timestamp": timestamp, "sign": base64.b64encode(digest).decode()}
