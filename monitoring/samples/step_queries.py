"""Reads the stored samples step by step, for charts.

The increase of a counter between two edges is the difference of its last values before them. Only those are read, by
the index (series, process, bucket), and only while the process ran, so a week costs as much as an hour.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from monitoring.samples.queries import SAMPLE_STALE_AFTER

# The processes that have samples of a series, found by jumping through the index without reading the samples.
_SERIES_PROCESS_PAIRS_CTE = """
WITH RECURSIVE pair AS (
    SELECT wanted.series_id, (
        SELECT process_id FROM monitoring_sample AS sample WHERE sample.series_id = wanted.series_id
        ORDER BY process_id LIMIT 1) AS process_id
    FROM unnest(%(series)s::bigint[]) AS wanted (series_id)
    UNION ALL
    SELECT pair.series_id, (
        SELECT process_id FROM monitoring_sample AS sample
        WHERE sample.series_id = pair.series_id AND sample.process_id > pair.process_id
        ORDER BY process_id LIMIT 1)
    FROM pair WHERE pair.process_id IS NOT NULL
),
edge AS (
    SELECT number, moment, lead(moment, 1, 'infinity') OVER (ORDER BY number) AS next,
        lag(moment, 1, '-infinity') OVER (ORDER BY number) AS previous
    FROM unnest(%(edges)s::timestamptz[]) WITH ORDINALITY AS edges (moment, number)
)
"""

# From the last edge before the process started to the first edge after its last flush.
_INCREASES_BY_STEP_SQL = (
    _SERIES_PROCESS_PAIRS_CTE
    + """
SELECT series_id, number, sum(increase) FROM (
    SELECT pair.series_id, edge.number, coalesce(last.value, 0) - coalesce(
        lag(last.value) OVER (PARTITION BY pair.series_id, pair.process_id ORDER BY edge.number), 0) AS increase,
        row_number() OVER (PARTITION BY pair.series_id, pair.process_id ORDER BY edge.number) AS nth
    FROM pair JOIN monitoring_process AS process ON process.id = pair.process_id
    JOIN edge ON edge.next > process.started_at AND edge.previous <= process.seen_at
    LEFT JOIN LATERAL (
        SELECT value FROM monitoring_sample AS sample
        WHERE sample.series_id = pair.series_id AND sample.process_id = pair.process_id AND bucket < edge.moment
        ORDER BY bucket DESC LIMIT 1
    ) AS last ON true
    WHERE process.seen_at >= %(start)s
) AS steps
WHERE nth > 1 AND increase > 0
GROUP BY series_id, number
"""
)

_GAUGES_AT_MOMENTS_SQL = (
    _SERIES_PROCESS_PAIRS_CTE
    + """
SELECT pair.series_id, edge.number, sum(last.value)
FROM pair JOIN monitoring_process AS process ON process.id = pair.process_id
JOIN edge ON edge.moment > process.started_at AND edge.moment - %(alive)s::interval <= process.seen_at
    AND (process.ended_at IS NULL OR process.ended_at >= edge.moment)
CROSS JOIN LATERAL (
    SELECT value FROM monitoring_sample AS sample
    WHERE sample.series_id = pair.series_id AND sample.process_id = pair.process_id
        AND bucket < edge.moment AND bucket >= edge.moment - %(alive)s::interval
    ORDER BY bucket DESC LIMIT 1
) AS last
GROUP BY pair.series_id, edge.number
"""
)


def read_increases_by_step(series: Iterable[int], edges: Sequence[datetime]) -> dict[int, list[float]]:
    """Return {series: increase, over all processes, in each step between two edges}, without unchanged series."""
    steps: dict[int, list[float]] = defaultdict(lambda: [0.0] * (len(edges) - 1))
    for pk, number, increase in _run_query(_INCREASES_BY_STEP_SQL, series, edges):
        steps[pk][number - 2] = increase
    return dict(steps)


def read_gauges_at(series: Iterable[int], moments: Sequence[datetime]) -> list[float | None]:
    """Return, for each moment, the sum of the series over the running processes; None if none has a value."""
    values: list[float | None] = [None] * len(moments)
    for _series, number, value in _run_query(_GAUGES_AT_MOMENTS_SQL, series, moments):
        values[number - 1] = (values[number - 1] or 0.0) + value
    return values


def _run_query(query: str, series: Iterable[int], edges: Sequence[datetime]) -> list[tuple[int, int, float]]:
    parameters: dict[str, Any] = {"series": sorted(series), "edges": list(edges), "start": edges[0]}
    parameters["alive"] = f"{SAMPLE_STALE_AFTER.total_seconds()} s"
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL jit = off")  # compilation takes longer than these lookups
        cursor.execute(query, parameters)
        return list(cursor.fetchall())
