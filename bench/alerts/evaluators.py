"""Two evaluators and a thousand ticks: one alert an incident.

Two processes, each with its own connections, evaluate the same ticks at the same moment, again and again released by a
barrier; incidents come and go meanwhile. Whatever they do to each other, each incident is fired and resolved once.

    python -m bench.alerts.evaluators
"""

import argparse
import multiprocessing
import sys
import time
from collections import Counter
from datetime import timedelta
from multiprocessing.synchronize import Barrier

from bench.alerts.database import use_own_database
from bench.figures import Figure, report

TICKS = 1000
EVALUATORS = 2
INCIDENT_EVERY, INCIDENT_BUCKETS = 125, 30  # buckets of 15 s
RELEASE_SECONDS = 60.0


def measure_evaluators() -> Figure:
    """Two evaluators and a thousand ticks."""
    use_own_database()
    incidents = _prepare()
    started = time.monotonic()
    context = multiprocessing.get_context("spawn")
    barrier, errors = context.Barrier(EVALUATORS), context.Queue()
    processes = [context.Process(target=_evaluate_all, args=(barrier, errors)) for _ in range(EVALUATORS)]
    for process in processes:
        process.start()
    shares = [errors.get() for _ in processes]
    for process in processes:
        process.join()
    return _judge(incidents, shares, time.monotonic() - started)


def _prepare() -> int:
    from django.db import connection

    from monitoring.models import Alert, Channel, Rule
    from monitoring.tests.history import BUCKET, CALLS, NOON, make_process, write_calls

    Rule.objects.all().delete()
    Alert.objects.all().delete()
    Channel.objects.get_or_create(name="ops", kind="webhook")
    troubled = range(40, TICKS - 60)
    calls = [
        (5, 5) if n in troubled and (n - 40) % INCIDENT_EVERY < INCIDENT_BUCKETS else (10, 0) for n in range(TICKS)
    ]
    write_calls(make_process(NOON, NOON + TICKS * BUCKET), NOON, calls, platform="two-evaluators")
    of_platform = {"label": "platform", "op": "=", "values": ["two-evaluators"]}
    failed = {"label": "outcome", "op": "=", "values": ["busy"]}
    Rule.objects.create(
        name="two-evaluators",
        title="two evaluators",
        kind="ratio",
        metric=CALLS,
        matchers=[of_platform, failed],
        denominator=CALLS,
        denominator_matchers=[of_platform],
        threshold=0.05,
        resolve_threshold=0.03,
    )
    connection.close()
    return len(range(40, TICKS - 60, INCIDENT_EVERY))


def _evaluate_all(barrier: Barrier, told: "multiprocessing.Queue[int | str]") -> None:
    """Reports how many ticks were this process's own, or what went wrong."""
    try:
        import django

        django.setup()
        from monitoring.evaluator import evaluate_now
        from monitoring.tests.history import BUCKET, NOON

        own = 0
        for tick in range(1, TICKS + 1):
            barrier.wait(RELEASE_SECONDS)
            own += len(evaluate_now(NOON + tick * BUCKET + timedelta(seconds=1)))
        told.put(own)
    except Exception as error:  # noqa: BLE001 - told to the parent
        barrier.abort()
        told.put(repr(error))


def _judge(incidents: int, shares: list[int | str], seconds: float) -> Figure:
    from monitoring.models import AlertNote, Delivery

    kinds = Counter(AlertNote.objects.values_list("kind", flat=True))
    messages = Counter(Delivery.objects.values_list("kind", flat=True))
    is_held = all(counts[kind] == incidents for counts in (kinds, messages) for kind in ("fired", "resolved"))
    return Figure(
        f"{EVALUATORS} evaluators and {TICKS:,} ticks",
        "one alert per incident",
        f"{incidents} incidents: {kinds['fired']} fired, {kinds['resolved']} resolved, "
        f"{messages['fired'] + messages['resolved']} messages; ticks of each {shares}; {seconds:.0f} s",
        is_held and all(isinstance(share, int) and share > 0 for share in shares),
    )


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    sys.exit(report("alerts-evaluators", [measure_evaluators]))
