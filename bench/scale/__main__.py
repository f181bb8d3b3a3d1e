"""A simulation of the queue compared with the real site, CPU costs, growth with rows: `make bench-scale`.

python -m bench.scale [--orders N] [--seed N] [--sizes 100,1000,10000]
"""

import argparse
import statistics
import sys
from collections.abc import Sequence
from itertools import pairwise

from bench.environment import running_services_with_redis, start_bench_database
from bench.harness import BenchmarkResult, Measure, get_quantile, info_only, run_measurements
from bench.scale.queueing import PlannedDiagnosis, QueueModel, Timing, simulate_queue
from bench.scale.site_run import generate_arrivals, run_on_site

WORKER_SLOTS = 4
SIMULATED_CALLS = 4
CALL_SECONDS_RANGE = (0.4, 2.0)
TARGET_UTILIZATION = 0.85  # of the worker slots
MAX_DEVIATION = 0.20
MAX_LIST_MS, MAX_LIST_QUERIES = 1000, 20


def check_model(redis_url: str, processes: int, orders: int, seed: int) -> list[BenchmarkResult]:
    """Simulate diagnoses and run the same ones on the site."""
    unloaded_plan = generate_arrivals(12, rate=0.2, calls=SIMULATED_CALLS, seconds=CALL_SECONDS_RANGE, seed=seed)
    unloaded_run = run_on_site(unloaded_plan, redis_url, processes=processes, worker_slots=WORKER_SLOTS)
    costs = _estimate_overheads(unloaded_plan, unloaded_run.timings)
    max_call_seconds = statistics.mean(max(seconds for _, seconds in order.calls) for order in unloaded_plan)
    rate = TARGET_UTILIZATION * processes * WORKER_SLOTS / (max_call_seconds + sum(costs))
    plan = generate_arrivals(orders, rate=rate, calls=SIMULATED_CALLS, seconds=CALL_SECONDS_RANGE, seed=seed)
    served = run_on_site(plan, redis_url, processes=processes, worker_slots=WORKER_SLOTS)
    capacity = QueueModel(processes, WORKER_SLOTS, 1000, start_seconds=costs[0], diagnosis_seconds=costs[1])
    measured, simulated = served.timings, simulate_queue(capacity, plan)
    load = f"{orders} diagnoses at {rate:.2f}/s, worker processes of {WORKER_SLOTS}: {processes}"
    (simulated_waits, simulated_totals), (waits, totals) = map(_transpose, (simulated, measured))
    return [
        _compare(f"{load}: until the start, mean", statistics.mean(simulated_waits), statistics.mean(waits)),
        _compare(f"{load}: until the end, mean", statistics.mean(simulated_totals), statistics.mean(totals)),
        _compare(f"{load}: until the end, p95", get_quantile(simulated_totals, 0.95), get_quantile(totals, 0.95)),
    ]


def _transpose(timings: Sequence[Timing]) -> tuple[list[float], list[float]]:
    return [timing.wait_seconds for timing in timings], [timing.total_seconds for timing in timings]


def report_cpu_costs(redis_url: str, seed: int, diagnoses: int = 60) -> list[BenchmarkResult]:
    """Measure the CPU time of a diagnosis and of a call, by process."""
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
    results = []
    for part in spent[0]:
        milliseconds = [1000 * seconds[part] / diagnoses for seconds in spent]
        per_call = (milliseconds[1] - milliseconds[0]) / (many - few)
        measured = f"{milliseconds[0] - few * per_call:.1f} ms a diagnosis and {per_call:.1f} ms a call"
        results.append(info_only(f"CPU time of the {part}", measured))
    return results


def _estimate_overheads(orders: Sequence[PlannedDiagnosis], timings: Sequence[Timing]) -> tuple[float, float]:
    """Return the median seconds until the start, and those in addition to the longest call, on an unloaded site."""
    start = statistics.median(timing.wait_seconds for timing in timings)
    overhead = statistics.median(
        timing.total_seconds - timing.wait_seconds - max(seconds for _, seconds in planned.calls)
        for planned, timing in zip(orders, timings, strict=True)
    )
    return start, overhead


def _compare(figure: str, simulated: float, measured: float) -> BenchmarkResult:
    deviation = simulated / measured - 1
    return BenchmarkResult(
        figure,
        f"simulated within {MAX_DEVIATION:.0%} of measured",
        f"simulated {simulated:.2f} s, measured {measured:.2f} s ({deviation:+.0%})",
        abs(deviation) <= MAX_DEVIATION,
    )


def check_growth(sizes: Sequence[int]) -> list[BenchmarkResult]:
    """Measure lookups and admin lists with more and more rows."""
    start_bench_database()
    from bench.scale import growth  # needs Django

    measurements = []
    for count in sizes:
        growth.truncate_tables()
        measurements.append(growth.measure_lookups(count))
    results = [
        BenchmarkResult(
            f"{name}: {' -> '.join(f'{size.rows:,}' for size in measurements)} rows",
            "at most twice the time for ten times the rows",
            " -> ".join(f"{size.milliseconds[name]:.2f} ms" for size in measurements),
            all(
                after <= 2 * before + 0.5
                for before, after in pairwise(size.milliseconds[name] for size in measurements)
            ),
        )
        for name in growth.LOOKUPS
    ]
    lists = growth.time_admin_lists()
    slowest = max(lists, key=lambda path: lists[path][0])
    milliseconds, queries = lists[slowest][0], max(count for _, count in lists.values())
    results.append(
        BenchmarkResult(
            f"the slowest of {len(lists)} lists of the admin at {measurements[-1].rows:,} rows",
            f"<= {MAX_LIST_MS} ms; no list with more than {MAX_LIST_QUERIES} queries",
            f"{milliseconds:.0f} ms ({slowest}), {queries} queries at most",
            milliseconds <= MAX_LIST_MS and queries <= MAX_LIST_QUERIES,
        )
    )
    kibibytes = measurements[-1].bytes_per_diagnosis / 1024
    return [*results, info_only("a diagnosis of 28 answers, 60 events in the database", f"{kibibytes:.0f} KiB")]


def main() -> int:
    """Run all measurements."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orders", type=int, default=200, help="diagnoses per simulation (default 200)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sizes", default="100,1000,10000", help="diagnoses in the database (default 100,1000,10000)")
    options = parser.parse_args()
    with running_services_with_redis(parser) as redis_url:
        sizes = [int(size) for size in options.sizes.split(",")]
        measurements: list[tuple[str, Measure]] = [
            ("model with one process", lambda: check_model(redis_url, 1, options.orders, options.seed)),
            ("model with two processes", lambda: check_model(redis_url, 2, options.orders, options.seed)),
            ("CPU costs", lambda: report_cpu_costs(redis_url, options.seed)),
            ("growth", lambda: check_growth(sizes)),
        ]
        return run_measurements("scale", measurements)


if __name__ == "__main__":
    sys.exit(main())
