"""Charts compared with sums computed naively over all samples."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from monitoring.dashboard.charts import (
    CHART_COUNTERS,
    CHART_GAUGES,
    build_charts,
    compute_platform_stats,
)
from monitoring.dashboard.metric_history import GAUGE_READS_PER_STEP, TIME_RANGES, MetricHistory, TimeRange
from monitoring.models import Process, Sample, Series
from monitoring.samples.collector import build_series_key
from monitoring.samples.histograms import compute_percentile

pytestmark = pytest.mark.django_db

BUCKET = timedelta(seconds=15)
SPAN = TimeRange("test", 240, 60)
NOW = datetime(2026, 11, 23, 12, 0, 7, tzinfo=UTC)
END = SPAN.edges(NOW)[-1]


@dataclass
class ProcessRun:
    """A process and its stored samples: {series key: [(bucket, absolute value)]}."""

    row: Process
    stored: dict[str, list[tuple[datetime, float]]] = field(default_factory=dict)


def store(run: ProcessRun, metric: str, labels: dict[str, str], values: list[tuple[datetime, float]]) -> None:
    """Store absolute values of a series, with their buckets."""
    key = build_series_key(metric, labels)
    series, _made = Series.objects.get_or_create(key=key, defaults={"metric": metric, "labels": labels})
    Sample.objects.bulk_create(
        Sample(process=run.row, series=series, bucket=bucket, value=value) for bucket, value in values
    )
    run.stored[key] = values


def create_run(started_at: datetime = END - timedelta(days=1), seen_at: datetime = NOW, **columns: Any) -> ProcessRun:
    row = {"kind": Process.Kind.SERVER, "host": "h", "pid": 1, "started_at": started_at, "seen_at": seen_at} | columns
    return ProcessRun(Process.objects.create(**row))


def find_value_before(values: list[tuple[datetime, float]], moment: datetime) -> float:
    return next((value for bucket, value in reversed(values) if bucket < moment), 0.0)


def sum_naively(runs: list[ProcessRun], key: str, edges: list[datetime]) -> list[float]:
    """Return, by step, the increase of a series, one process after the other."""
    return [
        sum(
            find_value_before(run.stored.get(key, []), end) - find_value_before(run.stored.get(key, []), start)
            for run in runs
        )
        for start, end in pairwise(edges)
    ]


counter_runs = st.lists(
    st.tuples(
        st.integers(-12, 18),  # bucket of the first sample, from the start of the time range
        st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=1, max_size=24),  # (increase, is stored)
        st.integers(0, 14),  # seconds after the start of the bucket
    ),
    max_size=4,
)


@settings(max_examples=60)
@given(counter_runs)
def test_increases_by_step_equal_naive_sums(drawn: list[tuple[int, list[tuple[int, bool]], int]]) -> None:
    with transaction.atomic():
        runs, start = [], SPAN.edges(NOW)[0]
        for first, increases, late_seconds in drawn:
            started = start + first * BUCKET
            last = started + (len(increases) - 1) * BUCKET
            run = create_run(started + timedelta(seconds=late_seconds), last + timedelta(seconds=14))
            total, values = 0.0, []
            for number, (increase, is_stored) in enumerate(increases):
                total += increase
                # A skipped sample is covered by the next stored one; the last is always stored.
                if is_stored or number == len(increases) - 1:
                    values.append((started + number * BUCKET, total))
            store(run, "errors_total", {"code": "A"}, values)
            runs.append(run)
        history = MetricHistory(SPAN, NOW, ["errors_total"], [])
        assert history.get_increases("errors_total") == sum_naively(
            runs, build_series_key("errors_total", {"code": "A"}), history.edges
        )
        transaction.set_rollback(True)


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(-6, 14), st.lists(st.integers(0, 9), min_size=1, max_size=20)), max_size=3))
def test_peaks_of_gauges_equal_naive_maxima(drawn: list[tuple[int, list[int]]]) -> None:
    with transaction.atomic():
        runs, start = [], SPAN.edges(NOW)[0]
        for first, values in drawn:
            started = start + first * BUCKET
            ended = started + len(values) * BUCKET
            run = create_run(started, ended - timedelta(seconds=1), ended_at=ended - timedelta(seconds=1))
            store(run, "jobs_waiting", {}, [(started + n * BUCKET, float(value)) for n, value in enumerate(values)])
            runs.append((started, ended, values))
        history = MetricHistory(SPAN, NOW, [], ["jobs_waiting"])
        for step, peak in enumerate(history.get_peaks("jobs_waiting")):
            moments = [
                history.edges[step] + (number + 1) * SPAN.step_seconds / GAUGE_READS_PER_STEP * timedelta(seconds=1)
                for number in range(4)
            ]
            totals = []
            for moment in moments:
                alive = [
                    values[int((moment - started) / BUCKET) - 1]
                    for started, ended, values in runs
                    if started < moment < ended
                ]
                if alive:
                    totals.append(float(sum(alive)))
            if totals:
                assert peak == max(totals)
            else:
                assert not peak
        transaction.set_rollback(True)


def test_chart_values_equal_hand_computed_values() -> None:
    run = create_run()
    before, inside = END - timedelta(hours=2), END - timedelta(minutes=10)
    real = {"platform": "a", "demo": "false"}
    store(run, "diagnosis_calls_total", real | {"outcome": "valid"}, [(before, 100.0), (inside, 190.0)])
    store(run, "diagnosis_calls_total", real | {"outcome": "busy"}, [(inside, 10.0)])
    store(run, "diagnosis_calls_total", real | {"outcome": "cancelled"}, [(inside, 7.0)])
    store(run, "diagnosis_call_seconds_sum", real, [(before, 50.0), (inside, 300.0)])
    store(run, "diagnosis_call_seconds_count", real, [(before, 100.0), (inside, 200.0)])
    store(run, "cache_lookups_total", {"namespace": "n", "result": "hit"}, [(inside, 30.0)])
    store(run, "cache_lookups_total", {"namespace": "n", "result": "miss"}, [(inside, 10.0)])
    history = MetricHistory(TIME_RANGES["1h"], NOW, CHART_COUNTERS, CHART_GAUGES)
    figures = {chart.name: chart.summary_value for chart in build_charts(history)}
    assert figures["success"] == 0.9  # 90 of 100: cancelled calls do not count
    assert figures["latency"] == 2.5
    assert figures["cache"] == 0.75
    assert figures["ended"] is None
    platform = compute_platform_stats(history)["a"]
    assert (platform.calls, platform.success, platform.mean_seconds) == (100.0, 0.9, 2.5)


@pytest.mark.parametrize("is_demo_site", [True, False])
def test_demo_platform_counts_on_a_demo_site_only(settings: Any, *, is_demo_site: bool) -> None:
    settings.DEMO = is_demo_site
    labels = {"platform": "demo", "outcome": "valid", "demo": "true"}
    store(create_run(), "diagnosis_calls_total", labels, [(END - timedelta(minutes=5), 8.0)])
    history = MetricHistory(TIME_RANGES["1h"], NOW, CHART_COUNTERS, CHART_GAUGES)
    assert sum(history.get_increases("diagnosis_calls_total")) == (8.0 if is_demo_site else 0.0)
    assert history.has_demo() is is_demo_site


@pytest.mark.parametrize(("share", "expected"), [(0.25, 0.5), (0.5, 1.0), (0.74, 3.0), (0.999, 5.0)])
def test_percentiles_are_interpolated_like_prometheus(share: float, expected: float) -> None:
    assert compute_percentile({"1": 50.0, "+Inf": 100.0, "5": 98.0}, share) == pytest.approx(expected)


def test_percentile_without_observations_is_none() -> None:
    assert compute_percentile({}, 0.5) is None
    assert compute_percentile({"1": 0.0, "+Inf": 0.0}, 0.5) is None
