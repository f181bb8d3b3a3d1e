"""The words that users see now: an immutable snapshot in memory, so that a look-up is a dictionary's and cannot fail.

A thread of each process reads the version row every ERRORS_REFRESH_SECONDS and swaps the snapshot when it has moved.
With the database away the last snapshot stays; before the first one there are the built-in words.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from errors.codes import ErrorCode
from errors.messages.default_texts import DEFAULT_LOCALE, DEFAULT_TEXTS
from errors.messages.message import TEXT_FIELDS, ErrorMessage, build_default_message, build_message
from errors.periodic_thread import PeriodicThread


@dataclass(frozen=True, slots=True)
class ScheduledOverride:
    """Words of an override; times are Unix seconds."""

    platform: str
    starts_at: float
    ends_at: float
    message: ErrorMessage


MessageKey = tuple[str, str]  # code, locale

DEFAULT_MESSAGES: Mapping[MessageKey, ErrorMessage] = {
    (code.value, locale): build_default_message(code, locale) for locale in DEFAULT_TEXTS for code in ErrorCode
}


@dataclass(frozen=True, slots=True)
class CatalogueSnapshot:
    """Everything that look-ups read. version: the row's; -1 for the built-in words alone."""

    version: int
    message: Mapping[MessageKey, ErrorMessage]
    overrides: Mapping[MessageKey, tuple[ScheduledOverride, ...]]


_DEFAULT_SNAPSHOT = CatalogueSnapshot(-1, DEFAULT_MESSAGES, {})
_snapshot = _DEFAULT_SNAPSHOT


def resolve_locale(language: str | None) -> str:
    """The locale whose words a language gets: its own, its base language's, else Chinese."""
    locale = (language or "").lower().replace("_", "-")
    if locale in DEFAULT_TEXTS:
        return locale
    base = locale.split("-")[0]
    return base if base in DEFAULT_TEXTS else DEFAULT_LOCALE


def get_current_message(code: ErrorCode, locale: str, platform: str = "") -> ErrorMessage:
    """What is shown now for a code in a locale that has words (see `resolve_locale`). Never raises, never waits."""
    refresh_thread.ensure_running()
    snapshot = _snapshot
    key = (code.value, locale)
    if key in snapshot.overrides:
        now = time.time()
        for override in snapshot.overrides[key]:
            if override.starts_at <= now < override.ends_at and override.platform in ("", platform):
                return override.message
    return snapshot.message[key]


def get_published_message(code: ErrorCode, locale: str) -> ErrorMessage:
    """The same without overrides."""
    return _snapshot.message[(code.value, locale)]


def get_snapshot_version() -> int:
    """Of the snapshot in use."""
    return _snapshot.version


def reset_to_default_messages() -> None:
    """Forget the table."""
    global _snapshot
    _snapshot = _DEFAULT_SNAPSHOT


def refresh_snapshot() -> bool:
    """Read the table if its version has moved, in the calling thread; whether the snapshot was swapped.

    Raises the database's errors; the thread that calls this again and again takes them.
    """
    global _snapshot
    from errors.models import CatalogueVersion

    # The version is read first: what is committed in between is read twice, never missed.
    number = CatalogueVersion.objects.values_list("number", flat=True).first() or 0
    if number == _snapshot.version:
        return False
    _snapshot = _read_snapshot(number)
    return True


def _read_snapshot(number: int) -> CatalogueSnapshot:
    from errors.models import CopyOverride, ErrorCopy

    messages = dict(DEFAULT_MESSAGES)
    rows = ErrorCopy.objects.filter(published__isnull=False).values_list(
        "code", "locale", "published__content", "published__number"
    )
    for code, locale, content, revision in rows:
        if (code, locale) in messages:
            messages[(code, locale)] = _build_message_or_fallback(content, revision, messages[(code, locale)])
    overrides: dict[MessageKey, list[ScheduledOverride]] = {}
    # A platform's own words go before those for all, the newest first.
    for override in CopyOverride.objects.unexpired().order_by("-platform", "-starts_at", "-pk"):
        key = (override.code, override.locale)
        if key in messages:
            scheduled = ScheduledOverride(
                override.platform,
                override.starts_at.timestamp(),
                override.ends_at.timestamp(),
                override.apply_to(messages[key]),
            )
            overrides.setdefault(key, []).append(scheduled)
    return CatalogueSnapshot(number, messages, {key: tuple(found) for key, found in overrides.items()})


def _build_message_or_fallback(content: Any, revision: int, fallback: ErrorMessage) -> ErrorMessage:
    """A row that somebody broke by hand costs its own words, not everyone's; one of an older release lacks some."""
    if not isinstance(content, dict) or not all(isinstance(content.get(name, ""), str) for name in TEXT_FIELDS):
        return fallback
    return build_message(fallback.content() | content, revision)


refresh_thread = PeriodicThread("errors-catalogue", refresh_snapshot, lambda: settings.ERRORS_REFRESH_SECONDS)
