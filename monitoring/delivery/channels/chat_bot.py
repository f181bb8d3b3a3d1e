"""What the three chat robots have in common: they answer HTTP 200 and say in a code how it went."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from django.conf import settings

from errors.placeholders import clean_text
from monitoring.delivery.channels.base import ADDRESS, KEY, OutgoingMessage, Transport, find_url_error, get_checked_url
from monitoring.delivery.channels.http_post import HttpResult, classify_http_status, post
from monitoring.delivery.messages import to_json_bytes
from monitoring.exceptions import (
    MAX_DETAIL_CHARACTERS,
    ChannelMisconfigured,
    ChannelRateLimited,
    ChannelUnavailable,
    DeliveryFailed,
    MessageRejected,
)


class ChatBot(Transport):
    """A robot of a group chat. The tables say what its codes mean; a code that nobody knows is tried again.

    meanings: {code: (outcome, what to do about it)}; code_fields, detail_fields: names of the fields in the answer.
    """

    required_fields = frozenset({ADDRESS})
    accepted_fields = frozenset({ADDRESS, KEY})
    client_name: ClassVar[str]
    max_bytes: ClassVar[int]
    code_fields: ClassVar[tuple[str, ...]] = ("errcode",)
    detail_fields: ClassVar[tuple[str, ...]] = ("errmsg",)
    error_meanings: ClassVar[Mapping[int, tuple[type[DeliveryFailed], str]]] = {}

    @property
    def max_per_minute(self) -> int | None:
        """All three count, and ban for minutes who is faster."""
        return settings.ALERT_MESSAGES_PER_MINUTE

    @abstractmethod
    def build_url(self, outgoing: OutgoingMessage, address: str) -> str:
        """The address with what belongs into it."""

    @abstractmethod
    def build_body(self, outgoing: OutgoingMessage) -> dict[str, Any]:
        """The message as this robot wants it."""

    def validate(self, secrets: dict[str, str], recipients: list[str]) -> dict[str, str]:
        """Of the address; the key is checked by the robot."""
        address = secrets.get(ADDRESS, "")
        fault = find_url_error(address) if address else ""
        return {ADDRESS: fault} if fault else {}

    def send(self, outgoing: OutgoingMessage) -> str:
        """Post it and read the code."""
        address = self.build_url(outgoing, get_checked_url(outgoing.secrets))
        result = post(self.client_name, address, to_json_bytes(self.build_body(outgoing)))
        code = self._parse_code(result)
        if code == 0:
            return "0"
        failure = self._build_failure(result, code) if code is not None else classify_http_status(result)
        raise failure or ChannelMisconfigured(
            "对方的应答不是机器人的应答，请检查地址", provider_code=str(result.status)
        )

    def _parse_code(self, result: HttpResult) -> int | None:
        found = next((result.body[name] for name in self.code_fields if name in result.body), None)
        return found if isinstance(found, int) and not isinstance(found, bool) else None

    def _build_failure(self, result: HttpResult, code: int) -> DeliveryFailed:
        detail = self.get_error_detail(result)
        failure_class, advice = self.classify_code(code, detail)
        return failure_class(f"{advice}：{detail}" if detail else advice, provider_code=str(code))

    def get_error_detail(self, result: HttpResult) -> str:
        """The robot's own words, short and without anything that looks like a key."""
        theirs = next((result.body[name] for name in self.detail_fields if result.body.get(name)), "")
        return clean_text(str(theirs), MAX_DETAIL_CHARACTERS)

    def classify_code(self, code: int, detail: str) -> tuple[type[DeliveryFailed], str]:
        """What a code means; some have two meanings, which the words tell apart."""
        return self.error_meanings.get(code, (ChannelUnavailable, "机器人出错"))


RATE_LIMITED = (ChannelRateLimited, "发送太快，稍后再发")
SERVICE_BUSY = (ChannelUnavailable, "对方系统繁忙")
MESSAGE_TOO_LONG = (MessageRejected, "消息太长")
CONTENT_REJECTED = (MessageRejected, "对方不接受这条内容")


def misconfigured(advice: str) -> tuple[type[DeliveryFailed], str]:
    """Wrong until somebody mends it."""
    return ChannelMisconfigured, advice
