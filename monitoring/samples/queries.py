"""What the stored samples say of a time: increases of counters, and the value of gauges.

Samples are absolute, and a process's counters begin at nought and never fall. So the increase of a counter over a
window is, summed over processes, the last value before its end less the last value before its start; a process or a
series that began inside the window had nought before. Nothing between the two is read, so a wide window costs as much
as a narrow one. A mean is the increase of `_sum` over that of `_count`.
"""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection

from monitoring.label_matchers import matches
from monitoring.models import Process, Series
from monitoring.models.samples import BUCKET_SECONDS

# A process is flushing while its bucket is being read: only what is two buckets old is complete.
SAMPLE_DELAY = timedelta(seconds=2 * BUCKET_SECONDS)
SAMPLE_STALE_AFTER = timedelta(seconds=3 * BUCKET_SECONDS)
_LAST_SEEN_MARGIN = timedelta(seconds=2 * BUCKET_SECONDS)

Matchers = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class SeriesSelector:
    """The series of a stored metric (`…_total`, `…_sum`, `…_count`, a gauge) whose labels match."""

    metric: str
    matchers: Matchers = ()
    includes_demo: bool = False

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether a series with these labels is meant. The demo platform's count with DEMO=1, or when asked for."""
        if labels.get("demo") == "true" and not (self.includes_demo or settings.DEMO):
            return False
        return matches(self.matchers, labels)


@dataclass(frozen=True)
class SampleQuery:
    """What a rule has to know: the increase over each window, in seconds; without any, the value of a gauge."""

    selector: SeriesSelector
    windows: tuple[int, ...] = ()


def get_complete_until(now: datetime) -> datetime:
    """The last edge of a bucket before which every process has stored its values."""
    return floor_to_bucket(now - SAMPLE_DELAY)


def floor_to_bucket(moment: datetime) -> datetime:
    """The start of the bucket that a moment is in."""
    return datetime.fromtimestamp(moment.timestamp() // BUCKET_SECONDS * BUCKET_SECONDS, UTC)


class SampleReader:
    """What every need holds at one end, read in three queries however many needs there are."""

    def __init__(self, queries: Iterable[SampleQuery], end: datetime) -> None:
        self.end = end
        queries = list(queries)
        self._series = _load_series({need.selector.metric for need in queries})
        self._values: dict[tuple[int, datetime], float] = {}
        self._gauges: dict[int, float] = {}
        self._ids: dict[int, list[int]] = {}
        points: set[tuple[int, datetime]] = set()
        gauges: set[int] = set()
        for query in queries:
            ids = self._ids[id(query)] = self._find_matching_ids(query.selector)
            if query.windows:
                points |= {(one, moment) for one in ids for moment in self._get_window_edges(query)}
            else:
                gauges |= set(ids)
        if points:
            self._values = read_totals(points)
        if gauges:
            self._gauges = read_gauges(gauges, end)
        self._queries = queries  # their ids are keys

    def get_increases(self, query: SampleQuery) -> list[float]:
        """By window, in the order of the need; empty when none of its series has ever been stored."""
        ids = [one for one in self._ids[id(query)] if (one, self.end) in self._values]
        if not ids:
            return []
        last, *firsts = [
            sum(self._values.get((one, moment), 0.0) for one in ids) for moment in self._get_window_edges(query)
        ]  # fmt: skip
        return [max(0.0, last - first) for first in firsts]

    def get_gauge(self, query: SampleQuery) -> float | None:
        """The sum of the last values of living processes; None when none of them has one."""
        values = [self._gauges[one] for one in self._ids[id(query)] if one in self._gauges]
        return sum(values) if values else None

    def _get_window_edges(self, query: SampleQuery) -> list[datetime]:
        return [self.end, *(floor_to_bucket(self.end - timedelta(seconds=window)) for window in query.windows)]

    def _find_matching_ids(self, selector: SeriesSelector) -> list[int]:
        return [pk for pk, labels in self._series.get(selector.metric, ()) if selector.matches(labels)]


def find_series_ids(selector: SeriesSelector) -> list[int]:
    """The ids of the stored series that a selector means."""
    found = _load_series({selector.metric}).get(selector.metric, ())
    return [pk for pk, labels in found if selector.matches(labels)]


def _load_series(metrics: Iterable[str]) -> dict[str, list[tuple[int, dict[str, str]]]]:
    found: dict[str, list[tuple[int, dict[str, str]]]] = defaultdict(list)
    rows = Series.objects.filter(metric__in=set(metrics)).order_by("pk")
    for pk, metric, labels in rows.values_list("pk", "metric", "labels"):
        found[metric].append((pk, labels))
    return found


# The last value before a moment, by the index (series, process, bucket): a few microseconds each.
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
    """{(series, moment): the sum over processes of the last value before it}, of those that have one.

    Only processes that were there after the first moment are summed: the difference of two moments is an increase.
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
    """{series: the sum of what the processes that live at the end have stored of it within the last 3 buckets}"""
    with connection.cursor() as cursor:
        cursor.execute(_GAUGES_SQL, {"series": sorted(series), "end": end, "since": end - SAMPLE_STALE_AFTER})
        return dict(cursor.fetchall())


_INCREASES_BY_BUCKET_SQL = """
SELECT bucket, sum(value - before) FROM (
    SELECT bucket, value, coalesce(
        lag(value) OVER (PARTITION BY series_id, process_id ORDER BY bucket),
        (SELECT value FROM monitoring_sample AS earlier
         WHERE earlier.series_id = sample.series_id AND earlier.process_id = sample.process_id
           AND earlier.bucket < %(start)s
         ORDER BY earlier.bucket DESC LIMIT 1),
        0) AS before
    FROM monitoring_sample AS sample
    WHERE series_id = ANY(%(series)s) AND bucket >= %(start)s AND bucket < %(end)s
) AS steps
GROUP BY bucket ORDER BY bucket
"""


def read_increases_by_bucket(series: Sequence[int], start: datetime, end: datetime) -> list[tuple[datetime, float]]:
    """(start of the bucket, increase of all the series during it), in order; buckets without a sample are left out."""
    with connection.cursor() as cursor:
        cursor.execute(_INCREASES_BY_BUCKET_SQL, {"series": list(series), "start": start, "end": end})
        return list(cursor.fetchall())


_GAUGES_BY_BUCKET_SQL = """
SELECT sample.bucket, sample.process_id, process.ended_at, sum(sample.value)
FROM monitoring_sample AS sample JOIN monitoring_process AS process ON process.id = sample.process_id
WHERE sample.series_id = ANY(%(series)s) AND sample.bucket >= %(start)s AND sample.bucket < %(end)s
GROUP BY sample.bucket, sample.process_id, process.ended_at ORDER BY sample.bucket
"""


def read_gauges_by_bucket(
    series: Sequence[int], start: datetime, end: datetime
) -> list[tuple[datetime, uuid.UUID, datetime | None, float]]:
    """(start of the bucket, process, when that ended, its value) in the order of the buckets."""
    with connection.cursor() as cursor:
        cursor.execute(_GAUGES_BY_BUCKET_SQL, {"series": list(series), "start": start, "end": end})
        return list(cursor.fetchall())
