"""The cache: hit rate, cached requests, loads of a cold key: `make bench-cache`.

python -m bench.cache [--reports N] [--operations N] [--rounds N] [--seed N]
"""

import argparse
import json
import subprocess
import sys
from typing import Any

import redis

from bench.cache.requests import CachedRequest, measure_calls
from bench.environment import running_services_with_redis
from bench.harness import INFO_ONLY, BenchmarkResult, run_measurements
from bench.jobs.environment import running_jobs_environment
from testing.site import PLATFORM_KEY_SETTINGS, PROJECT_ROOT, build_environment, create_database
from testing.workers.cache_process import count_cold_key_loads

COLD_KEY_ROUNDS = 3


def run_replay_process(redis_url: str, address: str, reports: int, operations: int, seed: int) -> dict[str, Any]:
    """Run `bench.cache.replay` over a site's database, and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.cache.replay", str(reports), str(operations), str(seed)],
        cwd=PROJECT_ROOT,
        env=build_environment(
            address, REDIS_URL=redis_url, DJANGO_SETTINGS_MODULE="diagsite.settings", **PLATFORM_KEY_SETTINGS
        ),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    summary: dict[str, Any] = json.loads(done.stdout)
    return summary


def check_hit_rate(redis_url: str, address: str, reports: int, operations: int, seed: int) -> BenchmarkResult:
    """Measure the hit rate under Zipf-distributed traffic."""
    summary = run_replay_process(redis_url, address, reports, operations, seed)
    hit_rate, lookups = summary["hit_rate"], summary["lookups"]
    return BenchmarkResult(
        f"cache hit rate, Zipf (s = 1.1) over {reports:,} reports, 5 % writes",
        "> 80 %",
        f"{hit_rate:.1%} of {sum(lookups.values()):,} lookups ({lookups}, seed {seed})",
        hit_rate > 0.8,
    )


def check_cached_requests(redis_url: str, address: str, rounds: int) -> list[BenchmarkResult]:
    """Time cached requests over HTTP, with uncached ones for comparison."""
    with running_jobs_environment(redis_url, address=address) as bench:
        return [_build_request_result(request) for request in measure_calls(bench, redis_url, rounds)]


def _build_request_result(request: CachedRequest) -> BenchmarkResult:
    uncached, cached = request.uncached, request.cached
    return BenchmarkResult(
        f"{request.label}, cached, over HTTP",
        INFO_ONLY if request.max_seconds is None else f"<= {1000 * request.max_seconds:.0f} ms",
        f"{1000 * cached.seconds:.1f} ms; uncached {1000 * uncached.seconds:.1f} ms; CPU time of the server "
        f"{1000 * cached.cpu_seconds:.1f} and {1000 * uncached.cpu_seconds:.1f} ms",
        request.max_seconds is None or cached.seconds <= request.max_seconds,
    )


def check_single_flight(redis_url: str) -> BenchmarkResult:
    """Count the loads of a cold key."""
    rounds = []
    for _ in range(COLD_KEY_ROUNDS):
        redis.Redis.from_url(redis_url).flushdb()
        rounds.append(count_cold_key_loads(redis_url, processes=4, readers=50))
    return BenchmarkResult(
        "loads of a cold key under 200 concurrent readers in 4 processes",
        "1",
        f"{', '.join(str(loads) for loads, _ in rounds)} in {len(rounds)} rounds; all {rounds[0][1]} readers served",
        all(result == (1, 200) for result in rounds),
    )


def main() -> int:
    """Run all measurements."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reports", type=int, default=1000, help="reports (default 1000)")
    parser.add_argument("--operations", type=int, default=20_000, help="reads and writes (default 20000)")
    parser.add_argument("--rounds", type=int, default=100, help="rounds of requests over HTTP (default 100)")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with running_services_with_redis(parser) as redis_url:
        address, reports, operations = create_database(), options.reports, options.operations
        return run_measurements(
            "cache",
            [
                ("hit rate", lambda: check_hit_rate(redis_url, address, reports, operations, options.seed)),
                ("cached requests", lambda: check_cached_requests(redis_url, address, options.rounds)),
                ("a cold key", lambda: check_single_flight(redis_url)),
            ],
        )


if __name__ == "__main__":
    sys.exit(main())
