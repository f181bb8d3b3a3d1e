"""A site with a worker process of its own and a stand-in for the platforms."""

import asyncio
import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from bench.push.servers import OURS
from diagsite.tests.fake_platform import Behaviour, Exchange, FakePlatform, answer, refuse
from diagsite.tests.proof import Ordered, order
from diagsite.tests.services import wait_until
from diagsite.tests.site import Process, Site, running_site

PLATFORMS = ("p1", "p2", "p3", "p4")


@dataclass(frozen=True)
class Bench:
    """What runs: the site, its worker, the stand-in, and a signed-in client."""

    site: Site
    worker: Process
    fake: FakePlatform
    client: httpx.Client

    def order(self, platforms: tuple[str, ...] = ("p1",), *, questions: int = 1, repeats: int = 1) -> Ordered:
        """Start a diagnosis."""
        return order(self.client, platforms, questions=questions, repeats=repeats)

    def order_many(self, count: int, **kinds: Any) -> list[Ordered]:
        """Start so many, four calls at a time."""
        with ThreadPoolExecutor(4) as pool:
            return list(pool.map(lambda _: self.order(**kinds), range(count)))


@contextmanager
def running(redis_url: str, *, at_once: int = 10, platform_concurrency: int = 5, **extra: Any) -> Iterator[Bench]:
    """A web process without a worker, and a worker process that runs so many diagnoses at once."""
    options = OURS | {"DIAGNOSES_AT_ONCE": str(at_once), "REDIS_URL": redis_url} | extra
    with FakePlatform() as fake, running_site(concurrency=0, **options) as site, site.client() as client:
        for slug in PLATFORMS:
            site.add_platform(slug, fake.base_url, concurrency=platform_concurrency)
        with site.worker() as worker:
            bench = Bench(site, worker, fake, client)
            fake.behave(answer())
            warm = bench.order()
            wait_until(lambda: ended(bench, [warm]), "the worker to have done its first")
            yield bench


def ended(bench: Bench, orders: list[Ordered]) -> bool:
    """Whether all of them have ended."""
    rows = bench.site.query(
        "SELECT count(*) FROM diagnosis_diagnosis WHERE id = ANY(%s) AND finished_at IS NOT NULL",
        [one.id for one in orders],
    )
    return bool(rows[0][0] == len(orders))


def fail_once(share: float, chance: random.Random) -> Behaviour:
    """A share of the calls fails the first time, with a 500; asked again, they are answered."""
    failed: set[tuple[str, str]] = set()
    lock = threading.Lock()
    good, bad = answer(), refuse(500, "overloaded")

    async def behave(exchange: Exchange) -> None:
        key = (exchange.call.model, exchange.call.question)
        with lock:
            fails = key not in failed and chance.random() < share
            failed.add(key)
        await asyncio.sleep(0)
        await (bad if fails else good)(exchange)

    return behave
