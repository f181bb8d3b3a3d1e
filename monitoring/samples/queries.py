"""Reads the stored samples: increases of counters over windows, and values of gauges.

Samples are absolute, and the counters of a process start at zero and never decrease. So the increase over a window is,
summed over processes, the last value before its end minus the last value before its start; a process or series that
started inside the window had zero before. Only these two values are read, so a wide window costs as much as a narrow
one. A mean is the increase of `_sum` divided by that of `_count`.
"""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from monitoring.label_matchers import matches
from monitoring.models import Process, Series
from monitoring.models.samples import BUCKET_SECONDS, floor_to_bucket

# Processes may still be flushing the last bucket: only buckets older than this are complete.
SAMPLE_DELAY = timedelta(seconds=2 * BUCKET_SECONDS)
SAMPLE_STALE_AFTER = timedelta(seconds=3 * BUCKET_SECONDS)
_LAST_SEEN_MARGIN = timedelta(seconds=2 * BUCKET_SECONDS)

Matchers = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class SeriesSelector:
    """Selects the series of a metric (`…_total`, `…_sum`, `…_count`, a gauge) by their labels."""

    metric: str
    matchers: Matchers = ()
    includes_demo: bool = False

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Return whether a series is selected; the demo platform's only with includes_demo."""
        if labels.get("demo") == "true" and not self.includes_demo:
            return False
        return matches(self.matchers, labels)


@dataclass(frozen=True)
class SampleQuery:
    """Asks for the increase over each window, in seconds; without windows, for the value of a gauge.

    since: samples before it do not count; recovered_since: one more window, which begins then. Both are bucket edges.
    """

    selector: SeriesSelector
    windows: tuple[int, ...] = ()
    since: datetime | None = None
    recovered_since: datetime | None = None


def get_complete_until(now: datetime) -> datetime:
    """Return the last bucket edge before which every process has stored its values."""
    return floor_to_bucket(now - SAMPLE_DELAY)


class SampleReader:
    """The results of many queries at one end time, read with three database queries."""

    def __init__(self, queries: Iterable[SampleQuery], end: datetime) -> None:
        self.end = end
        self._queries = list(queries)  # kept alive, because their ids are keys
        series = _load_series({query.selector.metric for query in self._queries})
        self._ids: dict[int, list[int]] = {}
        points: set[tuple[int, datetime]] = set()
        gauges: set[int] = set()
        for query in self._queries:
            rows = series.get(query.selector.metric, ())
            ids = self._ids[id(query)] = [pk for pk, labels in rows if query.selector.matches(labels)]
            if query.windows:
                points |= {(pk, edge) for pk in ids for edge in self._get_window_edges(query)}
            else:
                gauges |= set(ids)
        self._values = read_totals(points) if points else {}
        self._gauges = read_gauges(gauges, end) if gauges else {}

    def get_increases(self, query: SampleQuery) -> list[float]:
        """Return the increase over each window of the query, and since `recovered_since` if it is given.

        Empty if none of its series was ever stored.
        """
        ids = [pk for pk in self._ids[id(query)] if (pk, self.end) in self._values]
        if not ids:
            return []
        last, *firsts = [sum(self._values.get((pk, edge), 0.0) for pk in ids) for edge in self._get_window_edges(query)]
        return [max(0.0, last - first) for first in firsts]

    def get_series_ids(self, query: SampleQuery) -> list[int]:
        """Return the series that the query selects."""
        return self._ids[id(query)]

    def get_gauge(self, query: SampleQuery) -> float | None:
        """Return the sum of the last values of running processes; None if there are none."""
        values = [self._gauges[pk] for pk in self._ids[id(query)] if pk in self._gauges]
        return sum(values) if values else None

    def _get_window_edges(self, query: SampleQuery) -> list[datetime]:
        starts = [floor_to_bucket(self.end - timedelta(seconds=window)) for window in query.windows]
        if query.since is not None:
            starts = [max(start, query.since) for start in starts]
        return [self.end, *starts, *([] if query.recovered_since is None else [query.recovered_since])]


def find_series_ids(selector: SeriesSelector) -> list[int]:
    """Return the ids of the stored series that a selector matches."""
    rows = _load_series({selector.metric}).get(selector.metric, ())
    return [pk for pk, labels in rows if selector.matches(labels)]


def _load_series(metrics: Iterable[str]) -> dict[str, list[tuple[int, dict[str, str]]]]:
    series: dict[str, list[tuple[int, dict[str, str]]]] = defaultdict(list)
    rows = Series.objects.filter(metric__in=set(metrics)).order_by("pk")
    for pk, metric, labels in rows.values_list("pk", "metric", "labels"):
        series[metric].append((pk, labels))
    return series


# The last value before a moment is one lookup in the index (series, process, bucket), a few microseconds.
_TOTALS_SQL = """
SELECT wanted.series_id, wanted.moment, sum(sample.value)
FROM unnest(%s::bigint[], %s::timestamptz[]) AS wanted (series_id, moment)
CROSS JOIN unnest(%s::uuid[], %s::timestamptz[]) AS process (id, started_at)
CROSS JOIN LATERAL (
    SELECT value FROM monitoring_sample
    WHERE series_id = wanted.series_id AND process_id = process.id AND bucket < wanted.moment
    ORDER BY bucket DESC LIMIT 1
) AS sample
WHERE process.started_at < wanted.moment
GROUP BY wanted.series_id, wanted.moment
"""


def read_totals(points: Iterable[tuple[int, datetime]]) -> dict[tuple[int, datetime], float]:
    """Return {(series, moment): sum over processes of the last value before it}, without points that have none.

    Processes that ended before the first moment are left out: the difference of two moments is an increase.
    """
    pairs = sorted(points)
    moments = [moment for _, moment in pairs]
    candidates = Process.objects.filter(seen_at__gte=min(moments) - _LAST_SEEN_MARGIN, started_at__lt=max(moments))
    processes = list(candidates.values_list("pk", "started_at"))
    with connection.cursor() as cursor:
        cursor.execute(
            _TOTALS_SQL,
            [[pk for pk, _ in pairs], moments, [pk for pk, _ in processes], [started for _, started in processes]],
        )
        return {(series, moment): value for series, moment, value in cursor.fetchall()}


_GAUGES_SQL = """
SELECT wanted.series_id, sum(sample.value)
FROM unnest(%(series)s::bigint[]) AS wanted (series_id)
CROSS JOIN monitoring_process AS process
CROSS JOIN LATERAL (
    SELECT value FROM monitoring_sample
    WHERE series_id = wanted.series_id AND process_id = process.id AND bucket < %(end)s AND bucket >= %(since)s
    ORDER BY bucket DESC LIMIT 1
) AS sample
WHERE process.seen_at >= %(since)s AND (process.ended_at IS NULL OR process.ended_at >= %(end)s)
GROUP BY wanted.series_id
"""


def read_gauges(series: Iterable[int], end: datetime) -> dict[int, float]:
    """Return {series: sum of the last values within 3 buckets of the processes that run at the end}."""
    with connection.cursor() as cursor:
        cursor.execute(_GAUGES_SQL, {"series": sorted(series), "end": end, "since": end - SAMPLE_STALE_AFTER})
        return dict(cursor.fetchall())


_STEPS_SQL = """
SELECT series_id, bucket, sum(value - before) FROM (
    SELECT series_id, bucket, value, coalesce(
        lag(value) OVER (PARTITION BY series_id, process_id ORDER BY bucket),
        (SELECT value FROM monitoring_sample AS earlier
         WHERE earlier.series_id = sample.series_id AND earlier.process_id = sample.process_id
           AND earlier.bucket < %(start)s
         ORDER BY earlier.bucket DESC LIMIT 1),
        0) AS before
    FROM monitoring_sample AS sample
    WHERE series_id = ANY(%(series)s) AND bucket >= %(start)s AND bucket < %(end)s
) AS steps
GROUP BY series_id, bucket ORDER BY bucket
"""


def read_steps(series: Iterable[int], start: datetime, end: datetime) -> list[tuple[int, datetime, float]]:
    """Return (series, start of the bucket, increase during it), ordered by bucket, without buckets without a sample."""
    with connection.cursor() as cursor:
        cursor.execute(_STEPS_SQL, {"series": list(series), "start": start, "end": end})
        return list(cursor.fetchall())


def read_increases_by_bucket(series: Sequence[int], start: datetime, end: datetime) -> list[tuple[datetime, float]]:
    """Return (start of the bucket, increase of all series during it), in order, without buckets that have no sample."""
    increases: dict[datetime, float] = {}
    for _series, bucket, increase in read_steps(series, start, end):
        increases[bucket] = increases.get(bucket, 0.0) + increase
    return list(increases.items())


_GAUGES_BY_BUCKET_SQL = """
SELECT sample.bucket, sample.process_id, process.ended_at, sum(sample.value)
FROM monitoring_sample AS sample JOIN monitoring_process AS process ON process.id = sample.process_id
WHERE sample.series_id = ANY(%(series)s) AND sample.bucket >= %(start)s AND sample.bucket < %(end)s
GROUP BY sample.bucket, sample.process_id, process.ended_at ORDER BY sample.bucket
"""


def read_gauges_by_bucket(
    series: Sequence[int], start: datetime, end: datetime
) -> list[tuple[datetime, uuid.UUID, datetime | None, float]]:
    """Return (start of the bucket, process, end of the process, its value), ordered by bucket."""
    with connection.cursor() as cursor:
        cursor.execute(_GAUGES_BY_BUCKET_SQL, {"series": list(series), "start": start, "end": end})
        return list(cursor.fetchall())
