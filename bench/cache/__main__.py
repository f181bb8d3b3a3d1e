"""The cache: how often it hits, how much faster it is, how often a cold key is loaded: `make bench-cache`.

python -m bench.cache [--reports N] [--operations N] [--rounds N] [--seed N]
"""

import argparse
import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from bench.environment import running_services
from bench.harness import BenchmarkResult, run_measurements, with_label

if TYPE_CHECKING:
    from bench.cache.speedup import CacheSpeedup

COLD_KEY_ROUNDS = 3


def run_replay_process(redis_url: str, address: str, reports: int, operations: int, seed: int) -> dict[str, Any]:
    """What the process of that name found."""
    from testing.site import PROJECT_ROOT, build_environment

    done = subprocess.run(
        [sys.executable, "-m", "bench.cache.replay", str(reports), str(operations), str(seed)],
        cwd=PROJECT_ROOT,
        env=build_environment(
            address, REDIS_URL=redis_url, TEST_KEY="sk-of-the-bench", DJANGO_SETTINGS_MODULE="diagsite.settings"
        ),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def check_hit_rate(redis_url: str, address: str, reports: int, operations: int, seed: int) -> BenchmarkResult:
    """Against the promise."""
    found = run_replay_process(redis_url, address, reports, operations, seed)
    return BenchmarkResult(
        f"cache hit rate, Zipf (s = 1.1) over {reports:,} reports, 5 % writes",
        "> 80 %",
        f"{found['hit_rate']:.1%} of {sum(found['lookups'].values()):,} look-ups ({found['lookups']}, seed {seed})",
        found["hit_rate"] > 0.8,
    )


def check_speedup(redis_url: str, address: str, rounds: int) -> list[BenchmarkResult]:
    """Against the promises."""
    from bench.cache.speedup import measure_calls
    from bench.jobs.environment import run_jobs_environment

    with run_jobs_environment(redis_url, address=address) as bench:
        found = measure_calls(bench, redis_url, rounds)
    return [_build_speedup_result(one) for one in found]


def _build_speedup_result(speed: "CacheSpeedup") -> BenchmarkResult:
    uncached, cached = speed.uncached, speed.cached
    ratio = uncached.seconds / cached.seconds
    are_quick = max(uncached.seconds, cached.seconds) < 0.003
    return BenchmarkResult(
        f"{speed.label}, cached against uncached, over HTTP",
        ">= 10x, or both under 3 ms" if speed.has_target else "told",
        f"{ratio:.1f}x: {1000 * cached.seconds:.1f} ms against {1000 * uncached.seconds:.1f} ms; of the server's "
        f"processor {1000 * cached.cpu_seconds:.1f} ms against {1000 * uncached.cpu_seconds:.1f} ms",
        ratio >= 10 or are_quick or not speed.has_target,
    )


def check_single_flight(redis_url: str) -> BenchmarkResult:
    """Against the promise."""
    import redis

    from bench.cache.single_flight import count_cold_key_loads

    loads = []
    for _ in range(COLD_KEY_ROUNDS):
        redis.Redis.from_url(redis_url).flushdb()
        loads.append(count_cold_key_loads(redis_url))
    return BenchmarkResult(
        "loads of a cold key under 200 concurrent readers in 4 processes",
        "1",
        f"{', '.join(str(count) for count, _ in loads)} in {len(loads)} rounds; all {loads[0][1]} readers served",
        all(found == (1, 200) for found in loads),
    )


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reports", type=int, default=1000, help="default 1000")
    parser.add_argument("--operations", type=int, default=20_000, help="reads and writes (default 20000)")
    parser.add_argument("--rounds", type=int, default=100, help="of calls over HTTP (default 100)")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    redis_binary = shutil.which("redis-server")
    if redis_binary is None:
        parser.error("redis-server is needed: on Debian and Ubuntu, apt install redis-server")
    with running_services():
        from testing.services import RedisServer
        from testing.site import create_database

        redis, address = RedisServer(redis_binary), create_database()
        redis.start()
        reports, operations = options.reports, options.operations
        measurements = [
            with_label("hit rate", lambda: check_hit_rate(redis.url, address, reports, operations, options.seed)),
            with_label("cached against uncached", lambda: check_speedup(redis.url, address, options.rounds)),
            with_label("a cold key", lambda: check_single_flight(redis.url)),
        ]
        try:
            return run_measurements("cache", measurements)
        finally:
            redis.stop()


if __name__ == "__main__":
    sys.exit(main())
