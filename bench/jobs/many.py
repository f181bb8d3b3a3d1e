"""Many diagnoses at once in one worker process, what a diagnosis costs over its calls, and calls that fail once."""

import random
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import psutil

from bench.jobs.site import PLATFORMS, Bench, ended, fail_once
from diagsite.tests.fake_platform import answer, hold
from diagsite.tests.proof import Ordered
from diagsite.tests.services import wait_until


@dataclass(frozen=True)
class Crowd:
    """So many at once: how many had an answer and were under way, and bytes of memory for each above an idle worker."""

    count: int
    in_progress: int
    bytes_each: float


def measure_crowds(bench: Bench, counts: list[int]) -> list[Crowd]:
    """Diagnoses that each have one answer and wait for the other; more and more of them, and all end at last."""
    worker = _memory_of(bench)
    idle, orders, found = worker(), list[Ordered](), list[Crowd]()
    bench.fake.behave(answer(), model="p1")
    bench.fake.behave(hold(), model="p2")
    for count in counts:
        orders += bench.order_many(count - len(orders), platforms=("p1", "p2"))
        wait_until(lambda: bench.fake.in_flight["p2"] >= count, f"{count} to wait for their second answer", 300)  # noqa: B023
        wait_until(lambda: _in_progress(bench, orders) >= count, f"{count} to have their first answer", 300)  # noqa: B023
        found.append(Crowd(count, _in_progress(bench, orders), (worker() - idle) / count))
    bench.fake.release()
    wait_until(lambda: ended(bench, orders), "all to end", 300)
    return found


def _memory_of(bench: Bench) -> Callable[[], int]:
    process = psutil.Process(bench.worker.pid)
    return lambda: int(process.memory_full_info().uss)


def _in_progress(bench: Bench, orders: list[Ordered]) -> int:
    rows = bench.site.query(
        "SELECT count(*) FROM diagnosis_diagnosis WHERE id = ANY(%s) AND status = 'asking' AND valid = 1",
        [one.id for one in orders],
    )
    return int(rows[0][0])


def measure_overhead(bench: Bench, rounds: int, *, questions: int = 10, call_seconds: float = 0.5) -> float:
    """Median share that a diagnosis takes, from acceptance to end, over what its calls take, five at once each."""
    bench.fake.behave(answer(after=call_seconds))
    ideal = -(-questions // 5) * call_seconds
    orders = []
    for _ in range(rounds):
        one = bench.order(PLATFORMS, questions=questions)
        time.sleep(ideal)  # to ask sooner would only take processor time from what is measured
        wait_until(lambda: ended(bench, [one]), "it to end")  # noqa: B023
        orders.append(one)
    rows = bench.site.query(
        "SELECT extract(epoch FROM finished_at - created_at)::float FROM diagnosis_diagnosis WHERE id = ANY(%s)",
        [one.id for one in orders],
    )
    return float(statistics.median(row[0] for row in rows)) / ideal - 1


def measure_failures(bench: Bench, count: int, *, questions: int, seed: int) -> tuple[int, int]:
    """How many of so many diagnoses did not complete though 5 % of their calls failed once, and how many calls did."""
    bench.fake.behave(fail_once(0.05, random.Random(seed)))
    before = len(bench.fake.calls)
    orders = bench.order_many(count, questions=questions)
    wait_until(lambda: ended(bench, orders), "all to end", 600)
    again = len(bench.fake.calls) - before - count * questions
    rows = bench.site.query(
        "SELECT count(*) FROM diagnosis_diagnosis WHERE id = ANY(%s) AND status <> 'completed'",
        [one.id for one in orders],
    )
    return int(rows[0][0]), again
