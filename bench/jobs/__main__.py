"""Jobs: start delay, concurrency, overhead of a diagnosis, transient failures: `make bench-jobs`.

python -m bench.jobs [--starts N] [--heap N] [--crowds 10,50,200] [--rounds N] [--diagnoses N] [--seed N]
"""

import argparse
import sys

from bench.environment import running_services_with_redis
from bench.harness import INFO_ONLY, BenchmarkResult, get_quantile, info_only, run_measurements
from bench.jobs.concurrency import measure_concurrency_levels, measure_overhead, measure_transient_failures
from bench.jobs.environment import running_jobs_environment
from bench.jobs.start_delay import measure_jobs_per_second, measure_start_delays, running_celery_worker

WORKER_CONCURRENCY = 10


def check_start_delay(redis_url: str, starts: int, backlog: int) -> list[BenchmarkResult]:
    """Compare the delay from acceptance to start, and the jobs per second, with celery's."""
    with (
        running_jobs_environment(redis_url, worker_concurrency=WORKER_CONCURRENCY) as bench,
        running_celery_worker(redis_url, WORKER_CONCURRENCY) as celery,
    ):
        delays = measure_start_delays(bench, celery, starts)
        diagnoses_per_second, celery_jobs_per_second = measure_jobs_per_second(bench, celery, backlog)
    p50, p99 = (1000 * get_quantile(delays.site_seconds, share) for share in (0.5, 0.99))
    celery_p50, celery_p99 = (1000 * get_quantile(delays.celery_seconds, share) for share in (0.5, 0.99))
    return [
        BenchmarkResult(
            f"accepted -> started, {starts} diagnoses",
            "p50 <= 50 ms, p99 <= 300 ms",
            f"p50 {p50:.0f} ms, p99 {p99:.0f} ms; celery on Redis {celery_p50:.0f} and {celery_p99:.0f} ms",
            p50 <= 50 and p99 <= 300,
        ),
        info_only(
            f"jobs/s, a backlog of {backlog}, {WORKER_CONCURRENCY} at once",
            f"{diagnoses_per_second:.0f} diagnoses of one call each, requested over HTTP; "
            f"{celery_jobs_per_second:.0f} empty jobs of celery",
        ),
    ]


def check_concurrent_diagnoses(redis_url: str, counts: list[int]) -> list[BenchmarkResult]:
    """Run more and more diagnoses at once in one worker process; only the largest number has a target."""
    limit = max(counts) + 10
    with running_jobs_environment(redis_url, worker_concurrency=limit, platform_concurrency=limit) as bench:
        levels = measure_concurrency_levels(bench, counts)
    return [
        BenchmarkResult(
            f"{level.count} diagnoses at once in one worker process",
            "all progress; <= 1 MB each" if level.count == max(counts) else INFO_ONLY,
            f"{level.in_progress} progress; {level.bytes_per_diagnosis / 1e6:.2f} MB each",
            level.count < max(counts) or (level.in_progress >= level.count and level.bytes_per_diagnosis <= 1e6),
        )
        for level in levels
    ]


def check_overhead(redis_url: str, rounds: int) -> BenchmarkResult:
    """Compare the duration of a diagnosis with that of its calls."""
    with running_jobs_environment(redis_url, worker_concurrency=WORKER_CONCURRENCY) as bench:
        share = measure_overhead(bench, rounds)
    return BenchmarkResult(
        "a diagnosis of 40 calls of 0.5 s (4 platforms, 5 at once each), from acceptance to end, over its 1 s ideal",
        "<= 15 % (aim: 5)",
        f"{share:.1%} (median of {rounds})",
        share <= 0.15,
    )


def check_transient_failures(redis_url: str, diagnoses: int, seed: int) -> BenchmarkResult:
    """Count the diagnoses that do not complete although every failed call succeeds when retried."""
    with running_jobs_environment(redis_url, worker_concurrency=50, platform_concurrency=50) as bench:
        failed, retried = measure_transient_failures(bench, diagnoses, questions=5, seed=seed)
    return BenchmarkResult(
        f"of {diagnoses} diagnoses with 5 calls each, not completed when 5 % of the calls fail once",
        "< 1 %",
        f"{failed / diagnoses:.1%} ({failed}; {retried} calls failed and were retried; seed {seed})",
        failed / diagnoses < 0.01 and retried > 0,
    )


def main() -> int:
    """Run all measurements."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--starts", type=int, default=200, help="diagnoses, one after the other (default 200)")
    parser.add_argument("--heap", type=int, default=300, help="diagnoses requested all at once (default 300)")
    parser.add_argument("--crowds", default="10,50,200", help="diagnoses that run at once (default 10,50,200)")
    parser.add_argument("--rounds", type=int, default=9, help="rounds of the diagnosis of 40 calls (default 9)")
    parser.add_argument("--diagnoses", type=int, default=300, help="diagnoses whose calls fail once (default 300)")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with running_services_with_redis(parser) as redis_url:
        counts = [int(count) for count in options.crowds.split(",")]
        return run_measurements(
            "jobs",
            [
                ("start delay", lambda: check_start_delay(redis_url, options.starts, options.heap)),
                ("overhead of a diagnosis", lambda: check_overhead(redis_url, options.rounds)),
                ("transient failures", lambda: check_transient_failures(redis_url, options.diagnoses, options.seed)),
                ("concurrent diagnoses", lambda: check_concurrent_diagnoses(redis_url, counts)),
            ],
        )


if __name__ == "__main__":
    sys.exit(main())
