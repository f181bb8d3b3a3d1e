"""Restart both servers behind nginx, one after the other, while clients read, start diagnoses and follow them.

nginx runs the shipped configuration with a self-signed certificate; servers and worker have production settings.

Then open many sockets at once through the same nginx.

    python -m bench.deploy [--readers N] [--followers N] [--times N] [--sockets N]
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
from pathlib import Path

from bench.deploy.sockets import measure_sockets
from bench.environment import running_services_with_redis
from bench.harness import BenchmarkResult, run_measurements
from testing.fakes.platform import FakePlatform, respond_with_answer
from testing.proxied_site import running_proxied_site
from testing.rolling_restart import TrafficReport, restart_under_traffic
from testing.site import Site, create_database

DIAGNOSIS_BODY = {"brand": "山岚", "questions": ["哪个手冲壶好？"], "platforms": ["slow"]}


def measure_restarts(redis_url: str, *, readers: int, followers: int, times: int) -> list[BenchmarkResult]:
    """Restart under traffic so many times."""
    totals, database = TrafficReport(), create_database()
    with FakePlatform() as fake, tempfile.TemporaryDirectory() as directory:
        fake.set_behaviour(respond_with_answer("山岚不错", delay_seconds=300))
        with running_proxied_site(Path(directory), database, redis_url, DIAGNOSES_AT_ONCE="1000") as site:
            Site(database).add_platform("slow", fake.base_url, concurrency=1000)
            for _ in range(times):
                report = asyncio.run(restart_under_traffic(site, DIAGNOSIS_BODY, readers=readers, followers=followers))
                totals.request_count += report.request_count
                totals.failures += report.failures
                totals.disconnected_seconds += report.disconnected_seconds
    max_seconds = max(totals.disconnected_seconds)
    return [
        BenchmarkResult(
            f"requests that failed in {2 * times} restarts ({readers} clients)",
            "0",
            f"{len(totals.failures)} of {totals.request_count} {totals.failures[:1] or ''}",
            not totals.failures,
        ),
        BenchmarkResult(
            f"clients connected again ({followers} at once, {len(totals.disconnected_seconds)} disconnects)",
            "within 1 s",
            f"{max_seconds:.2f} s at most, {statistics.median(totals.disconnected_seconds):.2f} s median",
            max_seconds <= 1.0,
        ),
    ]


def main() -> int:
    """Run the measurement."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--readers", type=int, default=10)
    parser.add_argument("--followers", type=int, default=50)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--sockets", type=int, default=10_000)
    options = parser.parse_args()
    with running_services_with_redis(parser) as redis_url:

        def measure() -> list[BenchmarkResult]:
            return measure_restarts(
                redis_url, readers=options.readers, followers=options.followers, times=options.times
            )

        def measure_open_sockets() -> list[BenchmarkResult]:
            return measure_sockets(redis_url, sockets=options.sockets)

        return run_measurements(
            "deploy-restart", [("restarts under traffic", measure), ("open sockets", measure_open_sockets)]
        )


if __name__ == "__main__":
    sys.exit(main())
