"""Many diagnoses at once in one worker process, the overhead of a diagnosis, and calls that fail once."""

import random
import statistics
import time
from dataclasses import dataclass

import psutil

from bench.jobs.environment import FAKE_PLATFORMS, JobsEnvironment, fail_some_calls_once
from testing.fakes.platform import hold_response, respond_with_answer
from testing.invariants import StartedDiagnosis, wait_until_all_ended
from testing.services import wait_until


@dataclass(frozen=True)
class ConcurrencyMeasurement:
    """Of `count` diagnoses at once, how many progress; memory per diagnosis above that of an idle worker."""

    count: int
    in_progress: int
    bytes_per_diagnosis: float


def measure_concurrency_levels(bench: JobsEnvironment, counts: list[int]) -> list[ConcurrencyMeasurement]:
    """Run diagnoses that have one answer and wait for the other, up to each count; all end afterwards."""
    worker = psutil.Process(bench.worker.pid)
    idle_bytes = worker.memory_full_info().uss
    started, levels = list[StartedDiagnosis](), list[ConcurrencyMeasurement]()
    bench.fake.set_behaviour(respond_with_answer(), model="p1")
    bench.fake.set_behaviour(hold_response(), model="p2")
    for count in counts:
        started += bench.request_diagnoses(count - len(started), platforms=("p1", "p2"))
        wait_until(lambda: bench.fake.in_flight["p2"] >= count, f"{count} to wait for their second answer", 300)  # noqa: B023
        wait_until(lambda: _count_in_progress(bench, started) >= count, f"{count} to have their first answer", 300)  # noqa: B023
        added_bytes = worker.memory_full_info().uss - idle_bytes
        levels.append(ConcurrencyMeasurement(count, _count_in_progress(bench, started), added_bytes / count))
    bench.fake.release()
    wait_until_all_ended(bench.site, 300)
    return levels


def _count_in_progress(bench: JobsEnvironment, started: list[StartedDiagnosis]) -> int:
    rows = bench.site.query(
        "SELECT count(*) FROM diagnosis_diagnosis WHERE id = ANY(%s) AND status = 'asking' AND valid = 1",
        [diagnosis.id for diagnosis in started],
    )
    return int(rows[0][0])


def measure_overhead(bench: JobsEnvironment, rounds: int, *, questions: int = 10, call_seconds: float = 0.5) -> float:
    """Return the median share by which a diagnosis takes longer than its calls, five at once per platform."""
    bench.fake.set_behaviour(respond_with_answer(delay_seconds=call_seconds))
    ideal = -(-questions // 5) * call_seconds
    started = []
    for _ in range(rounds):
        started.append(bench.request_diagnosis(FAKE_PLATFORMS, questions=questions))
        time.sleep(ideal)  # polling would take CPU time from what is measured
        wait_until_all_ended(bench.site)
    rows = bench.site.query(
        "SELECT extract(epoch FROM finished_at - created_at)::float FROM diagnosis_diagnosis WHERE id = ANY(%s)",
        [diagnosis.id for diagnosis in started],
    )
    return float(statistics.median(row[0] for row in rows)) / ideal - 1


def measure_transient_failures(bench: JobsEnvironment, count: int, *, questions: int, seed: int) -> tuple[int, int]:
    """Let 5 % of the calls fail once; return how many diagnoses did not complete, and how many calls were retried."""
    bench.fake.set_behaviour(fail_some_calls_once(0.05, random.Random(seed)))
    before = len(bench.fake.calls)
    started = bench.request_diagnoses(count, questions=questions)
    wait_until_all_ended(bench.site, 600)
    retried = len(bench.fake.calls) - before - count * questions
    rows = bench.site.query(
        "SELECT count(*) FROM diagnosis_diagnosis WHERE id = ANY(%s) AND status <> 'completed'",
        [diagnosis.id for diagnosis in started],
    )
    return int(rows[0][0]), retried
