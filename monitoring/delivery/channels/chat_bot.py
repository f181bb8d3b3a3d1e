"""Common base of the group chat bots, which respond with HTTP 200 and a code in the body."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from django.conf import settings

from errors.placeholders import clean_text
from monitoring.delivery.channels.base import OutgoingMessage, UrlTransport, get_checked_url
from monitoring.delivery.channels.http_post import HttpResult, classify_http_status, post, to_json_bytes
from monitoring.exceptions import (
    MAX_DETAIL_CHARACTERS,
    ChannelMisconfigured,
    ChannelRateLimited,
    ChannelUnavailable,
    DeliveryFailed,
    MessageRejected,
)


class ChatBot(UrlTransport):
    """A group chat bot. Unknown codes are retried.

    error_meanings: {code: (exception, advice for the operator)}; code_fields, detail_fields: field names in the
    response.
    """

    client_name: ClassVar[str]
    max_bytes: ClassVar[int]
    code_fields: ClassVar[tuple[str, ...]] = ("errcode",)
    detail_fields: ClassVar[tuple[str, ...]] = ("errmsg",)
    error_meanings: ClassVar[Mapping[int, tuple[type[DeliveryFailed], str]]] = {}

    @property
    def max_per_minute(self) -> int | None:
        """All three providers count messages and block faster senders for minutes."""
        return settings.ALERT_MESSAGES_PER_MINUTE

    @abstractmethod
    def build_url(self, outgoing: OutgoingMessage, address: str) -> str:
        """Return the URL with the parameters of this request."""

    @abstractmethod
    def build_body(self, outgoing: OutgoingMessage) -> dict[str, Any]:
        """Return the message in the format of this bot."""

    def send(self, outgoing: OutgoingMessage) -> str:
        """Post the message and classify the code of the response."""
        address = self.build_url(outgoing, get_checked_url(outgoing.secrets))
        result = post(self.client_name, address, to_json_bytes(self.build_body(outgoing)))
        code = next((result.body[name] for name in self.code_fields if name in result.body), None)
        if not isinstance(code, int) or isinstance(code, bool):
            raise classify_http_status(result) or ChannelMisconfigured(
                "对方的应答不是机器人的应答，请检查地址", provider_code=str(result.status)
            )
        if code == 0:
            return "0"
        detail = self.get_error_detail(result)
        failure_class, advice = self.classify_code(code, detail)
        raise failure_class(f"{advice}：{detail}" if detail else advice, provider_code=str(code))

    def get_error_detail(self, result: HttpResult) -> str:
        """Return the provider's error text, shortened and without anything that looks like a key."""
        text = next((result.body[name] for name in self.detail_fields if result.body.get(name)), "")
        return clean_text(str(text), MAX_DETAIL_CHARACTERS)

    def classify_code(self, code: int, detail: str) -> tuple[type[DeliveryFailed], str]:
        """Return the exception and the advice for a code; subclasses use the text where a code is ambiguous."""
        return self.error_meanings.get(code, (ChannelUnavailable, "机器人出错"))


RATE_LIMITED = (ChannelRateLimited, "发送太快，稍后再发")
SERVICE_BUSY = (ChannelUnavailable, "对方系统繁忙")
MESSAGE_TOO_LONG = (MessageRejected, "消息太长")
CONTENT_REJECTED = (MessageRejected, "对方不接受这条内容")


def misconfigured(advice: str) -> tuple[type[DeliveryFailed], str]:
    """Return the meaning of a code that requires a change by an operator."""
    return ChannelMisconfigured, advice
