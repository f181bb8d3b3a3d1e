"""Two evaluators over a thousand ticks: one alert per incident.

Two processes, each with its own connections, evaluate the same ticks at the same time, released by a barrier, while
incidents come and go. Each incident must fire and resolve once.

    python -m bench.alerts.evaluators
"""

import argparse
import multiprocessing
import sys
import time
from collections import Counter
from datetime import timedelta
from multiprocessing.synchronize import Barrier

from bench.environment import start_bench_database
from bench.harness import BenchmarkResult, run_measurements

TICK_COUNT = 1000
EVALUATOR_COUNT = 2
INCIDENT_EVERY, INCIDENT_BUCKETS = 125, 30  # buckets of 15 s
BARRIER_TIMEOUT_SECONDS = 60.0


def measure_evaluators() -> BenchmarkResult:
    """Measure two evaluators over a thousand ticks."""
    start_bench_database()
    incidents = _create_incidents()
    started = time.monotonic()
    context = multiprocessing.get_context("spawn")
    barrier, errors = context.Barrier(EVALUATOR_COUNT), context.Queue()
    processes = [context.Process(target=_evaluate_all, args=(barrier, errors)) for _ in range(EVALUATOR_COUNT)]
    for process in processes:
        process.start()
    shares = [errors.get() for _ in processes]
    for process in processes:
        process.join()
    return _build_result(incidents, shares, time.monotonic() - started)


def _create_incidents() -> int:
    from django.db import connection

    from monitoring.models import Alert, Channel, Rule
    from testing.data.samples import BUCKET, CALLS_METRIC, NOON, make_process, write_calls

    Rule.objects.all().delete()
    Alert.objects.all().delete()
    Channel.objects.get_or_create(name="ops", kind="webhook")
    incident_range = range(40, TICK_COUNT - 60)
    calls = [
        (5, 5) if n in incident_range and (n - 40) % INCIDENT_EVERY < INCIDENT_BUCKETS else (10, 0)
        for n in range(TICK_COUNT)
    ]
    write_calls(make_process(NOON, NOON + TICK_COUNT * BUCKET), NOON, calls, platform="two-evaluators")
    on_platform = {"label": "platform", "op": "=", "values": ["two-evaluators"]}
    failed = {"label": "outcome", "op": "=", "values": ["busy"]}
    Rule.objects.create(
        name="two-evaluators",
        title="two evaluators",
        kind="ratio",
        metric=CALLS_METRIC,
        matchers=[on_platform, failed],
        denominator=CALLS_METRIC,
        denominator_matchers=[on_platform],
        threshold=0.05,
        resolve_threshold=0.03,
    )
    connection.close()
    return len(range(40, TICK_COUNT - 60, INCIDENT_EVERY))


def _evaluate_all(barrier: Barrier, results: "multiprocessing.Queue[int | str]") -> None:
    """Put the number of ticks that this process claimed, or its exception, into the queue."""
    try:
        import django

        django.setup()
        from monitoring.rules.evaluator import run_evaluation
        from testing.data.samples import BUCKET, NOON

        own_ticks = 0
        for tick in range(1, TICK_COUNT + 1):
            barrier.wait(BARRIER_TIMEOUT_SECONDS)
            own_ticks += len(run_evaluation(NOON + tick * BUCKET + timedelta(seconds=1)))
        results.put(own_ticks)
    except Exception as error:  # noqa: BLE001 - reported to the parent
        barrier.abort()
        results.put(repr(error))


def _build_result(incidents: int, ticks_by_process: list[int | str], seconds: float) -> BenchmarkResult:
    from monitoring.models import AlertNote, Delivery

    kinds = Counter(AlertNote.objects.values_list("kind", flat=True))
    messages = Counter(Delivery.objects.values_list("kind", flat=True))
    is_held = all(counts[kind] == incidents for counts in (kinds, messages) for kind in ("fired", "resolved"))
    return BenchmarkResult(
        f"{EVALUATOR_COUNT} evaluators at once over {TICK_COUNT:,} ticks",
        "one alert per incident",
        f"{incidents} incidents: {kinds['fired']} fired, {kinds['resolved']} resolved, "
        f"{messages['fired'] + messages['resolved']} messages; ticks per process {ticks_by_process}; {seconds:.0f} s",
        is_held and all(isinstance(share, int) and share > 0 for share in ticks_by_process),
    )


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    sys.exit(run_measurements("alerts-evaluators", [("two evaluators", measure_evaluators)]))
