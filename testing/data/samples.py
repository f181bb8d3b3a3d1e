"""Samples as processes store them, written in bulk."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import accumulate

from django.db import connection

from monitoring.models import Process, Series
from monitoring.models.samples import BUCKET_SECONDS
from monitoring.samples.collector import build_series_key

BUCKET = timedelta(seconds=BUCKET_SECONDS)
CALLS_METRIC, ANSWERS_METRIC = "diagnosis_calls_total", "diagnosis_answers_total"
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)  # a Monday, and the edge of a bucket


def make_process(started_at: datetime, seen_at: datetime, *, ended_at: datetime | None = None) -> Process:
    """Create the row of a process that stored samples until `seen_at`."""
    return Process.objects.create(
        kind=Process.Kind.WORKER, host="here", pid=1, started_at=started_at, seen_at=seen_at, ended_at=ended_at
    )


def make_series(metric: str, labels: Mapping[str, str]) -> Series:
    """Get or create the series of a metric with labels."""
    return Series.objects.get_or_create(
        key=build_series_key(metric, labels), defaults={"metric": metric, "labels": dict(labels)}
    )[0]  # fmt: skip


def write_values(rows: Iterable[tuple[Process, Series, datetime, float]]) -> None:
    """Write (process, series, start of bucket, absolute value) by COPY; the iterable must make no queries."""
    with connection.cursor() as cursor:
        statement = "COPY monitoring_sample (process_id, series_id, bucket, value) FROM STDIN"
        with cursor.copy(statement) as copy:
            for process, series, bucket, value in rows:
                copy.write_row((process.pk, series.pk, bucket, value))


def write_counter(process: Process, series: Series, start: datetime, increases: Sequence[float]) -> None:
    """Write a counter that starts at zero and increases by these amounts in the buckets from `start` on."""
    totals = enumerate(accumulate(increases))
    write_values((process, series, start + number * BUCKET, total) for number, total in totals)


def write_calls(
    process: Process,
    start: datetime,
    calls: Sequence[tuple[int, int]],
    *,
    platform: str = "p",
    demo: str = "false",
    metric: str = CALLS_METRIC,
) -> None:
    """Write the (valid, failed) calls to a platform in each bucket, or its answers."""
    for column, outcome in enumerate(("valid", "busy")):
        series = make_series(metric, {"platform": platform, "outcome": outcome, "demo": demo})
        write_counter(process, series, start, [counts[column] for counts in calls])
