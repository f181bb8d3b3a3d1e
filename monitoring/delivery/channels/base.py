"""The interface of a notification channel kind.

To add a kind:
1. add it to `Channel.Kind` in monitoring/models/delivery.py, with a migration;
2. write `<kind>.py` in this package with a subclass of `Transport`, of `UrlTransport` for an HTTP POST, or of `ChatBot`
   (chat_bot.py) for a group bot that answers with a code;
3. register it in TRANSPORTS (`__init__.py`), which the admin, the outbox and the test message use;
4. add its host to the default of ALERT_HOSTS in diagsite/settings.py.
CONTRIBUTING.md lists the documents and tests to extend.
"""

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
    """One message to send: `number` is displayed in it; `secrets` are the channel's, by ADDRESS and KEY."""

    number: int
    message: Message
    secrets: dict[str, str] = field(repr=False)
    recipients: list[str] = field(default_factory=list)


class Transport(ABC):
    """A channel kind.

    required_fields: fields that must be filled ("address", "key", "recipients"); accepted_fields: fields that may be;
    hints: help texts of the admin by field.
    """

    required_fields: ClassVar[frozenset[str]] = frozenset()
    accepted_fields: ClassVar[frozenset[str]] = frozenset()
    hints: ClassVar[dict[str, str]] = {}

    @property
    def max_per_minute(self) -> int | None:
        """Messages per minute that the provider accepts; None for no limit."""
        return None

    def validate(self, secrets: dict[str, str], recipients: list[str]) -> dict[str, str]:
        """Return {field: error text for the operator}."""
        return {}

    @abstractmethod
    def send(self, outgoing: OutgoingMessage) -> str:
        """Send a message and return the provider's code for success. Raises only DeliveryFailed."""


class UrlTransport(Transport):
    """A channel kind that posts to a URL."""

    required_fields = frozenset({ADDRESS})
    accepted_fields = frozenset({ADDRESS, KEY})

    def validate(self, secrets: dict[str, str], recipients: list[str]) -> dict[str, str]:
        """Validate the URL; only the provider can check the key."""
        address = secrets.get(ADDRESS, "")
        error = find_url_error(address) if address else ""
        return {ADDRESS: error} if error else {}


def find_url_error(address: str) -> str:
    """Return why the site must not post to a URL; "" if it may."""
    try:
        parts = urlsplit(address)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        # If two parsers disagree about the host, the check of one could be bypassed in the other.
        is_address = is_address and httpx.URL(address).host == parts.hostname
    except (ValueError, httpx.InvalidURL):  # unmatched brackets, invalid port
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
    """Return why ALERT_HOSTS does not allow a host: URLs from the admin must not reach the internal network."""
    return "" if host in settings.ALERT_HOSTS else f"{host} 不在允许的主机里（设置 ALERT_HOSTS）"


def get_checked_url(secrets: dict[str, str]) -> str:
    """Return the URL to post to, checked at every send because ALERT_HOSTS may change. Raises ChannelMisconfigured."""
    address = secrets.get(ADDRESS, "")
    error = find_url_error(address) if address else "没有填写地址"
    if error:
        raise ChannelMisconfigured(error)
    return address
