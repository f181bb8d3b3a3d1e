"""Many diagnoses at once in one worker process, what a diagnosis costs over its calls, and calls that fail once."""

import random
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import psutil

from bench.jobs.environment import FAKE_PLATFORMS, JobsEnvironment, fail_some_calls_once, have_ended
from testing.fake_platform import hold_response, respond_with_answer
from testing.invariants import StartedDiagnosis
from testing.services import wait_until


@dataclass(frozen=True)
class ConcurrencyMeasurement:
    """So many at once: how many had an answer and were under way, and bytes of memory for each above an idle worker."""

    count: int
    in_progress: int
    bytes_per_diagnosis: float


def measure_concurrency_levels(bench: JobsEnvironment, counts: list[int]) -> list[ConcurrencyMeasurement]:
    """Diagnoses that each have one answer and wait for the other; more and more of them, and all end at last."""
    worker = _build_memory_reader(bench)
    idle, orders, found = worker(), list[StartedDiagnosis](), list[ConcurrencyMeasurement]()
    bench.fake.set_behaviour(respond_with_answer(), model="p1")
    bench.fake.set_behaviour(hold_response(), model="p2")
    for count in counts:
        orders += bench.request_diagnoses(count - len(orders), platforms=("p1", "p2"))
        wait_until(lambda: bench.fake.in_flight["p2"] >= count, f"{count} to wait for their second answer", 300)  # noqa: B023
        wait_until(lambda: _count_in_progress(bench, orders) >= count, f"{count} to have their first answer", 300)  # noqa: B023
        found.append(ConcurrencyMeasurement(count, _count_in_progress(bench, orders), (worker() - idle) / count))
    bench.fake.release()
    wait_until(lambda: have_ended(bench, orders), "all to end", 300)
    return found


def _build_memory_reader(bench: JobsEnvironment) -> Callable[[], int]:
    process = psutil.Process(bench.worker.pid)
    return lambda: int(process.memory_full_info().uss)


def _count_in_progress(bench: JobsEnvironment, orders: list[StartedDiagnosis]) -> int:
    rows = bench.site.query(
        "SELECT count(*) FROM diagnosis_diagnosis WHERE id = ANY(%s) AND status = 'asking' AND valid = 1",
        [one.id for one in orders],
    )
    return int(rows[0][0])


def measure_overhead(bench: JobsEnvironment, rounds: int, *, questions: int = 10, call_seconds: float = 0.5) -> float:
    """Median share that a diagnosis takes, from acceptance to end, over what its calls take, five at once each."""
    bench.fake.set_behaviour(respond_with_answer(delay_seconds=call_seconds))
    ideal = -(-questions // 5) * call_seconds
    orders = []
    for _ in range(rounds):
        one = bench.request_diagnosis(FAKE_PLATFORMS, questions=questions)
        time.sleep(ideal)  # to ask sooner would only take processor time from what is measured
        wait_until(lambda: have_ended(bench, [one]), "it to end")  # noqa: B023
        orders.append(one)
    rows = bench.site.query(
        "SELECT extract(epoch FROM finished_at - created_at)::float FROM diagnosis_diagnosis WHERE id = ANY(%s)",
        [one.id for one in orders],
    )
    return float(statistics.median(row[0] for row in rows)) / ideal - 1


def measure_transient_failures(bench: JobsEnvironment, count: int, *, questions: int, seed: int) -> tuple[int, int]:
    """How many of so many diagnoses did not complete though 5 % of their calls failed once, and how many calls did."""
    bench.fake.set_behaviour(fail_some_calls_once(0.05, random.Random(seed)))
    before = len(bench.fake.calls)
    orders = bench.request_diagnoses(count, questions=questions)
    wait_until(lambda: have_ended(bench, orders), "all to end", 600)
    repeated_calls = len(bench.fake.calls) - before - count * questions
    rows = bench.site.query(
        "SELECT count(*) FROM diagnosis_diagnosis WHERE id = ANY(%s) AND status <> 'completed'",
        [one.id for one in orders],
    )
    return int(rows[0][0]), repeated_calls
