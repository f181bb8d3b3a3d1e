"""Concurrency and rate limits: slots shared by processes of which some are killed, and costs: `make bench-limits`.

python -m bench.limits [--rounds N] [--calls N]
"""

import argparse
import asyncio
import statistics
import sys

import django

from bench.environment import running_services_with_redis
from bench.harness import BenchmarkResult, info_only, run_measurements
from testing.workers.contention import run_contention

SLOTS = 10


def check_concurrency_cap(redis_url: str, rounds: int, *, max_task_seconds: float = 1.0) -> list[BenchmarkResult]:
    """Let processes contend for slots while some are killed."""
    # Tasks are long enough that others still wait for slots when the leases of the killed processes expire.
    results = [
        run_contention(redis_url, processes=4, tasks=50, slots=SLOTS, kills=2, max_task_seconds=max_task_seconds)
        for _ in range(rounds)
    ]
    max_concurrent = max(result.max_concurrent for result in results)
    recovery_seconds = [seconds for result in results for seconds in result.recovery_seconds]
    return [
        BenchmarkResult(
            f"concurrency limit of {SLOTS} under kill -9, 4 processes x 50 tasks, 2 killed, {rounds} rounds",
            "never exceeded",
            f"at most {max_concurrent} at once, of {sum(result.completed_tasks for result in results):,} tasks",
            max_concurrent <= SLOTS,
        ),
        BenchmarkResult(
            "slots of a killed holder taken again",
            "within 3 s",
            f"{max(recovery_seconds):.2f} s at most, {statistics.median(recovery_seconds):.2f} s median, "
            f"{len(recovery_seconds)} kills",
            max(recovery_seconds) <= 3,
        ),
    ]


def report_limit_cost(redis_url: str, calls: int) -> list[BenchmarkResult]:
    """Measure the cost of each limiter."""
    from bench.limits.cost import measure_seconds_per_call  # needs Django

    seconds_by_limiter = asyncio.run(measure_seconds_per_call(redis_url, calls))
    return [
        info_only(f"cost of {name}", f"{1e6 * seconds:,.0f} µs a call") for name, seconds in seconds_by_limiter.items()
    ]


def main() -> int:
    """Run all measurements."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="rounds of four processes each (default 5)")
    parser.add_argument("--calls", type=int, default=2000, help="calls to time (default 2000)")
    options = parser.parse_args()
    with running_services_with_redis(parser) as redis_url:
        django.setup()
        return run_measurements(
            "limits",
            [
                ("slots under kills", lambda: check_concurrency_cap(redis_url, options.rounds)),
                ("cost of a limit", lambda: report_limit_cost(redis_url, options.calls)),
            ],
        )


if __name__ == "__main__":
    sys.exit(main())
