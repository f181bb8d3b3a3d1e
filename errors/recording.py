"""The record of what went wrong: exact counts, and a sample of the events when there are many.

`record` only puts something aside in memory, so it can be called anywhere: in an event loop, inside a transaction that
is about to be rolled back, with the database away. A thread of the process writes it down a moment later, on its own
connection. What a process had put aside in the last half second dies with it; the log has it.
"""

import hashlib
import sys
import threading
import uuid
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from errors.background import Background
from errors.catalogue import published_words
from errors.codes import ErrorCode
from errors.copy import DEFAULT_LOCALE
from errors.metrics import errors
from errors.placeholders import clean_text

log = structlog.get_logger(__name__)

KEPT_IN_FULL = 50  # of a fingerprint in an hour, by a process; then the 64th, 128th, 256th, ...
MOST_WAITING = 1000
MOST_GROUPS = 1000
MOST_OF_A_VALUE = 120
CONTEXT_KEYS = {"route", "method", "status", "fields", "reason", "attempts", "close_code", "stage"}

Group = tuple[datetime, str, str, str]  # hour, code, fingerprint, outcome


@dataclass(frozen=True, slots=True)
class Happening:
    """One failure, ready to be written."""

    code: str
    fingerprint: str
    outcome: str
    request_id: str
    diagnosis_id: uuid.UUID | None
    platform: str
    exception: str
    place: str
    context: dict[str, Any]
    locale: str
    revision: int
    created_at: datetime


class Recorder:
    """What this process has put aside and not written yet; bounded."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[Happening] = deque(maxlen=MOST_WAITING)
        self._counts: Counter[Group] = Counter()
        self._seen: Counter[Group] = Counter()

    def put(self, happening: Happening) -> None:
        """Count it, and keep it when it is one of the sample."""
        hour = happening.created_at.replace(minute=0, second=0, microsecond=0)
        group = (hour, happening.code, happening.fingerprint, happening.outcome)
        with self._lock:
            if len(self._seen) >= MOST_GROUPS and group not in self._seen:
                # Groups of past hours first; then everything new is one group.
                self._seen = Counter({one: n for one, n in self._seen.items() if one[0] == hour})
                if len(self._seen) >= MOST_GROUPS:
                    group = (hour, happening.code, "overflow", happening.outcome)
            self._counts[group] += 1
            self._seen[group] += 1
            if _is_sampled(self._seen[group]):
                self._waiting.append(happening)

    def flush(self) -> None:
        """Write what was put aside; on failure take it back and raise the database's error."""
        with self._lock:
            counts, self._counts = self._counts, Counter()
            waiting, self._waiting = self._waiting, deque(maxlen=MOST_WAITING)
        if not counts:
            return
        try:
            _write(counts, waiting)
        except BaseException:
            with self._lock:
                self._counts += counts
                self._waiting.extendleft(reversed(list(waiting)[: MOST_WAITING - len(self._waiting)]))
            raise

    def forget(self) -> None:
        """Drop everything."""
        with self._lock:
            self._counts, self._seen = Counter(), Counter()
            self._waiting.clear()


def _is_sampled(number: int) -> bool:
    return number <= KEPT_IN_FULL or number & (number - 1) == 0


_COUNT_UP = """
INSERT INTO errors_errorcount AS known (hour, code, fingerprint, outcome, count)
SELECT * FROM unnest(%s::timestamptz[], %s::text[], %s::text[], %s::text[], %s::bigint[])
ON CONFLICT (hour, code, fingerprint, outcome) DO UPDATE SET count = known.count + excluded.count
"""


def _write(counts: Counter[Group], waiting: deque[Happening]) -> None:
    from errors.models import ErrorEvent

    # In one order in every process, or two of them could wait for each other.
    rows = [(*group, count) for group, count in sorted(counts.items())]
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_COUNT_UP, [list(column) for column in zip(*rows, strict=True)])
        ErrorEvent.objects.bulk_create(
            ErrorEvent(**{name: getattr(one, name) for name in Happening.__slots__}) for one in waiting
        )


recorder = Recorder()
writer = Background("errors-recorder", recorder.flush, lambda: settings.ERRORS_REFRESH_SECONDS)


def record(
    code: ErrorCode,
    *,
    error: BaseException | None = None,
    outcome: str = "shown",
    request_id: str = "",
    diagnosis_id: uuid.UUID | str | None = None,
    platform: str = "",
    place: str = "",
    locale: str = DEFAULT_LOCALE,
    revision: int | None = None,
    context: Mapping[str, Any] | None = None,
) -> None:
    """Put a failure aside to be written down. Never raises, never waits, needs no database.

    outcome: "shown" to somebody, "retried" by us, or "recovered" after retries; place: where it happened, when the
    exception's own place says less; context: only CONTEXT_KEYS are kept. The request and the diagnosis are those of
    the log context when they are not given.
    """
    try:
        around = structlog.contextvars.get_contextvars()
        kind, where = _name_of(error), place or _place_of(error)
        happening = Happening(
            code=code.value,
            fingerprint=fingerprint_of(code, kind, where),
            outcome=outcome,
            request_id=str(request_id or around.get("request_id", ""))[:64],
            diagnosis_id=_uuid(diagnosis_id or around.get("diagnosis")),
            platform=platform[:32],
            exception=kind,
            place=where,
            context=clean_context(context or {}),
            locale=locale,
            revision=published_words(code, DEFAULT_LOCALE).revision if revision is None else revision,
            created_at=timezone.now(),
        )
        recorder.put(happening)
        errors.labels(code.value, outcome).inc()
        writer.ensure_running()
    except Exception:
        log.exception("error_unrecorded")


def record_problem(
    body: Mapping[str, Any],
    *,
    error: BaseException | None = None,
    place: str = "",
    diagnosis_id: uuid.UUID | str | None = None,
    platform: str = "",
    context: Mapping[str, Any] | None = None,
) -> None:
    """Put aside that this body was shown to somebody. Never raises."""
    copy = body["copy"]
    record(
        ErrorCode(body["code"]),
        error=error,
        request_id=body["request_id"],
        diagnosis_id=diagnosis_id,
        platform=platform,
        place=place,
        locale=copy["locale"],
        revision=copy["revision"],
        context=context,
    )


def fingerprint_of(code: ErrorCode, exception: str, place: str) -> str:
    """The same for the same kind of failure at the same place."""
    return hashlib.sha256(f"{code}|{exception}|{place}".encode()).hexdigest()[:16]


def _name_of(error: BaseException | None) -> str:
    if error is None:
        return ""
    kind = type(error)
    return (kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}")[:120]


def _place_of(error: BaseException | None) -> str:
    """Module and function of the innermost frame of ours: without line numbers, which every release moves."""
    place = ""
    trace: TracebackType | None = error.__traceback__ if error else None
    while trace is not None:
        code = trace.tb_frame.f_code
        if _is_ours(code.co_filename):
            place = f"{trace.tb_frame.f_globals.get('__name__', '')}:{code.co_name}"
        trace = trace.tb_next
    return place[:200]


def _is_ours(filename: str) -> bool:
    return filename.startswith(_ROOT) and not filename.startswith(_ENVIRONMENT)


_ROOT = str(Path(settings.BASE_DIR)) + "/"
_ENVIRONMENT = str(Path(sys.prefix)) + "/"


def clean_context(context: Mapping[str, Any]) -> dict[str, Any]:
    """What may be kept of a context: allow-listed keys, short values, nothing that looks like a key or an id."""
    return {key: _clean(value) for key, value in context.items() if key in CONTEXT_KEYS and value not in ("", None)}


def _clean(value: Any) -> Any:
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, list | tuple | set):
        return [clean_text(str(one), MOST_OF_A_VALUE) for one in list(value)[:10]]
    return clean_text(str(value), MOST_OF_A_VALUE)


def _uuid(value: Any) -> uuid.UUID | None:
    try:
        return value if value is None or isinstance(value, uuid.UUID) else uuid.UUID(str(value))
    except ValueError:
        return None


def prune_errors(*, older_than: timedelta, at_once: int = 5000) -> int:
    """Delete events that are older, a few thousand at a time; returns how many. Counts are kept ten times as long."""
    from errors.models import ErrorCount, ErrorEvent

    now = datetime.now(UTC)
    ErrorCount.objects.filter(hour__lt=now - 10 * older_than).delete()
    pruned = 0
    while True:
        old = ErrorEvent.objects.filter(created_at__lt=now - older_than).order_by("created_at")
        deleted, _ = ErrorEvent.objects.filter(pk__in=list(old.values_list("pk", flat=True)[:at_once])).delete()
        pruned += deleted
        if deleted < at_once:
            return pruned
