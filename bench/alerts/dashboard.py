"""How long the dashboard's week takes to read, over 1,000,000 samples of servers and of many short commands.

python -m bench.alerts.dashboard
"""

import argparse
import sys
import time
from datetime import timedelta

from bench.alerts.database import use_own_database
from bench.figures import Figure, report

SAMPLES, SERVERS, COMMANDS = 1_000_000, 4, 2000
PLATFORMS, CODES, EDGES = 6, 20, 10
ROUNDS = 7
MOST_SECONDS = 0.3

# One statement a kind of process: a million rows by Python would take minutes.
_OF_SERVERS = """
INSERT INTO monitoring_sample (series_id, process_id, bucket, value)
SELECT series.id, process.id, process.started_at + number * %(apart)s * interval '15 s', number * (1 + series.id %% 3)
FROM monitoring_series AS series, monitoring_process AS process, generate_series(0, %(count)s - 1) AS number
WHERE process.kind = 'server'
"""
_OF_COMMANDS = """
INSERT INTO monitoring_sample (series_id, process_id, bucket, value)
SELECT series.id, process.id, to_timestamp(floor(extract(epoch FROM process.started_at) / 15) * 15), 1
FROM monitoring_series AS series, monitoring_process AS process
WHERE process.kind = 'command' AND series.metric = 'errors_total' AND series.labels ->> 'code' IN ('C0', 'C1')
"""


def write_week() -> None:
    """The series that the dashboard reads, of servers that live all week and of commands that live for seconds."""
    from django.db import connection
    from django.utils import timezone

    from monitoring.models import Process, Sample, Series
    from monitoring.sampling import bucket_of, key_of

    for model in (Sample, Series, Process):
        model.objects.all().delete()
    end = bucket_of(timezone.now())
    start = end - timedelta(days=7)
    kinds = _kinds()
    Series.objects.bulk_create(Series(metric=name, labels=labels, key=key_of(name, labels)) for name, labels in kinds)
    Process.objects.bulk_create(
        Process(kind="server", host="h", pid=number, started_at=start, seen_at=end) for number in range(SERVERS)
    )
    Process.objects.bulk_create(
        Process(kind="command", host="h", pid=1, started_at=at, seen_at=at + timedelta(seconds=9))
        for at in (start + timedelta(minutes=5 * number) for number in range(COMMANDS))
    )
    count = -(-SAMPLES // (SERVERS * len(kinds)))
    with connection.cursor() as cursor:
        cursor.execute(_OF_SERVERS, {"count": count, "apart": 7 * 5760 // count})
        cursor.execute(_OF_COMMANDS)
        cursor.execute("ANALYZE")


def _kinds() -> list[tuple[str, dict[str, str]]]:
    found: list[tuple[str, dict[str, str]]] = []
    for number in range(PLATFORMS):
        of_platform = {"platform": f"p{number}", "demo": "false"}
        outcomes = ("valid", "busy", "rate", "timeout")
        found += [("diagnosis_calls_total", {**of_platform, "outcome": outcome}) for outcome in outcomes]
        found += [(f"diagnosis_call_seconds_{part}", of_platform) for part in ("sum", "count")]
        found += [("diagnosis_call_seconds_bucket", {**of_platform, "le": str(edge)}) for edge in range(1, EDGES + 1)]
    found += [("errors_total", {"code": f"C{number}", "outcome": "shown"}) for number in range(CODES)]
    found += [("cache_lookups_total", {"namespace": "report", "result": result}) for result in ("hit", "miss", "stale")]
    gauges = ("progress_sockets_open", "progress_polls_open", "jobs_waiting")
    return found + [(gauge, {}) for gauge in gauges]


def time_the_week(rounds: int = ROUNDS) -> list[float]:
    """Seconds of reading and computing every chart and table of seven days."""
    from django.utils import timezone

    from monitoring.charts import COUNTERS, GAUGES, draw_all, list_errors, list_platforms
    from monitoring.history import SPANS, History

    seconds = []
    for _round in range(rounds):
        began = time.perf_counter()
        history = History(SPANS["7d"], timezone.now(), COUNTERS, GAUGES)
        charts = draw_all(history)
        assert list_errors(history)
        assert list_platforms(history)
        seconds.append(time.perf_counter() - began)
        assert any(not chart.is_empty for chart in charts)
    return seconds


def measure_dashboard() -> Figure:
    """The dashboard's week over 1,000,000 samples."""
    use_own_database()
    from django.db import connection

    from monitoring.models import Sample, Series

    write_week()
    seconds = time_the_week()
    stored, series = Sample.objects.count(), Series.objects.count()
    connection.close()
    return Figure(
        f"the dashboard's 7 days of {series} series over {stored:,} samples on PostgreSQL",
        f"< {MOST_SECONDS:g} s",
        f"{sorted(seconds)[len(seconds) // 2]:.3f} s (median of {len(seconds)}), {max(seconds):.3f} s (most)",
        sorted(seconds)[len(seconds) // 2] < MOST_SECONDS,
    )


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    sys.exit(report("alerts-dashboard", [measure_dashboard]))
