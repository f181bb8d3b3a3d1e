"""What every kind of channel is: what it needs to be told, and how it sends one message."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import ClassVar
from urllib.parse import urlsplit

import httpx
from django.conf import settings

from monitoring.delivery.messages import Message
from monitoring.exceptions import ChannelMisconfigured

ADDRESS, KEY = "address", "key"


@dataclass(frozen=True)
class OutgoingMessage:
    """One message on its way: `number` is told in it; `secrets` are the channel's, by ADDRESS and KEY."""

    number: int
    message: Message
    secrets: dict[str, str] = field(repr=False)
    recipients: list[str] = field(default_factory=list)


class Transport(ABC):
    """A kind of channel.

    needs: the fields that must be filled in ("address", "key", "recipients"), takes: those that may be; hints: what
    the admin says about each; max_per_minute: messages that the other side takes, None for any number.
    """

    required_fields: ClassVar[frozenset[str]] = frozenset()
    accepted_fields: ClassVar[frozenset[str]] = frozenset()
    hints: ClassVar[dict[str, str]] = {}

    @property
    def max_per_minute(self) -> int | None:
        """How many messages a minute the other side takes."""
        return None

    def validate(self, secrets: dict[str, str], recipients: list[str]) -> dict[str, str]:
        """{field: what is wrong with it}, in words for the operator."""
        return {}

    @abstractmethod
    def send(self, outgoing: OutgoingMessage) -> str:
        """Send it; returns the other side's code for success. Raises DeliveryFailed, and nothing else."""


def find_url_error(address: str) -> str:
    """What is wrong with an address that we are to post to; "" when it may be used."""
    try:
        parts = urlsplit(address)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        # Two readers that differ about the host would let an address through to another one.
        is_address = is_address and httpx.URL(address).host == parts.hostname
    except (ValueError, httpx.InvalidURL):  # brackets that do not match, a port that is no number
        is_address = False
    if not is_address or not address.isascii() or not address.isprintable():
        return "不是网址，应形如 https://…"
    if parts.username or parts.password:
        return "网址里不能带用户名和密码"
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK_HOSTS:
        return "必须是 https 网址"
    return find_host_error(parts.hostname or "")


_LOOPBACK_HOSTS = {"127.0.0.1", "localhost"}


def find_host_error(host: str) -> str:
    """Whether ALERT_HOSTS allows it: an address in the admin must not open our own network."""
    return "" if host in settings.ALERT_HOSTS else f"{host} 不在允许的主机里（设置 ALERT_HOSTS）"


def get_checked_url(secrets: dict[str, str]) -> str:
    """Return the address to post to, checked at each send: the setting may change. Raises ChannelMisconfigured."""
    address = secrets.get(ADDRESS, "")
    fault = find_url_error(address) if address else "没有填写地址"
    if fault:
        raise ChannelMisconfigured(fault)
    return address
