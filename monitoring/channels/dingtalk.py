"""DingTalk's custom robot: https://open.dingtalk.com/document/robots/custom-robot-access"""

import base64
import hashlib
import hmac
import time
from typing import Any
from urllib.parse import urlencode

from monitoring.channels.base import ADDRESS, KEY, Sending
from monitoring.channels.robots import BAD_CONTENT, BUSY, TOO_FAST, TOO_LONG, Robot, wrong

_GONE = wrong("机器人或群不存在，请重新添加机器人并更新地址")


class DingTalk(Robot):
    """Signed when it has a key; at most 20 messages a minute and 20,000 bytes."""

    client = "alerts.dingtalk"
    most_bytes = 20_000
    hints = {
        ADDRESS: "群设置 → 机器人 → 自定义：https://oapi.dingtalk.com/robot/send?access_token=…",
        KEY: "安全设置选“加签”时的密钥，以 SEC 开头；选关键词时留空，关键词用“#”",
    }
    meanings = {
        -1: BUSY,
        130101: TOO_FAST,
        410100: TOO_FAST,
        90018: TOO_FAST,
        90030: TOO_FAST,
        310000: wrong("安全设置不符（加签、关键词或 IP），请核对密钥与服务器时间"),
        300001: _GONE,
        400013: _GONE,
        400101: _GONE,
        400102: wrong("机器人已停用"),
        400106: _GONE,
        400105: BAD_CONTENT,
        40035: BAD_CONTENT,
        43004: BAD_CONTENT,
        430101: BAD_CONTENT,
        430102: BAD_CONTENT,
        430104: BAD_CONTENT,
        460101: TOO_LONG,
    }

    def address_of(self, sending: Sending, address: str) -> str:
        """The signature is encoded for the address once: robots answer 310000 to one that is encoded twice."""
        key = sending.secrets.get(KEY, "")
        if not key:
            return address
        timestamp = str(round(time.time() * 1000))
        digest = hmac.new(key.encode(), f"{timestamp}\n{key}".encode(), hashlib.sha256).digest()
        query = urlencode({"timestamp": timestamp, "sign": base64.b64encode(digest).decode()})
        return f"{address}{'&' if '?' in address else '?'}{query}"

    def body_of(self, sending: Sending) -> dict[str, Any]:
        """Markdown, which mentions nobody."""
        title = sending.message.headline(sending.number)
        text = sending.message.markdown(sending.number, self.most_bytes - 1000)  # the frame and escapes are counted too
        return {"msgtype": "markdown", "markdown": {"title": title, "text": text}, "at": {"isAtAll": False}}
