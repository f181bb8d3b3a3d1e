"""Every process stores its own metrics: absolute values, one per series and bucket of 15 s.

A repeated flush (after a lost commit, or at the end of the process within a bucket) writes the same rows, so nothing is
counted twice. Stored are gauges, and counters that have changed or were not stored for a while; series that have always
been zero are not stored.
"""

import hashlib
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import structlog
from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.db.backends.signals import connection_created
from django.utils import timezone

from errors.periodic_thread import PeriodicThread
from monitoring.instrumentation.db_gauges import SiteGauge, get_site_gauges
from monitoring.instrumentation.registry import iter_instruments
from monitoring.metrics import sample_flushes
from monitoring.models import Process, Sample, Series
from monitoring.models.samples import floor_to_bucket

log = structlog.get_logger(__name__)

# Flush shortly before the end of a bucket, so that it is complete, at a different moment in each process.
FLUSH_LEAD_SECONDS = (0.5, 2.5)
FINAL_FLUSH_TIMEOUT_SECONDS = 3.0
MIN_UPTIME_SECONDS = 5.0
MAX_KEY_CHARACTERS = 400
# Unchanged counters are stored at this interval, so that retention never deletes the last value of a running process.
UNCHANGED_STORE_INTERVAL_SECONDS = 3600
# Gauges computed from the database are the same in all processes, which all store them under this one.
SITE_PROCESS_ID = uuid.UUID("00000000-0000-4000-8000-000000000001")


@dataclass(frozen=True, slots=True)
class SeriesValue:
    """The current value of a series."""

    name: str
    labels: Mapping[str, str]
    value: float
    is_gauge: bool

    def is_due(self, stored: tuple[float, datetime] | None, now: datetime) -> bool:
        """Return whether to store the value; stored: the value stored last, and when."""
        if stored is None:
            return bool(self.value)
        stored_value, stored_at = stored
        is_old = abs((now - stored_at).total_seconds()) >= UNCHANGED_STORE_INTERVAL_SECONDS
        return self.is_gauge or self.value != stored_value or is_old


@dataclass
class _ProcessRun:
    """One run of this process; a fork starts another."""

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
    """Return what `manage.py` with these arguments is: a server, a worker, or a command."""
    if arguments[:1] in (["serve"], ["runserver"]):
        return Process.Kind.SERVER
    return Process.Kind.WORKER if list(arguments[:2]) == ["procrastinate", "worker"] else Process.Kind.COMMAND


def start_sampling(kind: str) -> None:
    """Store the samples of this process periodically until `stop_sampling`."""
    global _current_run
    _current_run = _ProcessRun(kind)
    connection_created.connect(_on_connection_created, dispatch_uid="monitoring.samples.collector")
    flush_thread.ensure_running()


def stop_sampling() -> None:
    """Store the remaining samples; an unavailable database delays the exit by a few seconds at most."""
    run = _get_current_run()
    flush_thread.stop(FINAL_FLUSH_TIMEOUT_SECONDS)
    if not run.has_database or settings.SAMPLES_FLUSH_SECONDS <= 0:
        return
    # A thread has no event loop and no open transaction, and the wait for it is bounded.
    thread = threading.Thread(target=_flush_on_exit, name="monitoring-last-samples", daemon=True)
    thread.start()
    thread.join(FINAL_FLUSH_TIMEOUT_SECONDS)


def _on_connection_created(**kwargs: Any) -> None:
    _get_current_run().has_database = True


def _flush_if_ready() -> None:
    """Flush, but never open a database connection for a command that does not use the database."""
    run = _get_current_run()
    if run.has_database or (run.kind != Process.Kind.COMMAND and time.monotonic() - run.up_since > MIN_UPTIME_SECONDS):
        flush_samples()


def _flush_on_exit() -> None:
    try:
        flush_samples(is_last=True)
    except DatabaseError as error:  # it may be down, or have no tables yet
        log.debug("final_flush_failed", error=type(error).__name__)
    finally:
        connection.close()


def _get_seconds_until_next_flush() -> float:
    """Return the time until shortly before the end of the current bucket; 0 disables flushing."""
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
    """Store the values of this process for the bucket of `now`; return the number of samples.

    Raises DatabaseError; another call then stores the same values. is_last: the process ends.
    """
    run, now = _get_current_run(), now or timezone.now()
    with run.lock:
        site_gauges = get_site_gauges()
        site_gauge_names = {gauge.name for gauge in site_gauges}
        values = {}
        for value in read_current_values():
            key = build_series_key(value.name, value.labels)
            if value.name not in site_gauge_names and value.is_due(run.last_stored.get(key), now):
                values[key] = value
        process = Process(id=run.id, kind=run.kind, host=socket.gethostname()[:120], pid=run.pid)
        process.started_at, process.seen_at, process.ended_at = min(run.started_at, now), now, now if is_last else None
        try:
            with transaction.atomic():
                written = _store_samples(process, values, now)
                if run.kind in (Process.Kind.SERVER, Process.Kind.WORKER):
                    written += _store_site_samples(site_gauges, now)
        except DatabaseError:
            sample_flushes.labels("failed").inc()
            raise
        sample_flushes.labels("done").inc()
        run.last_stored.update({key: (value.value, now) for key, value in values.items()})
        return written


def read_current_values() -> Iterator[SeriesValue]:
    """Yield the current value of every series of this process: of histograms sum and count, and some buckets."""
    for _app, instrument in iter_instruments():
        for family in instrument.collect():
            for sample in family.samples:
                is_bucket = sample.name.endswith("_bucket")
                if family.name in settings.SAMPLED_BUCKETS if is_bucket else not sample.name.endswith("_created"):
                    yield SeriesValue(sample.name, sample.labels, sample.value, is_gauge=family.type == "gauge")


def build_series_key(metric: str, labels: Mapping[str, str]) -> str:
    """Return the unique key of a series, `metric{label=value,…}`; a longer key ends in a digest of the whole."""
    inner = ",".join(f"{name}={value}" for name, value in sorted(labels.items()))
    key = f"{metric}{{{inner}}}"
    if len(key) <= MAX_KEY_CHARACTERS:
        return key
    digest = hashlib.sha256(key.encode()).hexdigest()
    return f"{key[: MAX_KEY_CHARACTERS - len(digest)]}{digest}"


def _store_site_samples(site_gauges: Iterable[SiteGauge], now: datetime) -> int:
    values = {
        build_series_key(gauge.name, labels): SeriesValue(gauge.name, labels, value, is_gauge=True)
        for gauge in site_gauges
        for labels, value in gauge.measure()
    }
    process = Process(id=SITE_PROCESS_ID, kind=Process.Kind.SITE, host="", pid=0, started_at=now, seen_at=now)
    return _store_samples(process, values, now)


def _store_samples(process: Process, values: Mapping[str, SeriesValue], now: datetime) -> int:
    Process.objects.bulk_create(
        [process], update_conflicts=True, unique_fields=["id"], update_fields=["seen_at", "ended_at"]
    )
    ids, bucket = _get_or_create_series_ids(values), floor_to_bucket(now)
    # The same order in every process prevents deadlocks between processes that write the site's values.
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
