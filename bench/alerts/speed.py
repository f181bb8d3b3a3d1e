"""Time of one evaluation: 100 rules over 1,000,000 samples of 20 processes on PostgreSQL.

python -m bench.alerts.speed
"""

import argparse
import sys
import time
from datetime import datetime, timedelta
from itertools import product
from typing import Any

from bench.environment import start_bench_database
from bench.harness import BenchmarkResult, run_measurements

SAMPLE_COUNT, RULE_COUNT, PROCESS_COUNT = 1_000_000, 100, 20
PLATFORM_COUNT = 10
EVALUATION_ROUNDS = 7
MAX_EVALUATION_SECONDS = 1.0


def create_samples_and_rules(
    samples: int = SAMPLE_COUNT, rules: int = RULE_COUNT, processes: int = PROCESS_COUNT
) -> datetime:
    """Store the samples of processes that flush every 15 s, and rules on them; return the end of the samples."""
    from django.db import connection

    from testing.data.samples import BUCKET, NOON, make_process, make_series, write_values

    all_series = [make_series(metric, labels) for metric, labels in _list_series()]
    buckets = -(-samples // (processes * len(all_series)))
    runs = [make_process(NOON, NOON + buckets * BUCKET) for _ in range(processes)]
    rows = product(range(buckets), runs, enumerate(all_series))
    write_values((run, series, NOON + n * BUCKET, float(n * (1 + index % 3))) for n, run, (index, series) in rows)
    _create_rules(rules)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return NOON + buckets * BUCKET


def _list_series() -> list[tuple[str, dict[str, str]]]:
    """Return the series of every process: calls by outcome, and their seconds."""
    series: list[tuple[str, dict[str, str]]] = []
    for number in range(PLATFORM_COUNT):
        labels = {"platform": f"p{number}", "demo": "false"}
        outcomes = ("valid", "busy", "rate", "timeout")
        series += [("diagnosis_calls_total", {**labels, "outcome": outcome}) for outcome in outcomes]
        series += [(f"diagnosis_call_seconds_{part}", labels) for part in ("sum", "count")]
    return series


def _create_rules(count: int) -> None:
    """Create ratios and means, of one platform and of all, with five different windows."""
    from monitoring.models import Rule

    for number in range(count):
        matchers = (
            [] if number % 3 == 0 else [{"label": "platform", "op": "=", "values": [f"p{number % PLATFORM_COUNT}"]}]
        )
        failed = [*matchers, {"label": "outcome", "op": "!=", "values": ["valid"]}]
        rule: dict[str, Any] = {
            "kind": "mean",
            "metric": "diagnosis_call_seconds",
            "matchers": matchers,
            "threshold": 9,
        }
        if number % 2:
            rule = {"kind": "ratio", "metric": "diagnosis_calls_total", "matchers": failed, "threshold": 0.99}
            rule |= {"denominator": "diagnosis_calls_total", "denominator_matchers": matchers}
        windows = {"window_seconds": 300 + 60 * (number % 5), "widest_window_seconds": 1800 * (1 + number % 2)}
        # So many samples are never available, so that every window is read; the last endings are for quiet sites only.
        Rule.objects.create(name=f"speed-{number}", enough_samples=10**9, evidence_days=0, **rule, **windows)


def time_evaluations(end: datetime, rounds: int = EVALUATION_ROUNDS) -> list[float]:
    """Return the seconds of several evaluations, each in its own tick."""
    from monitoring.rules.evaluator import run_evaluation

    seconds = []
    for tick in range(rounds):
        started = time.perf_counter()
        results = run_evaluation(end + timedelta(seconds=15 * tick - 60))
        seconds.append(time.perf_counter() - started)
        assert all(result.decision and result.decision.measurement.value is not None for result in results), results
    return seconds


def measure_evaluation_speed() -> BenchmarkResult:
    """Measure one evaluation of 100 rules over 1,000,000 samples."""
    start_bench_database()
    from django.db import connection

    from monitoring.models import Rule, Sample

    Rule.objects.all().delete()
    end = create_samples_and_rules()
    seconds = time_evaluations(end)
    stored = Sample.objects.count()
    connection.close()
    return BenchmarkResult(
        f"one evaluation of {RULE_COUNT} rules over {stored:,} samples on PostgreSQL",
        f"< {MAX_EVALUATION_SECONDS:g} s",
        f"{sorted(seconds)[len(seconds) // 2]:.3f} s (median of {len(seconds)}), {max(seconds):.3f} s (maximum)",
        max(seconds) < MAX_EVALUATION_SECONDS,
    )


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    sys.exit(run_measurements("alerts-speed", [("speed of an evaluation", measure_evaluation_speed)]))
