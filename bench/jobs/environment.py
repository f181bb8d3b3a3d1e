"""A site with a separate worker process and fake AI platforms."""

import asyncio
import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from bench.environment import BENCH_SITE_SETTINGS
from testing.fakes.platform import Behaviour, Exchange, FakePlatform, respond_with_answer, respond_with_error
from testing.invariants import StartedDiagnosis, request_diagnosis, wait_until_all_ended
from testing.site import Site, SiteProcess, running_site

FAKE_PLATFORMS = ("p1", "p2", "p3", "p4")


@dataclass(frozen=True)
class JobsEnvironment:
    """A running site, its worker, the fake platforms, and a signed-in client."""

    site: Site
    worker: SiteProcess
    fake: FakePlatform
    client: httpx.Client

    def request_diagnosis(
        self, platforms: tuple[str, ...] = ("p1",), *, questions: int = 1, repeats: int = 1
    ) -> StartedDiagnosis:
        """Start a diagnosis."""
        return request_diagnosis(self.client, platforms, questions=questions, repeats=repeats)

    def request_diagnoses(self, count: int, **kinds: Any) -> list[StartedDiagnosis]:
        """Start so many diagnoses, four requests at a time."""
        with ThreadPoolExecutor(4) as pool:
            return list(pool.map(lambda _: self.request_diagnosis(**kinds), range(count)))


@contextmanager
def running_jobs_environment(
    redis_url: str, *, worker_concurrency: int = 10, platform_concurrency: int = 5, **extra: Any
) -> Iterator[JobsEnvironment]:
    """Run the block with a site and a worker that runs so many diagnoses at once and has finished its first."""
    options = BENCH_SITE_SETTINGS | {"DIAGNOSES_AT_ONCE": str(worker_concurrency), "REDIS_URL": redis_url} | extra
    with FakePlatform() as fake, running_site(concurrency=0, **options) as site, site.client() as client:
        for slug in FAKE_PLATFORMS:
            site.add_platform(slug, fake.base_url, concurrency=platform_concurrency)
        with site.make_worker() as worker:
            bench = JobsEnvironment(site, worker, fake, client)
            fake.set_behaviour(respond_with_answer())
            bench.request_diagnosis()
            wait_until_all_ended(site)
            yield bench


def fail_some_calls_once(share: float, rng: random.Random) -> Behaviour:
    """Return a behaviour that answers a share of the calls with 500 the first time, and all others normally."""
    failed: set[tuple[str, str]] = set()
    lock = threading.Lock()
    answer, error = respond_with_answer(), respond_with_error(500, "overloaded")

    async def behave(exchange: Exchange) -> None:
        key = (exchange.call.model, exchange.call.question)
        with lock:
            fails = key not in failed and rng.random() < share
            failed.add(key)
        await asyncio.sleep(0)
        await (error if fails else answer)(exchange)

    return behave
