"""The jobs: how soon they start, how many, what each costs: `make bench-jobs`.

python -m bench.jobs [--starts N] [--heap N] [--crowds 10,50,200] [--diagnoses N] [--seed N]
"""

import argparse
import math
import sys
from collections.abc import Sequence

from bench.environment import running_redis
from bench.harness import BenchmarkResult, run_measurements, with_label

WORKER_CONCURRENCY = 10


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which a share of them is."""
    return sorted(values)[math.ceil(share * len(values)) - 1]


def check_start_delay(redis_url: str, starts: int, backlog: int) -> list[BenchmarkResult]:
    """acceptance to start, beside celery's"""
    from bench.jobs.environment import run_jobs_environment
    from bench.jobs.start_delay import measure_jobs_per_second, measure_start_delays, run_celery_worker

    with (
        run_jobs_environment(redis_url, worker_concurrency=WORKER_CONCURRENCY) as bench,
        run_celery_worker(redis_url, WORKER_CONCURRENCY) as jobs,
    ):
        found = measure_start_delays(bench, jobs, starts)
        ours, celerys = measure_jobs_per_second(bench, jobs, backlog)
    p50, p99 = (1000 * quantile(found.site_seconds, share) for share in (0.5, 0.99))
    p50_of_celery, p99_of_celery = (1000 * quantile(found.celery_seconds, share) for share in (0.5, 0.99))
    return [
        BenchmarkResult(
            f"accepted -> started, {starts} orders",
            "p50 <= 50 ms, p99 <= 300 ms",
            f"p50 {p50:.0f} ms, p99 {p99:.0f} ms; celery on Redis {p50_of_celery:.0f} and {p99_of_celery:.0f} ms",
            p50 <= 50 and p99 <= 300,
        ),
        BenchmarkResult(
            f"jobs/s, a heap of {backlog}, {WORKER_CONCURRENCY} at once",
            "told",
            f"{ours:.0f} whole diagnoses of one call each, ordered over HTTP; {celerys:.0f} of celery, of nothing",
            True,
        ),
    ]


def check_concurrent_diagnoses(redis_url: str, counts: list[int]) -> list[BenchmarkResult]:
    """many diagnoses at once in one worker process"""
    from bench.jobs.concurrency import measure_concurrency_levels
    from bench.jobs.environment import run_jobs_environment

    with run_jobs_environment(
        redis_url, worker_concurrency=max(counts) + 10, platform_concurrency=max(counts) + 10
    ) as bench:
        found = measure_concurrency_levels(bench, counts)
    figures = []
    for one in found:
        is_most = one.count == max(counts)
        figures.append(
            BenchmarkResult(
                f"{one.count} diagnoses at once in one worker process",
                "all progress; <= 1 MB each" if is_most else "told",
                f"{one.in_progress} progress; {one.bytes_per_diagnosis / 1e6:.2f} MB each",
                not is_most or (one.in_progress >= one.count and one.bytes_per_diagnosis <= 1e6),
            )
        )
    return figures


def check_overhead(redis_url: str, rounds: int) -> BenchmarkResult:
    """overhead of a diagnosis"""
    from bench.jobs.concurrency import measure_overhead
    from bench.jobs.environment import run_jobs_environment

    with run_jobs_environment(redis_url, worker_concurrency=WORKER_CONCURRENCY) as bench:
        share = measure_overhead(bench, rounds)
    return BenchmarkResult(
        "a diagnosis of 40 calls of 0.5 s (4 platforms, 5 at once each), from acceptance to end, over its 1 s ideal",
        "<= 15 % (aim: 5)",
        f"{share:.1%} (median of {rounds})",
        share <= 0.15,
    )


def check_transient_failures(redis_url: str, diagnoses: int, seed: int) -> BenchmarkResult:
    """calls that fail once"""
    from bench.jobs.concurrency import measure_transient_failures
    from bench.jobs.environment import run_jobs_environment

    with run_jobs_environment(redis_url, worker_concurrency=50, platform_concurrency=50) as bench:
        failed, calls = measure_transient_failures(bench, diagnoses, questions=5, seed=seed)
    return BenchmarkResult(
        f"of {diagnoses} diagnoses with 5 calls each, failed for good when 5 % of the calls fail once",
        "< 1 %",
        f"{failed / diagnoses:.1%} ({failed}; {calls} calls failed and were made again; seed {seed})",
        failed / diagnoses < 0.01 and calls > 0,
    )


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--starts", type=int, default=200, help="orders, each when the one before has begun (default 200)"
    )
    parser.add_argument("--heap", type=int, default=300, help="orders all at once (default 300)")
    parser.add_argument("--crowds", default="10,50,200", help="diagnoses at once (default 10,50,200)")
    parser.add_argument("--rounds", type=int, default=9, help="of the diagnosis of 40 calls (default 9)")
    parser.add_argument("--diagnoses", type=int, default=300, help="with calls that fail once (default 300)")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with running_redis(parser) as redis_url:
        measurements = [
            with_label("acceptance to start", lambda: check_start_delay(redis_url, options.starts, options.heap)),
            with_label("overhead of a diagnosis", lambda: check_overhead(redis_url, options.rounds)),
            with_label(
                "calls that fail once", lambda: check_transient_failures(redis_url, options.diagnoses, options.seed)
            ),
            with_label(
                "many at once",
                lambda: check_concurrent_diagnoses(redis_url, [int(one) for one in options.crowds.split(",")]),
            ),
        ]
        return run_measurements("jobs", measurements)


if __name__ == "__main__":
    sys.exit(main())
