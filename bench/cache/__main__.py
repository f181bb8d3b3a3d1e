"""The cache: how often it hits, how much faster it is, how often a cold key is loaded: `make bench-cache`.

python -m bench.cache [--reports N] [--operations N] [--rounds N] [--seed N]
"""

import argparse
import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from bench.alerts.services import own_services
from bench.figures import Figure, named, report

if TYPE_CHECKING:
    from bench.cache.calls import Speed

ROUNDS_OF_THE_HERD = 3


def replay(redis_url: str, address: str, reports: int, operations: int, seed: int) -> dict[str, Any]:
    """What the process of that name found."""
    from diagsite.tests.site import ROOT, environment

    done = subprocess.run(
        [sys.executable, "-m", "bench.cache.replay", str(reports), str(operations), str(seed)],
        cwd=ROOT,
        env=environment(
            address, REDIS_URL=redis_url, TEST_KEY="sk-of-the-bench", DJANGO_SETTINGS_MODULE="diagsite.settings"
        ),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def measure_hits(redis_url: str, address: str, reports: int, operations: int, seed: int) -> Figure:
    """Against the promise."""
    found = replay(redis_url, address, reports, operations, seed)
    return Figure(
        f"cache hit rate, Zipf (s = 1.1) over {reports:,} reports, 5 % writes",
        "> 80 %",
        f"{found['hit_rate']:.1%} of {sum(found['lookups'].values()):,} look-ups ({found['lookups']}, seed {seed})",
        found["hit_rate"] > 0.8,
    )


def measure_speed(redis_url: str, address: str, rounds: int) -> list[Figure]:
    """Against the promises."""
    from bench.cache.calls import measure_calls
    from bench.jobs.site import running

    with running(redis_url, address=address) as bench:
        found = measure_calls(bench, redis_url, rounds)
    return [_figure_of(one) for one in found]


def _figure_of(speed: "Speed") -> Figure:
    uncached, cached = speed.uncached, speed.cached
    ratio = uncached.seconds / cached.seconds
    are_quick = max(uncached.seconds, cached.seconds) < 0.003
    return Figure(
        f"{speed.what}, cached against uncached, over HTTP",
        ">= 10x, or both under 3 ms" if speed.is_promised else "told",
        f"{ratio:.1f}x: {1000 * cached.seconds:.1f} ms against {1000 * uncached.seconds:.1f} ms; of the server's "
        f"processor {1000 * cached.processor:.1f} ms against {1000 * uncached.processor:.1f} ms",
        ratio >= 10 or are_quick or not speed.is_promised,
    )


def measure_herd(redis_url: str) -> Figure:
    """Against the promise."""
    import redis

    from bench.cache.herd import loads_of_a_cold_key

    loads = []
    for _ in range(ROUNDS_OF_THE_HERD):
        redis.Redis.from_url(redis_url).flushdb()
        loads.append(loads_of_a_cold_key(redis_url))
    return Figure(
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
    with own_services():
        from diagsite.tests.services import RedisServer
        from diagsite.tests.site import new_database

        redis, address = RedisServer(redis_binary), new_database()
        redis.start()
        reports, operations = options.reports, options.operations
        measurements = [
            named("hit rate", lambda: measure_hits(redis.url, address, reports, operations, options.seed)),
            named("cached against uncached", lambda: measure_speed(redis.url, address, options.rounds)),
            named("a cold key", lambda: measure_herd(redis.url)),
        ]
        try:
            return report("cache", measurements)
        finally:
            redis.stop()


if __name__ == "__main__":
    sys.exit(main())
