"""The limits: places that processes share while some are killed, and what a limit costs: `make bench-limits`.

python -m bench.limits [--rounds N] [--calls N]
"""

import argparse
import asyncio
import os
import sys

from bench.environment import running_redis
from bench.harness import BenchmarkResult, run_measurements, with_label

SLOTS = 10


def check_concurrency_cap(redis_url: str, rounds: int, *, max_task_seconds: float = 1.0) -> list[BenchmarkResult]:
    """Against the promises."""
    from testing.contention import run_contention

    # Tasks of half a second on average, so that the others still want the places when the leases of the killed end.
    found = [
        run_contention(redis_url, processes=4, tasks=50, slots=SLOTS, kills=2, max_task_seconds=max_task_seconds)
        for _ in range(rounds)
    ]
    most = max(one.max_concurrent for one in found)
    waits = [seconds for one in found for seconds in one.recovery_seconds]
    return [
        BenchmarkResult(
            f"concurrency cap of {SLOTS} under kill -9, 4 processes x 50 tasks, 2 killed, {rounds} rounds",
            "never exceeded",
            f"at most {most} at once, of {sum(one.completed_tasks for one in found):,} tasks",
            most <= SLOTS,
        ),
        BenchmarkResult(
            "a killed holder's places taken again",
            "within 3 s",
            f"{max(waits):.2f} s at most, {sorted(waits)[len(waits) // 2]:.2f} s median, {len(waits)} kills",
            max(waits) <= 3,
        ),
    ]


def report_limit_cost(redis_url: str, calls: int) -> list[BenchmarkResult]:
    """What nobody promised."""
    from bench.limits.cost import measure_seconds_per_call

    figures = []
    for what, seconds in asyncio.run(measure_seconds_per_call(redis_url, calls)).items():
        figures.append(BenchmarkResult(f"cost of {what}", "told", f"{1e6 * seconds:,.0f} µs a call", True))
    return figures


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="of four processes each (default 5)")
    parser.add_argument("--calls", type=int, default=2000, help="to time (default 2000)")
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "diagsite.settings")
    with running_redis(parser) as redis_url:
        import django

        django.setup()
        return run_measurements(
            "limits",
            [
                with_label("places under kills", lambda: check_concurrency_cap(redis_url, options.rounds)),
                with_label("what a limit costs", lambda: report_limit_cost(redis_url, options.calls)),
            ],
        )


if __name__ == "__main__":
    sys.exit(main())
