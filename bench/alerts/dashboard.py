"""Time to compute the dashboard's week over 1,000,000 samples of servers and of many short commands.

python -m bench.alerts.dashboard
"""

import argparse
import sys
import time
from datetime import timedelta

from bench.environment import start_bench_database
from bench.harness import BenchmarkResult, run_measurements

SAMPLE_COUNT, SERVER_COUNT, COMMAND_COUNT = 1_000_000, 4, 2000
PLATFORM_COUNT, CODE_COUNT, EDGE_COUNT = 6, 20, 10
DASHBOARD_ROUNDS = 7
MAX_DASHBOARD_SECONDS = 0.3

# One statement per kind of process: inserting a million rows from Python would take minutes.
_INSERT_SERVER_SAMPLES = """
INSERT INTO monitoring_sample (series_id, process_id, bucket, value)
SELECT series.id, process.id, process.started_at + number * %(apart)s * interval '15 s', number * (1 + series.id %% 3)
FROM monitoring_series AS series, monitoring_process AS process, generate_series(0, %(count)s - 1) AS number
WHERE process.kind = 'server'
"""
_INSERT_COMMAND_SAMPLES = """
INSERT INTO monitoring_sample (series_id, process_id, bucket, value)
SELECT series.id, process.id, to_timestamp(floor(extract(epoch FROM process.started_at) / 15) * 15), 1
FROM monitoring_series AS series, monitoring_process AS process
WHERE process.kind = 'command' AND series.metric = 'errors_total' AND series.labels ->> 'code' IN ('C0', 'C1')
"""


def create_week_of_samples() -> None:
    """Store the series that the dashboard reads: of servers that run all week and of commands that run for seconds."""
    from django.db import connection
    from django.utils import timezone

    from errors.models import ErrorCount
    from monitoring.models import Process, Sample, Series
    from monitoring.models.samples import floor_to_bucket
    from monitoring.samples.collector import build_series_key

    for model in (ErrorCount, Sample, Series, Process):
        model.objects.all().delete()
    end = floor_to_bucket(timezone.now())
    start = end - timedelta(days=7)
    kinds = _list_series()
    Series.objects.bulk_create(
        Series(metric=name, labels=labels, key=build_series_key(name, labels)) for name, labels in kinds
    )
    Process.objects.bulk_create(
        Process(kind="server", host="h", pid=number, started_at=start, seen_at=end) for number in range(SERVER_COUNT)
    )
    Process.objects.bulk_create(
        Process(kind="command", host="h", pid=1, started_at=at, seen_at=at + timedelta(seconds=9))
        for at in (start + timedelta(minutes=5 * number) for number in range(COMMAND_COUNT))
    )
    count = -(-SAMPLE_COUNT // (SERVER_COUNT * len(kinds)))
    with connection.cursor() as cursor:
        cursor.execute(_INSERT_SERVER_SAMPLES, {"count": count, "apart": 7 * 5760 // count})
        cursor.execute(_INSERT_COMMAND_SAMPLES)
        cursor.execute("ANALYZE")
    hour = end.replace(minute=0, second=0, microsecond=0)
    ErrorCount.objects.bulk_create(
        ErrorCount(code=f"C{code}", fingerprint="bench", outcome="shown", hour=hour - timedelta(hours=number), count=9)
        for code in range(CODE_COUNT)
        for number in range(7 * 24)
    )


def _list_series() -> list[tuple[str, dict[str, str]]]:
    series: list[tuple[str, dict[str, str]]] = []
    for number in range(PLATFORM_COUNT):
        labels = {"platform": f"p{number}", "demo": "false"}
        outcomes = ("valid", "busy", "rate", "timeout")
        series += [("diagnosis_calls_total", {**labels, "outcome": outcome}) for outcome in outcomes]
        series += [(f"diagnosis_call_seconds_{part}", labels) for part in ("sum", "count")]
        series += [("diagnosis_call_seconds_bucket", {**labels, "le": str(edge)}) for edge in range(1, EDGE_COUNT + 1)]
    series += [("errors_total", {"code": f"C{number}", "outcome": "shown"}) for number in range(CODE_COUNT)]
    results = ("hit", "miss", "stale")
    series += [("cache_lookups_total", {"namespace": "report", "result": result}) for result in results]
    return series + [(gauge, {}) for gauge in ("progress_sockets_open", "progress_polls_open", "jobs_waiting")]


def time_dashboard_week(rounds: int = DASHBOARD_ROUNDS) -> list[float]:
    """Return the seconds of each round of computing every chart and table of seven days."""
    from django.utils import timezone

    from monitoring.dashboard.charts import (
        CHART_COUNTERS,
        CHART_GAUGES,
        build_charts,
        compute_platform_stats,
        list_frequent_errors,
    )
    from monitoring.dashboard.metric_history import TIME_RANGES, MetricHistory

    seconds = []
    for _ in range(rounds):
        started = time.perf_counter()
        history = MetricHistory(TIME_RANGES["7d"], timezone.now(), CHART_COUNTERS, CHART_GAUGES)
        charts = build_charts(history)
        assert list_frequent_errors(timedelta(days=7))
        assert compute_platform_stats(history)
        seconds.append(time.perf_counter() - started)
        assert any(not chart.is_empty for chart in charts)
    return seconds


def measure_dashboard() -> BenchmarkResult:
    """Measure the dashboard's week over 1,000,000 samples."""
    start_bench_database()
    from django.db import connection

    from monitoring.models import Sample, Series

    create_week_of_samples()
    seconds = time_dashboard_week()
    stored, series = Sample.objects.count(), Series.objects.count()
    connection.close()
    return BenchmarkResult(
        f"computing the dashboard of 7 days: {series} series, {stored:,} samples on PostgreSQL",
        f"< {MAX_DASHBOARD_SECONDS:g} s",
        f"{sorted(seconds)[len(seconds) // 2]:.3f} s (median of {len(seconds)}), {max(seconds):.3f} s (maximum)",
        sorted(seconds)[len(seconds) // 2] < MAX_DASHBOARD_SECONDS,
    )


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    sys.exit(run_measurements("alerts-dashboard", [("dashboard", measure_dashboard)]))
