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

from errors.background import Background
from monitoring.gauges import site_gauges
from monitoring.metrics import sample_flushes
from monitoring.models import Process, Sample, Series
from monitoring.models.samples import BUCKET_SECONDS
from monitoring.registry import instruments

log = structlog.get_logger(__name__)

# Written shortly before a bucket is over, so that it is complete; not by every process at the same moment.
EARLY_SECONDS = (0.5, 2.5)
FINAL_SECONDS = 3.0
UP_SECONDS = 5.0
MOST_KEY_CHARACTERS = 400
# A counter that stands still is stored again so often: retention must never delete the last value of a living process.
STILL_SECONDS = 3600
# What is computed from rows is the same whoever computes it: all processes write it to this one.
SITE_PROCESS = uuid.UUID("00000000-0000-4000-8000-000000000001")


@dataclass(frozen=True, slots=True)
class Value:
    """What a series is now."""

    name: str
    labels: Mapping[str, str]
    value: float
    is_gauge: bool


@dataclass
class _Life:
    """One life of this process; a fork begins another."""

    kind: str
    id: uuid.UUID = field(default_factory=uuid.uuid4)
    pid: int = field(default_factory=os.getpid)
    started_at: datetime = field(default_factory=timezone.now)
    up_since: float = field(default_factory=time.monotonic)
    stored: dict[str, tuple[float, datetime]] = field(default_factory=dict)
    has_database: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)


_life: _Life | None = None


def _this_life() -> _Life:
    global _life
    if _life is None:
        _life = _Life(Process.Kind.COMMAND)
    elif _life.pid != os.getpid():
        _life = _Life(_life.kind)
    return _life


def kind_of_command(arguments: Sequence[str]) -> str:
    """What a process started with these arguments of manage.py is: a server, a worker, or just a command."""
    if arguments[:1] in (["serve"], ["runserver"]):
        return Process.Kind.SERVER
    return Process.Kind.WORKER if list(arguments[:2]) == ["procrastinate", "worker"] else Process.Kind.COMMAND


def start_sampling(kind: str) -> None:
    """From now on store the samples of this process every few seconds; ended by `stop_sampling`."""
    global _life
    _life = _Life(kind)
    connection_created.connect(_note_database, dispatch_uid="monitoring.sampling")
    background.ensure_running()


def stop_sampling() -> None:
    """Store what is left. A database that is away holds the end up for a few seconds at most."""
    life = _this_life()
    background.stop(FINAL_SECONDS)
    if not life.has_database or settings.SAMPLES_FLUSH_SECONDS <= 0:
        return
    # A thread of its own: no event loop, no transaction of somebody's, no endless wait.
    thread = threading.Thread(target=_flush_at_end, name="monitoring-last-samples", daemon=True)
    thread.start()
    thread.join(FINAL_SECONDS)


def _note_database(**kwargs: Any) -> None:
    _this_life().has_database = True


def _step() -> None:
    """A command that never opens the database does not have it opened by us, nor one that only prints its help."""
    life = _this_life()
    if life.has_database or (life.kind != Process.Kind.COMMAND and time.monotonic() - life.up_since > UP_SECONDS):
        flush_samples()


def _flush_at_end() -> None:
    try:
        flush_samples(is_last=True)
    except DatabaseError as error:  # it may be away, or have no tables yet
        log.debug("last_samples_lost", error=type(error).__name__)
    finally:
        connection.close()


def _seconds_until_next() -> float:
    """Until shortly before the end of the current bucket; nought for never."""
    every = float(settings.SAMPLES_FLUSH_SECONDS)
    if every <= 0:
        return 0
    least, most = EARLY_SECONDS
    share = _this_life().id.int % 1000 / 1000
    early = min(least + (most - least) * share, every / 2)
    left = every - (time.time() + early) % every
    return left if left > every / 10 else left + every


background = Background("monitoring-samples", _step, _seconds_until_next)


def flush_samples(now: datetime | None = None, *, is_last: bool = False) -> int:
    """Store the values of this process for the bucket that `now` is in; returns how many.

    Raises DatabaseError, after which calling it again stores them. is_last: the process ends.
    """
    life, now = _this_life(), now or timezone.now()
    with life.lock:
        values = _values_to_store(life, now)
        try:
            with transaction.atomic():
                written = _store(_own_row(life, now, is_last=is_last), values, now)
                if life.kind in (Process.Kind.SERVER, Process.Kind.WORKER):
                    written += _store(_site_row(now), _values_of_site(), now)
        except DatabaseError:
            sample_flushes.labels("failed").inc()
            raise
        sample_flushes.labels("done").inc()
        life.stored.update({key: (value.value, now) for key, value in values.items()})
        return written


def read_values() -> Iterator[Value]:
    """The current value of every series of this process; of histograms the sum and count, and the buckets of some."""
    for _app, instrument in instruments():
        for family in instrument.collect():
            for sample in family.samples:
                if _is_stored(family.name, sample.name):
                    yield Value(sample.name, sample.labels, sample.value, is_gauge=family.type == "gauge")


def _is_stored(family: str, name: str) -> bool:
    if name.endswith("_bucket"):
        return family in settings.SAMPLED_BUCKETS
    return not name.endswith("_created")


def key_of(metric: str, labels: Mapping[str, str]) -> str:
    """How a series is known: `metric{label=value,…}`; a longer key ends in a digest of the whole."""
    inner = ",".join(f"{name}={value}" for name, value in sorted(labels.items()))
    key = f"{metric}{{{inner}}}"
    if len(key) <= MOST_KEY_CHARACTERS:
        return key
    digest = hashlib.sha256(key.encode()).hexdigest()
    return f"{key[: MOST_KEY_CHARACTERS - len(digest)]}{digest}"


def bucket_of(moment: datetime) -> datetime:
    """The start of the bucket that a moment is in."""
    return datetime.fromtimestamp(moment.timestamp() // BUCKET_SECONDS * BUCKET_SECONDS, UTC)


def _values_to_store(life: _Life, now: datetime) -> dict[str, Value]:
    site = {gauge.name for gauge in site_gauges()}
    values = {key_of(one.name, one.labels): one for one in read_values() if one.name not in site}
    return {key: one for key, one in values.items() if _is_due(one, life.stored.get(key), now)}


def _is_due(value: Value, stored: tuple[float, datetime] | None, now: datetime) -> bool:
    if stored is None:
        return bool(value.value)
    before, at = stored
    return value.is_gauge or value.value != before or abs((now - at).total_seconds()) >= STILL_SECONDS


def _values_of_site() -> dict[str, Value]:
    return {
        key_of(one.name, labels): Value(one.name, labels, value, is_gauge=True)
        for one in site_gauges()
        for labels, value in one.measure()
    }


def _own_row(life: _Life, now: datetime, *, is_last: bool) -> Process:
    row = Process(id=life.id, kind=life.kind, host=socket.gethostname()[:120], pid=life.pid)
    row.started_at, row.seen_at, row.ended_at = min(life.started_at, now), now, now if is_last else None
    return row


def _site_row(now: datetime) -> Process:
    return Process(id=SITE_PROCESS, kind=Process.Kind.SITE, host="", pid=0, started_at=now, seen_at=now)


def _store(process: Process, values: Mapping[str, Value], now: datetime) -> int:
    Process.objects.bulk_create(
        [process], update_conflicts=True, unique_fields=["id"], update_fields=["seen_at", "ended_at"]
    )
    ids, bucket = _ids_of(values), bucket_of(now)
    # In one order in every process, or two that write the site's values could wait for each other.
    rows = [
        Sample(process=process, series_id=ids[key], bucket=bucket, value=values[key].value)
        for key in sorted(values, key=lambda key: ids[key])
    ]
    Sample.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["series", "process", "bucket"], update_fields=["value"]
    )
    return len(rows)


def _ids_of(values: Mapping[str, Value]) -> dict[str, int]:
    known = dict(Series.objects.filter(key__in=values).values_list("key", "pk"))
    new = sorted(set(values) - set(known))
    if new:
        Series.objects.bulk_create(
            [Series(key=key, metric=values[key].name, labels=dict(values[key].labels)) for key in new],
            ignore_conflicts=True,
        )
        known |= dict(Series.objects.filter(key__in=new).values_list("key", "pk"))
    return known
