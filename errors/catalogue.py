"""The words that users see now: an immutable snapshot in memory, so that a look-up is a dictionary's and cannot fail.

A thread of each process reads the version row every ERRORS_REFRESH_SECONDS and swaps the snapshot when it has moved.
With the database away the last snapshot stays; before the first one there are the built-in words.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from errors.background import Background
from errors.codes import ErrorCode
from errors.copy import COPY, DEFAULT_LOCALE
from errors.words import TEXT_FIELDS, Words, builtin_words, words_of


@dataclass(frozen=True, slots=True)
class TimedWords:
    """Words of an override; times are Unix seconds."""

    platform: str
    starts_at: float
    ends_at: float
    words: Words


Key = tuple[str, str]  # code, locale

BUILT_IN: Mapping[Key, Words] = {
    (code.value, locale): builtin_words(code, locale) for locale in COPY for code in ErrorCode
}


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that look-ups read. version: the row's; -1 for the built-in words alone."""

    version: int
    words: Mapping[Key, Words]
    overrides: Mapping[Key, tuple[TimedWords, ...]]


_FIRST = Snapshot(-1, BUILT_IN, {})
_snapshot = _FIRST


def locale_of(language: str | None) -> str:
    """The locale whose words a language gets: its own, its base language's, else Chinese."""
    wanted = (language or "").lower().replace("_", "-")
    if wanted in COPY:
        return wanted
    base = wanted.split("-")[0]
    return base if base in COPY else DEFAULT_LOCALE


def words_for(code: ErrorCode, locale: str, platform: str = "") -> Words:
    """What is shown now for a code in a locale that has words (see `locale_of`). Never raises, never waits."""
    refresher.ensure_running()
    snapshot = _snapshot
    key = (code.value, locale)
    if key in snapshot.overrides:
        now = time.time()
        for timed in snapshot.overrides[key]:
            if timed.starts_at <= now < timed.ends_at and timed.platform in ("", platform):
                return timed.words
    return snapshot.words[key]


def published_words(code: ErrorCode, locale: str) -> Words:
    """The same without overrides."""
    return _snapshot.words[(code.value, locale)]


def version() -> int:
    """Of the snapshot in use."""
    return _snapshot.version


def use_built_in() -> None:
    """Forget the table."""
    global _snapshot
    _snapshot = _FIRST


def refresh() -> bool:
    """Read the table if its version has moved, in the calling thread; whether the snapshot was swapped.

    Raises the database's errors; the thread that calls this again and again takes them.
    """
    global _snapshot
    from errors.models import CatalogueVersion

    # The version is read first: what is committed in between is read twice, never missed.
    number = CatalogueVersion.objects.values_list("number", flat=True).first() or 0
    if number == _snapshot.version:
        return False
    _snapshot = _read(number)
    return True


def _read(number: int) -> Snapshot:
    from errors.models import CopyOverride, ErrorCopy

    words = dict(BUILT_IN)
    rows = ErrorCopy.objects.filter(published__isnull=False).values_list(
        "code", "locale", "published__content", "published__number"
    )
    for code, locale, content, revision in rows:
        if (code, locale) in words:
            words[(code, locale)] = _tolerant(content, revision, words[(code, locale)])
    overrides: dict[Key, list[TimedWords]] = {}
    # A platform's own words go before those for all, the newest first.
    for override in CopyOverride.objects.not_over().order_by("-platform", "-starts_at", "-pk"):
        key = (override.code, override.locale)
        if key in words:
            timed = TimedWords(
                override.platform,
                override.starts_at.timestamp(),
                override.ends_at.timestamp(),
                override.over(words[key]),
            )
            overrides.setdefault(key, []).append(timed)
    return Snapshot(number, words, {key: tuple(found) for key, found in overrides.items()})


def _tolerant(content: Any, revision: int, fallback: Words) -> Words:
    """A row that somebody broke by hand costs its own words, not everyone's; one of an older release lacks some."""
    if not isinstance(content, dict) or not all(isinstance(content.get(name, ""), str) for name in TEXT_FIELDS):
        return fallback
    return words_of(fallback.content() | content, revision)


refresher = Background("errors-catalogue", refresh, lambda: settings.ERRORS_REFRESH_SECONDS)
