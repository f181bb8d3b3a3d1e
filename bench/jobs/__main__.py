"""The jobs: how soon they start, how many, what each costs: `make bench-jobs`.

python -m bench.jobs [--starts N] [--heap N] [--crowds 10,50,200] [--diagnoses N] [--seed N]
"""

import argparse
import math
import sys
from collections.abc import Sequence

from bench.alerts.services import own_redis
from bench.figures import Figure, named, report

AT_ONCE = 10


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which a share of them is."""
    return sorted(values)[math.ceil(share * len(values)) - 1]


def measure_starting(redis_url: str, starts: int, heap: int) -> list[Figure]:
    """acceptance to start, beside celery's"""
    from bench.jobs.site import running
    from bench.jobs.starting import celery, jobs_a_second, measure_starts

    with running(redis_url, at_once=AT_ONCE) as bench, celery(redis_url, AT_ONCE) as jobs:
        found = measure_starts(bench, jobs, starts)
        ours, celerys = jobs_a_second(bench, jobs, heap)
    p50, p99 = (1000 * quantile(found.ours, share) for share in (0.5, 0.99))
    p50_of_celery, p99_of_celery = (1000 * quantile(found.celerys, share) for share in (0.5, 0.99))
    return [
        Figure(
            f"accepted -> started, {starts} orders",
            "p50 <= 50 ms, p99 <= 300 ms",
            f"p50 {p50:.0f} ms, p99 {p99:.0f} ms; celery on Redis {p50_of_celery:.0f} and {p99_of_celery:.0f} ms",
            p50 <= 50 and p99 <= 300,
        ),
        Figure(
            f"jobs/s, a heap of {heap}, {AT_ONCE} at once",
            "told",
            f"{ours:.0f} whole diagnoses of one call each, ordered over HTTP; {celerys:.0f} of celery, of nothing",
            True,
        ),
    ]


def measure_crowd(redis_url: str, counts: list[int]) -> list[Figure]:
    """many diagnoses at once in one worker process"""
    from bench.jobs.many import measure_crowds
    from bench.jobs.site import running

    with running(redis_url, at_once=max(counts) + 10, platform_concurrency=max(counts) + 10) as bench:
        found = measure_crowds(bench, counts)
    figures = []
    for one in found:
        is_most = one.count == max(counts)
        figures.append(
            Figure(
                f"{one.count} diagnoses at once in one worker process",
                "all progress; <= 1 MB each" if is_most else "told",
                f"{one.in_progress} progress; {one.bytes_each / 1e6:.2f} MB each",
                not is_most or (one.in_progress >= one.count and one.bytes_each <= 1e6),
            )
        )
    return figures


def measure_one(redis_url: str, rounds: int) -> Figure:
    """overhead of a diagnosis"""
    from bench.jobs.many import measure_overhead
    from bench.jobs.site import running

    with running(redis_url, at_once=AT_ONCE) as bench:
        share = measure_overhead(bench, rounds)
    return Figure(
        "a diagnosis of 40 calls of 0.5 s (4 platforms, 5 at once each), from acceptance to end, over its 1 s ideal",
        "<= 15 % (aim: 5)",
        f"{share:.1%} (median of {rounds})",
        share <= 0.15,
    )


def measure_failing(redis_url: str, diagnoses: int, seed: int) -> Figure:
    """calls that fail once"""
    from bench.jobs.many import measure_failures
    from bench.jobs.site import running

    with running(redis_url, at_once=50, platform_concurrency=50) as bench:
        failed, calls = measure_failures(bench, diagnoses, questions=5, seed=seed)
    return Figure(
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
    with own_redis(parser) as redis_url:
        measurements = [
            named("acceptance to start", lambda: measure_starting(redis_url, options.starts, options.heap)),
            named("overhead of a diagnosis", lambda: measure_one(redis_url, options.rounds)),
            named("calls that fail once", lambda: measure_failing(redis_url, options.diagnoses, options.seed)),
            named("many at once", lambda: measure_crowd(redis_url, [int(one) for one in options.crowds.split(",")])),
        ]
        return report("jobs", measurements)


if __name__ == "__main__":
    sys.exit(main())
