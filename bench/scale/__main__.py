"""How cost grows, and a simulation of the queue held against the real site on one and on two worker processes.

python -m bench.scale [--orders N] [--seed N] [--sizes 100,1000,10000]
"""

import argparse
import math
import statistics
import sys
from collections.abc import Sequence
from itertools import pairwise

from bench.environment import running_redis
from bench.harness import BenchmarkResult, run_measurements, with_label
from bench.scale.queueing import PlannedDiagnosis, QueueModel, Timing, simulate_queue

WORKER_SLOTS = 4
SIMULATED_CALLS = 4
CALL_SECONDS_RANGE = (0.4, 2.0)
TARGET_UTILIZATION = 0.85  # of what the places can take
MAX_DEVIATION = 0.20
MAX_LIST_MS, MAX_LIST_QUERIES = 1000, 20


def check_model(redis_url: str, processes: int, orders: int, seed: int) -> list[BenchmarkResult]:
    """The same orders simulated and served."""
    from bench.scale.site_run import generate_arrivals, run_on_site

    unloaded_plan = generate_arrivals(12, rate=0.2, calls=SIMULATED_CALLS, seconds=CALL_SECONDS_RANGE, seed=seed)
    unloaded_run = run_on_site(unloaded_plan, redis_url, processes=processes, worker_slots=WORKER_SLOTS)
    costs = _estimate_overheads(unloaded_plan, unloaded_run.timings)
    max_call_seconds = statistics.mean(max(seconds for _, seconds in order.calls) for order in unloaded_plan)
    rate = TARGET_UTILIZATION * processes * WORKER_SLOTS / (max_call_seconds + sum(costs))
    plan = generate_arrivals(orders, rate=rate, calls=SIMULATED_CALLS, seconds=CALL_SECONDS_RANGE, seed=seed)
    served = run_on_site(plan, redis_url, processes=processes, worker_slots=WORKER_SLOTS)
    capacity = QueueModel(processes, WORKER_SLOTS, 1000, start_seconds=costs[0], diagnosis_seconds=costs[1])
    measured, simulated = served.timings, simulate_queue(capacity, plan)
    what = (
        f"{orders} orders at {rate:.2f}/s, {processes} worker process{'es' if processes > 1 else ''} of {WORKER_SLOTS}"
    )
    return [
        _compare(
            f"{what}: until the start, mean",
            [one.wait_seconds for one in simulated],
            [one.wait_seconds for one in measured],
        ),
        _compare(
            f"{what}: until the end, mean",
            [one.total_seconds for one in simulated],
            [one.total_seconds for one in measured],
        ),
        _compare(
            f"{what}: until the end, 95th of 100",
            [_get_quantile([one.total_seconds for one in simulated], 0.95)],
            [_get_quantile([one.total_seconds for one in measured], 0.95)],
        ),
    ]


def report_processor_costs(redis_url: str, seed: int, diagnoses: int = 60) -> list[BenchmarkResult]:
    """what a diagnosis costs in processor time"""
    from bench.scale.site_run import generate_arrivals, run_on_site

    few, many = 1, 11
    spent = [
        run_on_site(
            generate_arrivals(diagnoses, rate=4, calls=calls, seconds=(0.1, 0.2), seed=seed),
            redis_url,
            processes=1,
            worker_slots=100,
        ).seconds
        for calls in (few, many)
    ]
    figures = []
    for part in spent[0]:
        each = [1000 * one[part] / diagnoses for one in spent]
        call = (each[1] - each[0]) / (many - few)
        measured = f"{each[0] - few * call:.1f} ms a diagnosis and {call:.1f} ms a call"
        figures.append(BenchmarkResult(f"processor time of the {part}", "told", measured, True))
    return figures


def _estimate_overheads(orders: Sequence[PlannedDiagnosis], timings: Sequence[Timing]) -> tuple[float, float]:
    """(seconds until the start, seconds beside the longest call) of orders that waited for nobody."""
    start = statistics.median(course.wait_seconds for course in timings)
    overhead = statistics.median(
        course.total_seconds - course.wait_seconds - max(seconds for _, seconds in order.calls)
        for order, course in zip(orders, timings, strict=True)
    )
    return start, overhead


def _compare(figure: str, simulated_values: Sequence[float], measured_values: Sequence[float]) -> BenchmarkResult:
    simulated, measured = statistics.mean(simulated_values), statistics.mean(measured_values)
    deviation = simulated / measured - 1
    return BenchmarkResult(
        figure,
        f"simulated within {MAX_DEVIATION:.0%} of what was measured",
        f"simulated {simulated:.2f} s, measured {measured:.2f} s ({deviation:+.0%})",
        abs(deviation) <= MAX_DEVIATION,
    )


def _get_quantile(values: Sequence[float], share: float) -> float:
    return sorted(values)[math.ceil(share * len(values)) - 1]


def check_growth(sizes: Sequence[int]) -> list[BenchmarkResult]:
    """look-ups at more and more rows"""
    from bench.alerts.database import start_bench_database

    start_bench_database()
    from bench.scale import growth

    found = []
    for count in sizes:
        growth.truncate_tables()
        found.append(growth.measure_lookups(count))
    figures = [
        BenchmarkResult(
            f"{name}: {' -> '.join(f'{one.rows:,}' for one in found)} rows",
            "at most twice the time for ten times the rows",
            " -> ".join(f"{one.milliseconds[name]:.2f} ms" for one in found),
            all(after <= 2 * before + 0.5 for before, after in pairwise(one.milliseconds[name] for one in found)),
        )
        for name in growth.LOOKUPS
    ]
    lists = growth.time_admin_lists()
    slowest = max(lists, key=lambda path: lists[path][0])
    milliseconds, queries = lists[slowest][0], max(count for _, count in lists.values())
    figures.append(
        BenchmarkResult(
            f"the slowest of {len(lists)} lists of the admin at {found[-1].rows:,} rows",
            f"<= {MAX_LIST_MS} ms; no list with more than {MAX_LIST_QUERIES} queries",
            f"{milliseconds:.0f} ms ({slowest}), {queries} queries at most",
            milliseconds <= MAX_LIST_MS and queries <= MAX_LIST_QUERIES,
        )
    )
    kibibytes = found[-1].bytes_per_diagnosis / 1024
    return [
        *figures,
        BenchmarkResult("a diagnosis of 28 answers, 60 events in the database", "told", f"{kibibytes:.0f} KiB", True),
    ]


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orders", type=int, default=200, help="orders for the model, for each house (default 200)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sizes", default="100,1000,10000", help="diagnoses in the database (default 100,1000,10000)")
    options = parser.parse_args()
    with running_redis(parser) as redis_url:
        measurements = [
            with_label("the model with one process", lambda: check_model(redis_url, 1, options.orders, options.seed)),
            with_label("the model with two processes", lambda: check_model(redis_url, 2, options.orders, options.seed)),
            with_label("costs", lambda: report_processor_costs(redis_url, options.seed)),
            with_label("growth", lambda: check_growth([int(one) for one in options.sizes.split(",")])),
        ]
        return run_measurements("scale", measurements)


if __name__ == "__main__":
    sys.exit(main())
