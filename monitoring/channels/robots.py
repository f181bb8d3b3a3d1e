"""What the three chat robots have in common: they answer HTTP 200 and say in a code how it went."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from django.conf import settings

from errors.placeholders import clean_text
from monitoring.channels.base import ADDRESS, KEY, Sending, Transport, checked_address, fault_of_address
from monitoring.channels.posting import Answer, failure_of_status, post
from monitoring.exceptions import (
    MOST_WORDS,
    ChannelFailing,
    ChannelRefused,
    ChannelTooFast,
    DeliveryFailed,
    MessageRefused,
)
from monitoring.messages import json_bytes


class Robot(Transport):
    """A robot of a group chat. The tables say what its codes mean; a code that nobody knows is tried again.

    meanings: {code: (outcome, what to do about it)}; code_names, words_names: where the answer has its code and words.
    """

    needs = frozenset({ADDRESS})
    takes = frozenset({ADDRESS, KEY})
    client: ClassVar[str]
    most_bytes: ClassVar[int]
    code_names: ClassVar[tuple[str, ...]] = ("errcode",)
    words_names: ClassVar[tuple[str, ...]] = ("errmsg",)
    meanings: ClassVar[Mapping[int, tuple[type[DeliveryFailed], str]]] = {}

    @property
    def per_minute(self) -> int | None:
        """All three count, and ban for minutes who is faster."""
        return settings.ALERT_MESSAGES_PER_MINUTE

    @abstractmethod
    def address_of(self, sending: Sending, address: str) -> str:
        """The address with what belongs into it."""

    @abstractmethod
    def body_of(self, sending: Sending) -> dict[str, Any]:
        """The message as this robot wants it."""

    def faults(self, secrets: dict[str, str], recipients: list[str]) -> dict[str, str]:
        """Of the address; the key is checked by the robot."""
        address = secrets.get(ADDRESS, "")
        fault = fault_of_address(address) if address else ""
        return {ADDRESS: fault} if fault else {}

    def send(self, sending: Sending) -> str:
        """Post it and read the code."""
        address = self.address_of(sending, checked_address(sending.secrets))
        answer = post(self.client, address, json_bytes(self.body_of(sending)))
        code = self._code_in(answer)
        if code == 0:
            return "0"
        failure = self._failure_of(answer, code) if code is not None else failure_of_status(answer)
        raise failure or ChannelRefused("对方的应答不是机器人的应答，请检查地址", provider_code=str(answer.status))

    def _code_in(self, answer: Answer) -> int | None:
        found = next((answer.body[name] for name in self.code_names if name in answer.body), None)
        return found if isinstance(found, int) and not isinstance(found, bool) else None

    def _failure_of(self, answer: Answer, code: int) -> DeliveryFailed:
        words = self.words_of(answer)
        kind, advice = self.meaning_of(code, words)
        return kind(f"{advice}：{words}" if words else advice, provider_code=str(code))

    def words_of(self, answer: Answer) -> str:
        """The robot's own words, short and without anything that looks like a key."""
        theirs = next((answer.body[name] for name in self.words_names if answer.body.get(name)), "")
        return clean_text(str(theirs), MOST_WORDS)

    def meaning_of(self, code: int, words: str) -> tuple[type[DeliveryFailed], str]:
        """What a code means; some have two meanings, which the words tell apart."""
        return self.meanings.get(code, (ChannelFailing, "机器人出错"))


TOO_FAST = (ChannelTooFast, "发送太快，稍后再发")
BUSY = (ChannelFailing, "对方系统繁忙")
TOO_LONG = (MessageRefused, "消息太长")
BAD_CONTENT = (MessageRefused, "对方不接受这条内容")


def wrong(advice: str) -> tuple[type[DeliveryFailed], str]:
    """Wrong until somebody mends it."""
    return ChannelRefused, advice
