"""Restart both servers behind a real nginx, one after the other, while clients read, order and follow.

nginx runs the shipped file with a certificate of its own, the servers run as in production, with a Redis and a worker.

    python -m bench.deploy.__main__ [--readers N] [--followers N] [--times N]
"""

import argparse
import asyncio
import shutil
import sys
import tempfile
from pathlib import Path

from bench.environment import running_services
from bench.harness import BenchmarkResult, run_measurements

DIAGNOSIS_BODY = {"brand": "山岚", "questions": ["哪个手冲壶好？"], "platforms": ["slow"]}


def measure_restarts(*, readers: int, followers: int, times: int) -> list[BenchmarkResult]:
    """Restarts under traffic."""
    from testing.fake_platform import FakePlatform, respond_with_answer
    from testing.proxied_site import running_proxied_site
    from testing.rolling_restart import TrafficReport, restart_under_traffic
    from testing.services import RedisServer
    from testing.site import Site, create_database

    totals = TrafficReport()
    redis, database = RedisServer(shutil.which("redis-server") or "redis-server"), create_database()
    redis.start()
    try:
        with FakePlatform() as fake, tempfile.TemporaryDirectory() as directory:
            fake.set_behaviour(respond_with_answer("山岚不错", delay_seconds=300))
            with running_proxied_site(Path(directory), database, redis.url, DIAGNOSES_AT_ONCE="1000") as site:
                Site(database).add_platform("slow", fake.base_url, concurrency=1000)
                for _ in range(times):
                    found = asyncio.run(
                        restart_under_traffic(site, DIAGNOSIS_BODY, readers=readers, followers=followers)
                    )
                    totals.request_count += found.request_count
                    totals.failures += found.failures
                    totals.disconnected_seconds += found.disconnected_seconds
    finally:
        redis.stop()
    disconnected_seconds = sorted(totals.disconnected_seconds)
    median_seconds, max_seconds = disconnected_seconds[len(disconnected_seconds) // 2], disconnected_seconds[-1]
    return [
        BenchmarkResult(
            f"requests that failed in {2 * times} restarts ({readers} clients)",
            "0",
            f"{len(totals.failures)} of {totals.request_count} {totals.failures[:1] or ''}",
            not totals.failures,
        ),
        BenchmarkResult(
            f"followers live again ({followers} at once, {len(disconnected_seconds)} times cut off)",
            "within 1 s",
            f"{max_seconds:.2f} s at worst, {median_seconds:.2f} s median",
            max_seconds <= 1.0,
        ),
    ]


def main() -> int:
    """Run it by itself."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--readers", type=int, default=10)
    parser.add_argument("--followers", type=int, default=50)
    parser.add_argument("--times", type=int, default=3)
    chosen = parser.parse_args()

    def measure() -> list[BenchmarkResult]:
        """restarts under traffic"""
        return measure_restarts(readers=chosen.readers, followers=chosen.followers, times=chosen.times)

    with running_services():
        return run_measurements("deploy-restart", [measure])


if __name__ == "__main__":
    sys.exit(main())
