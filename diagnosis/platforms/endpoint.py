"""Where and with which key a platform is called, and the failures of its calls, with secrets redacted."""

import json
import os
import re
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit

from django.conf import settings

from diagnosis.choices import FailureReason
from diagnosis.exceptions import CallFailed
from diagnosis.models import Platform
from diagnosis.platforms.protocols.text import remove_unstorable_characters
from diagnosis.replies import Usage
from errors.redaction import MASK, redact
from performance.ssrf_guard import HostNotAllowed, check_host_allowed

# An operator names the variable, so it must not be SECRET_KEY or any other secret of the site.
KEY_VARIABLE_PATTERN = re.compile(r"[A-Z][A-Z0-9_]*_API_KEY")
LOOPBACK_ADDRESSES = ("127.0.0.1", "::1")
DEMO_KEY = "demo"  # no secret


@dataclass(frozen=True)
class Endpoint:
    """Base URL and key of a platform. Builds every failure, so that the key is always redacted."""

    base_url: str
    key: str

    @classmethod
    def from_platform(cls, platform: Platform) -> Self:
        """Return the endpoint. Raises CallFailed if its URL is invalid, its host not allowed, or its key unusable."""
        base_url = platform.base_url or (settings.DEMO_BASE_URL if platform.is_demo else "")
        if not is_valid_base_url(base_url):
            raise CallFailed(FailureReason.CONFIG, "the platform's base URL is not a valid URL")
        if not is_private_connection(base_url):
            raise CallFailed(FailureReason.CONFIG, "the platform's base URL is not an https URL")
        if not is_host_allowed(base_url):
            raise CallFailed(FailureReason.CONFIG, f"{urlsplit(base_url).hostname} is not in OUTGOING_HOSTS")
        if not has_usable_key(platform):
            raise CallFailed(
                FailureReason.KEY, f"{platform.key_variable or 'the key variable'} is not set to a usable key"
            )
        return cls(base_url.rstrip("/"), DEMO_KEY if platform.is_demo else get_key(platform))

    def build_failure(
        self,
        reason: FailureReason,
        detail: object,
        *,
        wait_seconds: float | None = None,
        usage: Usage | None = None,
    ) -> CallFailed:
        """Build the failure. usage: what the call consumed all the same."""
        return CallFailed(reason, redact_secrets(str(detail), self.key), wait_seconds=wait_seconds, usage=usage)

    def remove_key(self, content: Any) -> Any:
        """Return JSON content with *** instead of the key."""
        text = json.dumps(content)
        has_key = self.key != DEMO_KEY and self.key in text
        return json.loads(text.replace(self.key, "***")) if has_key else content


def is_valid_base_url(url: str) -> bool:
    """Return whether it is an HTTP address without user, query and fragment, which could hold a secret in clear."""
    try:
        parts = urlsplit(url)
        is_plain = not (parts.username or parts.password or "?" in url or "#" in url or "@" in parts.netloc)
        return is_plain and parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # unmatched brackets, or a port that is not a number
        return False


def is_private_connection(url: str) -> bool:
    """Return whether a key may be sent there: encrypted, to this machine, or in development."""
    parts = urlsplit(url)
    return parts.scheme == "https" or not settings.PRODUCTION or parts.hostname in LOOPBACK_ADDRESSES


def is_host_allowed(url: str) -> bool:
    """Return whether OUTGOING_HOSTS has the host of a valid URL, or a network that contains it."""
    try:
        check_host_allowed(urlsplit(url).hostname or "", settings.OUTGOING_HOSTS)
    except HostNotAllowed:
        return False
    return True


def get_key(platform: Platform) -> str:
    """Return the platform's key; empty if it is not set, or if the variable is not one of a platform's key."""
    if not KEY_VARIABLE_PATTERN.fullmatch(platform.key_variable):
        return ""
    # Stripped, because a trailing newline would look like a network error.
    return os.environ.get(platform.key_variable, "").strip()


def has_usable_key(platform: Platform) -> bool:
    """Return whether the platform's key is set and printable ASCII; the HTTP client would refuse another one."""
    key = get_key(platform)
    return platform.is_demo or bool(key and key.isascii() and key.isprintable())


_LONG_TOKEN_PATTERN = re.compile(r"[A-Za-z0-9_-]{32,}(?:\.[A-Za-z0-9_-]+)*")


def redact_secrets(text: str, key: str = "") -> str:
    """Remove the key and anything that looks like one, since platforms may echo requests; capped and storable."""
    text = redact(remove_unstorable_characters(text), [key])
    return _LONG_TOKEN_PATTERN.sub(MASK, text)[:400]
