"""The current error messages: an immutable snapshot in memory, so that a lookup never fails and never waits.

A thread of each process reads the version row every ERRORS_REFRESH_SECONDS and replaces the snapshot when the version
has changed. While the database is unavailable the last snapshot is used; before the first one, the default messages.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from django.conf import settings

from errors.codes import ErrorCode
from errors.messages.default_texts import DEFAULT_LOCALE, DEFAULT_TEXTS
from errors.messages.message import ErrorMessage, build_default_message, build_message_or_fallback
from errors.models import CatalogueVersion, CopyOverride, ErrorCopy
from errors.periodic_thread import PeriodicThread


@dataclass(frozen=True, slots=True)
class ScheduledOverride:
    """A message for a period; times are Unix seconds. platform: "" for all."""

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
    """version: of the catalogue in the database; -1 for the default messages."""

    version: int
    messages: Mapping[MessageKey, ErrorMessage]
    overrides: Mapping[MessageKey, tuple[ScheduledOverride, ...]]


_DEFAULT_SNAPSHOT = CatalogueSnapshot(-1, DEFAULT_MESSAGES, {})
_snapshot = _DEFAULT_SNAPSHOT


def resolve_locale(language: str | None) -> str:
    """Return the locale of the messages for a language: its own, its base language's, or Chinese."""
    locale = (language or "").lower().replace("_", "-")
    if locale in DEFAULT_TEXTS:
        return locale
    base = locale.split("-")[0]
    return base if base in DEFAULT_TEXTS else DEFAULT_LOCALE


def get_current_message(code: ErrorCode, locale: str, platform: str = "") -> ErrorMessage:
    """Return the current message of a code; locale: from `resolve_locale`. Never raises, never waits."""
    refresh_thread.ensure_running()
    snapshot = _snapshot
    key = (code.value, locale)
    if key in snapshot.overrides:
        now = time.time()
        for override in snapshot.overrides[key]:
            if override.starts_at <= now < override.ends_at and override.platform in ("", platform):
                return override.message
    return snapshot.messages[key]


def get_published_message(code: ErrorCode, locale: str) -> ErrorMessage:
    """Return the published message of a code, without overrides. Never raises, never waits."""
    return _snapshot.messages[(code.value, locale)]


def get_snapshot_version() -> int:
    return _snapshot.version


def reset_to_default_messages() -> None:
    global _snapshot
    _snapshot = _DEFAULT_SNAPSHOT


def refresh_snapshot() -> bool:
    """Read the messages if their version has changed; return whether it had. Raises django.db.Error."""
    global _snapshot
    # The version is read first: a change committed in between is read twice, never missed.
    number = CatalogueVersion.objects.values_list("number", flat=True).first() or 0
    if number == _snapshot.version:
        return False
    _snapshot = _read_snapshot(number)
    return True


def _read_snapshot(number: int) -> CatalogueSnapshot:
    messages = dict(DEFAULT_MESSAGES)
    rows = ErrorCopy.objects.filter(published__isnull=False).values_list(
        "code", "locale", "published__content", "published__number"
    )
    for code, locale, content, revision in rows:
        if (code, locale) in messages:
            messages[(code, locale)] = build_message_or_fallback(content, messages[(code, locale)], revision)
    overrides: dict[MessageKey, list[ScheduledOverride]] = {}
    # The overrides of a platform precede those for all platforms, the newest first.
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
    return CatalogueSnapshot(number, messages, {key: tuple(scheduled) for key, scheduled in overrides.items()})


refresh_thread = PeriodicThread("errors-catalogue", refresh_snapshot, lambda: settings.ERRORS_REFRESH_SECONDS)
