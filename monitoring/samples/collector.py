"""Each process stores what it has measured: its own absolute values, one a series and bucket of 15 s.

A flush that is repeated, because its commit's answer was lost or the process ends in the middle of a bucket, writes
the same rows again, so nothing is ever counted twice. Stored are gauges, and counters that have moved since they were
stored last or not been stored for a while; what was never anything but nought is not.
"""

import hashlib
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import structlog
from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.db.backends.signals import connection_created
from django.utils import timezone

from errors.periodic_thread import PeriodicThread
from monitoring.instrumentation.db_gauges import get_site_gauges
from monitoring.instrumentation.registry import iter_instruments
from monitoring.metrics import sample_flushes
from monitoring.models import Process, Sample, Series
from monitoring.models.samples import BUCKET_SECONDS

log = structlog.get_logger(__name__)

# Written shortly before a bucket is over, so that it is complete; not by every process at the same moment.
FLUSH_LEAD_SECONDS = (0.5, 2.5)
FINAL_FLUSH_TIMEOUT_SECONDS = 3.0
MIN_UPTIME_SECONDS = 5.0
MAX_KEY_CHARACTERS = 400
# A counter that stands still is stored again so often: retention must never delete the last value of a living process.
UNCHANGED_STORE_INTERVAL_SECONDS = 3600
# What is computed from rows is the same whoever computes it: all processes write it to this one.
SITE_PROCESS_ID = uuid.UUID("00000000-0000-4000-8000-000000000001")


@dataclass(frozen=True, slots=True)
class SeriesValue:
    """What a series is now."""

    name: str
    labels: Mapping[str, str]
    value: float
    is_gauge: bool


@dataclass
class _ProcessRun:
    """One life of this process; a fork begins another."""

    kind: str
    id: uuid.UUID = field(default_factory=uuid.uuid4)
    pid: int = field(default_factory=os.getpid)
    started_at: datetime = field(default_factory=timezone.now)
    up_since: float = field(default_factory=time.monotonic)
    last_stored: dict[str, tuple[float, datetime]] = field(default_factory=dict)
    has_database: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)


_current_run: _ProcessRun | None = None


def _get_current_run() -> _ProcessRun:
    global _current_run
    if _current_run is None:
        _current_run = _ProcessRun(Process.Kind.COMMAND)
    elif _current_run.pid != os.getpid():
        _current_run = _ProcessRun(_current_run.kind)
    return _current_run


def get_process_kind(arguments: Sequence[str]) -> str:
    """What a process started with these arguments of manage.py is: a server, a worker, or just a command."""
    if arguments[:1] in (["serve"], ["runserver"]):
        return Process.Kind.SERVER
    return Process.Kind.WORKER if list(arguments[:2]) == ["procrastinate", "worker"] else Process.Kind.COMMAND


def start_sampling(kind: str) -> None:
    """From now on store the samples of this process every few seconds; ended by `stop_sampling`."""
    global _current_run
    _current_run = _ProcessRun(kind)
    connection_created.connect(_on_connection_created, dispatch_uid="monitoring.samples.collector")
    flush_thread.ensure_running()


def stop_sampling() -> None:
    """Store what is left. A database that is away holds the end up for a few seconds at most."""
    run = _get_current_run()
    flush_thread.stop(FINAL_FLUSH_TIMEOUT_SECONDS)
    if not run.has_database or settings.SAMPLES_FLUSH_SECONDS <= 0:
        return
    # A thread of its own: no event loop, no transaction of somebody's, no endless wait.
    thread = threading.Thread(target=_flush_on_exit, name="monitoring-last-samples", daemon=True)
    thread.start()
    thread.join(FINAL_FLUSH_TIMEOUT_SECONDS)


def _on_connection_created(**kwargs: Any) -> None:
    _get_current_run().has_database = True


def _flush_if_ready() -> None:
    """A command that never opens the database does not have it opened by us, nor one that only prints its help."""
    run = _get_current_run()
    if run.has_database or (run.kind != Process.Kind.COMMAND and time.monotonic() - run.up_since > MIN_UPTIME_SECONDS):
        flush_samples()


def _flush_on_exit() -> None:
    try:
        flush_samples(is_last=True)
    except DatabaseError as error:  # it may be away, or have no tables yet
        log.debug("last_samples_lost", error=type(error).__name__)
    finally:
        connection.close()


def _get_seconds_until_next_flush() -> float:
    """Until shortly before the end of the current bucket; nought for never."""
    interval_seconds = float(settings.SAMPLES_FLUSH_SECONDS)
    if interval_seconds <= 0:
        return 0
    min_lead_seconds, max_lead_seconds = FLUSH_LEAD_SECONDS
    share = _get_current_run().id.int % 1000 / 1000
    lead_seconds = min(min_lead_seconds + (max_lead_seconds - min_lead_seconds) * share, interval_seconds / 2)
    remaining_seconds = interval_seconds - (time.time() + lead_seconds) % interval_seconds
    return remaining_seconds if remaining_seconds > interval_seconds / 10 else remaining_seconds + interval_seconds


flush_thread = PeriodicThread("monitoring-samples", _flush_if_ready, _get_seconds_until_next_flush)


def flush_samples(now: datetime | None = None, *, is_last: bool = False) -> int:
    """Store the values of this process for the bucket that `now` is in; returns how many.

    Raises DatabaseError, after which calling it again stores them. is_last: the process ends.
    """
    run, now = _get_current_run(), now or timezone.now()
    with run.lock:
        values = _get_values_to_store(run, now)
        try:
            with transaction.atomic():
                written = _store_samples(_build_process_row(run, now, is_last=is_last), values, now)
                if run.kind in (Process.Kind.SERVER, Process.Kind.WORKER):
                    written += _store_samples(_build_site_row(now), _get_site_values(), now)
        except DatabaseError:
            sample_flushes.labels("failed").inc()
            raise
        sample_flushes.labels("done").inc()
        run.last_stored.update({key: (value.value, now) for key, value in values.items()})
        return written


def read_current_values() -> Iterator[SeriesValue]:
    """The current value of every series of this process; of histograms the sum and count, and the buckets of some."""
    for _app, instrument in iter_instruments():
        for family in instrument.collect():
            for sample in family.samples:
                if _is_sampled(family.name, sample.name):
                    yield SeriesValue(sample.name, sample.labels, sample.value, is_gauge=family.type == "gauge")


def _is_sampled(family: str, name: str) -> bool:
    if name.endswith("_bucket"):
        return family in settings.SAMPLED_BUCKETS
    return not name.endswith("_created")


def build_series_key(metric: str, labels: Mapping[str, str]) -> str:
    """How a series is known: `metric{label=value,…}`; a longer key ends in a digest of the whole."""
    inner = ",".join(f"{name}={value}" for name, value in sorted(labels.items()))
    key = f"{metric}{{{inner}}}"
    if len(key) <= MAX_KEY_CHARACTERS:
        return key
    digest = hashlib.sha256(key.encode()).hexdigest()
    return f"{key[: MAX_KEY_CHARACTERS - len(digest)]}{digest}"


def floor_to_bucket(moment: datetime) -> datetime:
    """The start of the bucket that a moment is in."""
    return datetime.fromtimestamp(moment.timestamp() // BUCKET_SECONDS * BUCKET_SECONDS, UTC)


def _get_values_to_store(run: _ProcessRun, now: datetime) -> dict[str, SeriesValue]:
    site_gauge_names = {gauge.name for gauge in get_site_gauges()}
    values = {
        build_series_key(one.name, one.labels): one for one in read_current_values() if one.name not in site_gauge_names
    }
    return {key: one for key, one in values.items() if _is_due(one, run.last_stored.get(key), now)}


def _is_due(value: SeriesValue, stored: tuple[float, datetime] | None, now: datetime) -> bool:
    if stored is None:
        return bool(value.value)
    stored_value, stored_at = stored
    return (
        value.is_gauge
        or value.value != stored_value
        or abs((now - stored_at).total_seconds()) >= UNCHANGED_STORE_INTERVAL_SECONDS
    )


def _get_site_values() -> dict[str, SeriesValue]:
    return {
        build_series_key(one.name, labels): SeriesValue(one.name, labels, value, is_gauge=True)
        for one in get_site_gauges()
        for labels, value in one.measure()
    }


def _build_process_row(run: _ProcessRun, now: datetime, *, is_last: bool) -> Process:
    row = Process(id=run.id, kind=run.kind, host=socket.gethostname()[:120], pid=run.pid)
    row.started_at, row.seen_at, row.ended_at = min(run.started_at, now), now, now if is_last else None
    return row


def _build_site_row(now: datetime) -> Process:
    return Process(id=SITE_PROCESS_ID, kind=Process.Kind.SITE, host="", pid=0, started_at=now, seen_at=now)


def _store_samples(process: Process, values: Mapping[str, SeriesValue], now: datetime) -> int:
    Process.objects.bulk_create(
        [process], update_conflicts=True, unique_fields=["id"], update_fields=["seen_at", "ended_at"]
    )
    ids, bucket = _get_or_create_series_ids(values), floor_to_bucket(now)
    # In one order in every process, or two that write the site's values could wait for each other.
    rows = [
        Sample(process=process, series_id=ids[key], bucket=bucket, value=values[key].value)
        for key in sorted(values, key=lambda key: ids[key])
    ]
    Sample.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["series", "process", "bucket"], update_fields=["value"]
    )
    return len(rows)


def _get_or_create_series_ids(values: Mapping[str, SeriesValue]) -> dict[str, int]:
    known = dict(Series.objects.filter(key__in=values).values_list("key", "pk"))
    new = sorted(set(values) - set(known))
    if new:
        Series.objects.bulk_create(
            [Series(key=key, metric=values[key].name, labels=dict(values[key].labels)) for key in new],
            ignore_conflicts=True,
        )
        known |= dict(Series.objects.filter(key__in=new).values_list("key", "pk"))
    return known
