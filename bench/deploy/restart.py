"""Restart both servers behind a real nginx, one after the other, while clients read, order and follow.

nginx runs the shipped file with a certificate of its own, the servers run as in production, with a Redis and a worker.

    python -m bench.deploy.restart [--readers N] [--followers N] [--times N]
"""

import argparse
import asyncio
import shutil
import sys
import tempfile
from pathlib import Path

from bench.alerts.services import own_services
from bench.figures import Figure, report

ORDER = {"brand": "山岚", "questions": ["哪个手冲壶好？"], "platforms": ["slow"]}


def measure_restarts(*, readers: int, followers: int, times: int) -> list[Figure]:
    """Restarts under traffic."""
    from diagsite.tests.fake_platform import FakePlatform, answer
    from diagsite.tests.proxied import proxied_site
    from diagsite.tests.services import RedisServer
    from diagsite.tests.site import Site, new_database
    from diagsite.tests.traffic import Seen, restart_under_traffic

    seen = Seen()
    redis, database = RedisServer(shutil.which("redis-server") or "redis-server"), new_database()
    redis.start()
    try:
        with FakePlatform() as fake, tempfile.TemporaryDirectory() as directory:
            fake.behave(answer("山岚不错", after=300))
            with proxied_site(Path(directory), database, redis.url, DIAGNOSES_AT_ONCE="1000") as site:
                Site(database).add_platform("slow", fake.base_url, concurrency=1000)
                for _ in range(times):
                    found = asyncio.run(restart_under_traffic(site, ORDER, readers=readers, followers=followers))
                    seen.answered += found.answered
                    seen.failed += found.failed
                    seen.away_seconds += found.away_seconds
    finally:
        redis.stop()
    away = sorted(seen.away_seconds)
    middle, worst = away[len(away) // 2], away[-1]
    return [
        Figure(
            f"requests that failed in {2 * times} restarts ({readers} clients)",
            "0",
            f"{len(seen.failed)} of {seen.answered} {seen.failed[:1] or ''}",
            not seen.failed,
        ),
        Figure(
            f"followers live again ({followers} at once, {len(away)} times cut off)",
            "within 1 s",
            f"{worst:.2f} s at worst, {middle:.2f} s median",
            worst <= 1.0,
        ),
    ]


def main() -> int:
    """Run it by itself."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--readers", type=int, default=10)
    parser.add_argument("--followers", type=int, default=50)
    parser.add_argument("--times", type=int, default=3)
    chosen = parser.parse_args()

    def measure() -> list[Figure]:
        """restarts under traffic"""
        return measure_restarts(readers=chosen.readers, followers=chosen.followers, times=chosen.times)

    with own_services():
        return report("deploy-restart", [measure])


if __name__ == "__main__":
    sys.exit(main())
