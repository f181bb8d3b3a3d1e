"""WeCom's group robot: https://developer.work.weixin.qq.com/document/path/91770"""

from typing import Any

from monitoring.channels.base import ADDRESS, Sending
from monitoring.channels.posting import Answer
from monitoring.channels.robots import BAD_CONTENT, BUSY, TOO_FAST, TOO_LONG, Robot, wrong
from monitoring.exceptions import DeliveryFailed


class WeCom(Robot):
    """Its address is its secret; at most 20 messages a minute and 4,096 bytes of Markdown."""

    client = "alerts.wecom"
    takes = frozenset({ADDRESS})
    most_bytes = 4096
    hints = {ADDRESS: "群机器人的地址：https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=…"}
    meanings = {
        -1: BUSY,
        45009: TOO_FAST,
        45033: TOO_FAST,
        93000: wrong("地址无效，或机器人已被移出群"),
        40008: BAD_CONTENT,
        40058: BAD_CONTENT,
        44004: BAD_CONTENT,
        45002: TOO_LONG,
    }

    def meaning_of(self, code: int, words: str) -> tuple[type[DeliveryFailed], str]:
        """93000 is also what it says of a message that is too long."""
        if code in (93000, 40058) and "max length" in words:
            return TOO_LONG
        return super().meaning_of(code, words)

    def words_of(self, answer: Answer) -> str:
        """Without the number and the address that it appends for its own support."""
        return super().words_of(answer).partition(", hint:")[0]

    def address_of(self, sending: Sending, address: str) -> str:
        """As it is."""
        return address

    def body_of(self, sending: Sending) -> dict[str, Any]:
        """Markdown, in which only `<@…>` would mention somebody."""
        content = sending.message.markdown(sending.number, self.most_bytes)
        return {"msgtype": "markdown", "markdown": {"content": content}}
