"""The record of errors: exact counts, and events, which are sampled when they are frequent.

`record_error` only appends to memory, so it can be called anywhere: in an event loop, in a transaction that is rolled
back, while the database is unavailable. A thread writes the errors half a second later on its own connection. A process
that is killed loses the errors of the last half second; they are still in the log.
"""

import hashlib
import math
import sys
import threading
import uuid
from collections import Counter, deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any

import structlog
from django.conf import settings
from django.db import DataError, IntegrityError, connection, transaction
from django.utils import timezone

from errors.catalogue.snapshot import get_published_message
from errors.codes import ErrorCode
from errors.messages.default_texts import DEFAULT_LOCALE
from errors.metrics import error_counter
from errors.models import ErrorEvent
from errors.periodic_thread import PeriodicThread
from errors.placeholders import clean_identifier, clean_text

log = structlog.get_logger(__name__)

MAX_UNSAMPLED_EVENTS = 50  # per fingerprint, hour and process; then the 64th, 128th, 256th, ...
MAX_PENDING_EVENTS = 1000
MAX_TRACKED_GROUPS = 1000
MAX_CONTEXT_VALUE_LENGTH = 120
ALLOWED_CONTEXT_KEYS = {"route", "method", "status", "fields", "reason", "attempts", "close_code", "stage"}

CountKey = tuple[datetime, str, str, str]  # hour, code, fingerprint, outcome


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One error to be written; its fields are those of ErrorEvent."""

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


class ErrorRecorder:
    """Errors of this process that are not written yet, up to a maximum."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pending: deque[Occurrence] = deque(maxlen=MAX_PENDING_EVENTS)
        self._counts: Counter[CountKey] = Counter()
        self._seen_counts: Counter[CountKey] = Counter()

    def add(self, occurrence: Occurrence) -> None:
        """Count an error, and keep it if it is sampled."""
        hour = occurrence.created_at.replace(minute=0, second=0, microsecond=0)
        group = (hour, occurrence.code, occurrence.fingerprint, occurrence.outcome)
        with self._lock:
            if len(self._seen_counts) >= MAX_TRACKED_GROUPS and group not in self._seen_counts:
                # Remove the groups of past hours; if that is not enough, new groups are counted together.
                self._seen_counts = Counter({key: count for key, count in self._seen_counts.items() if key[0] == hour})
                if len(self._seen_counts) >= MAX_TRACKED_GROUPS:
                    group = (hour, occurrence.code, "overflow", occurrence.outcome)
            self._counts[group] += 1
            self._seen_counts[group] += 1
            number = self._seen_counts[group]
            if number <= MAX_UNSAMPLED_EVENTS or number & (number - 1) == 0:  # a power of two
                self._pending.append(occurrence)

    def flush(self) -> None:
        """Write the errors; on failure keep them and raise the error of the database."""
        with self._lock:
            counts, self._counts = self._counts, Counter()
            pending, self._pending = self._pending, deque(maxlen=MAX_PENDING_EVENTS)
        if not counts:
            return
        try:
            _write_batch(counts, pending)
        except BaseException:
            with self._lock:
                self._counts += counts
                self._pending.extendleft(reversed(list(pending)[: MAX_PENDING_EVENTS - len(self._pending)]))
            raise

    def clear(self) -> None:
        with self._lock:
            self._counts, self._seen_counts = Counter(), Counter()
            self._pending.clear()


_UPSERT_COUNTS = """
INSERT INTO errors_errorcount AS known (hour, code, fingerprint, outcome, count)
SELECT * FROM unnest(%s::timestamptz[], %s::text[], %s::text[], %s::text[], %s::bigint[])
ON CONFLICT (hour, code, fingerprint, outcome) DO UPDATE SET count = known.count + excluded.count
"""


def _write_batch(counts: Counter[CountKey], occurrences: deque[Occurrence]) -> None:
    try:
        _write_rows(counts, occurrences)
    except (DataError, IntegrityError, ValueError):  # of one row; the others must not wait for it forever
        with transaction.atomic():  # all or nothing, so that nothing is counted twice
            for group, count in sorted(counts.items()):
                _write_or_drop(Counter({group: count}), [])
            for occurrence in occurrences:
                _write_or_drop(Counter(), [occurrence])


def _write_or_drop(counts: Counter[CountKey], occurrences: Collection[Occurrence]) -> None:
    try:
        _write_rows(counts, occurrences)
    except (DataError, IntegrityError, ValueError) as error:
        codes = [group[1] for group in counts] + [occurrence.code for occurrence in occurrences]
        log.warning("error_record_dropped", codes=codes, error=type(error).__name__)


def _write_rows(counts: Counter[CountKey], occurrences: Collection[Occurrence]) -> None:
    # Sorted in every process, to prevent deadlocks.
    rows = [(*group, count) for group, count in sorted(counts.items())]
    with transaction.atomic():
        if rows:
            with connection.cursor() as cursor:
                cursor.execute(_UPSERT_COUNTS, [list(column) for column in zip(*rows, strict=True)])
        ErrorEvent.objects.bulk_create(
            ErrorEvent(**{name: getattr(occurrence, name) for name in Occurrence.__slots__})
            for occurrence in occurrences
        )


error_recorder = ErrorRecorder()
writer_thread = PeriodicThread("errors-recorder", error_recorder.flush, lambda: settings.ERRORS_REFRESH_SECONDS)


def record_error(
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
    """Record an error. Never raises, never waits, needs no database.

    outcome: "shown" to a user, "retried", or "recovered" after retries; place: where it occurred, if the traceback of
    the exception is less specific; context: only ALLOWED_CONTEXT_KEYS are kept. Request and diagnosis default to those
    of the log context.
    """
    try:
        log_context = structlog.contextvars.get_contextvars()
        exception_name = clean_identifier(_get_exception_name(error), 120)
        location = clean_identifier(place or _find_location(error), 200)
        occurrence = Occurrence(
            code=code.value,
            fingerprint=build_error_fingerprint(code, exception_name, location),
            outcome=outcome,
            request_id=clean_identifier(str(request_id or log_context.get("request_id", "")), 64),
            diagnosis_id=_parse_uuid(diagnosis_id or log_context.get("diagnosis")),
            platform=clean_identifier(platform, 32),
            exception=exception_name,
            place=location,
            context=clean_context(context or {}),
            locale=clean_identifier(locale, 16),
            revision=get_published_message(code, DEFAULT_LOCALE).revision if revision is None else revision,
            created_at=timezone.now(),
        )
        error_recorder.add(occurrence)
        error_counter.labels(code.value, outcome).inc()
        writer_thread.ensure_running()
    except Exception:
        log.exception("error_not_recorded")


def record_problem(
    body: Mapping[str, Any],
    *,
    error: BaseException | None = None,
    place: str = "",
    diagnosis_id: uuid.UUID | str | None = None,
    platform: str = "",
    context: Mapping[str, Any] | None = None,
) -> None:
    """Record that a problem body was sent to a user. Never raises."""
    message = body["copy"]
    record_error(
        ErrorCode(body["code"]),
        error=error,
        request_id=body["request_id"],
        diagnosis_id=diagnosis_id,
        platform=platform,
        place=place,
        locale=message["locale"],
        revision=message["revision"],
        context=context,
    )


def build_error_fingerprint(code: ErrorCode, exception: str, place: str) -> str:
    """Return a hash that identifies the group of an error: its code, exception class and location."""
    return hashlib.sha256(f"{code}|{exception}|{place}".encode()).hexdigest()[:16]


def _get_exception_name(error: BaseException | None) -> str:
    if error is None:
        return ""
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _find_location(error: BaseException | None) -> str:
    """Return "module:function" of the innermost frame of the project; line numbers change with every release."""
    location = ""
    trace: TracebackType | None = error.__traceback__ if error else None
    while trace is not None:
        code = trace.tb_frame.f_code
        if code.co_filename.startswith(_PROJECT_ROOT) and not code.co_filename.startswith(_VIRTUALENV_ROOT):
            location = f"{trace.tb_frame.f_globals.get('__name__', '')}:{code.co_name}"
        trace = trace.tb_next
    return location


_PROJECT_ROOT = str(Path(settings.BASE_DIR)) + "/"
_VIRTUALENV_ROOT = str(Path(sys.prefix)) + "/"


def clean_context(context: Mapping[str, Any]) -> dict[str, Any]:
    """Return the allowed keys of a context with short values that contain nothing like a key or an id."""
    return {
        key: _clean_value(value)
        for key, value in context.items()
        if key in ALLOWED_CONTEXT_KEYS and value not in ("", None)
    }


def _clean_value(value: Any) -> Any:
    if isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    if isinstance(value, list | tuple | set):
        return [clean_text(str(item), MAX_CONTEXT_VALUE_LENGTH) for item in list(value)[:10]]
    return clean_text(str(value), MAX_CONTEXT_VALUE_LENGTH)


def _parse_uuid(value: Any) -> uuid.UUID | None:
    try:
        return value if value is None or isinstance(value, uuid.UUID) else uuid.UUID(str(value))
    except ValueError:
        return None
