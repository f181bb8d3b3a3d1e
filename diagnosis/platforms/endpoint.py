"""Where and with which key a platform is called, and the failures of its calls, with secrets redacted."""

import os
import re
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

from django.conf import settings

from diagnosis.choices import FailureReason
from diagnosis.exceptions import CallFailed
from diagnosis.models import Platform
from diagnosis.platforms.protocols.text import remove_unstorable_characters
from diagnosis.replies import Usage


@dataclass(frozen=True)
class Endpoint:
    """Base URL and key of a platform. Builds every failure, so that the key is always redacted."""

    base_url: str
    key: str

    @classmethod
    def from_platform(cls, platform: Platform) -> Self:
        """Return the endpoint. Raises CallFailed if its URL is invalid, its host not allowed, or its key unusable."""
        base_url = platform.base_url or (settings.DEMO_BASE_URL if platform.is_demo else "")
        try:
            parts = urlsplit(base_url)
            is_valid_url = parts.scheme in ("http", "https") and parts.port != 0
        except ValueError:  # unmatched brackets, or a port that is not a number
            is_valid_url = False
        if not is_valid_url:
            raise CallFailed(FailureReason.KEY, "the platform's base URL is not a valid URL")
        if parts.hostname not in settings.OUTGOING_HOSTS:
            raise CallFailed(FailureReason.KEY, f"{parts.hostname} is not in OUTGOING_HOSTS")
        if not has_usable_key(platform):
            raise CallFailed(
                FailureReason.KEY, f"{platform.key_variable or 'the key variable'} is not set to a usable key"
            )
        return cls(base_url.rstrip("/"), "demo" if platform.is_demo else os.environ[platform.key_variable].strip())

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


def has_usable_key(platform: Platform) -> bool:
    """Return whether the platform's key is set and printable ASCII; the HTTP client would refuse another one."""
    # Stripped, because a trailing newline would look like a network error.
    key = os.environ.get(platform.key_variable, "").strip()
    return platform.is_demo or bool(key and key.isascii() and key.isprintable())


_SECRET_PATTERN = re.compile(r"(?:sk|ak|Bearer)[-_ ][A-Za-z0-9._-]{6,}|[A-Za-z0-9_-]{32,}(?:\.[A-Za-z0-9_-]+)*")


def redact_secrets(text: str, key: str = "") -> str:
    """Remove the key and anything that looks like one, since platforms may echo requests; capped and storable."""
    text = remove_unstorable_characters(text)
    if key:
        text = text.replace(key, "***")
    return _SECRET_PATTERN.sub("***", text)[:400]
