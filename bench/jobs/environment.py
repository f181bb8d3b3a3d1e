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

from bench.push.servers import BENCH_SITE_SETTINGS
from testing.fake_platform import Behaviour, Exchange, FakePlatform, respond_with_answer, respond_with_error
from testing.invariants import StartedDiagnosis, request_diagnosis
from testing.services import wait_until
from testing.site import Site, SiteProcess, running_site

FAKE_PLATFORMS = ("p1", "p2", "p3", "p4")


@dataclass(frozen=True)
class JobsEnvironment:
    """What runs: the site, its worker, the stand-in, and a signed-in client."""

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
        """Start so many, four calls at a time."""
        with ThreadPoolExecutor(4) as pool:
            return list(pool.map(lambda _: self.request_diagnosis(**kinds), range(count)))


@contextmanager
def run_jobs_environment(
    redis_url: str, *, worker_concurrency: int = 10, platform_concurrency: int = 5, **extra: Any
) -> Iterator[JobsEnvironment]:
    """A web process without a worker, and a worker process that runs so many diagnoses at once."""
    options = BENCH_SITE_SETTINGS | {"DIAGNOSES_AT_ONCE": str(worker_concurrency), "REDIS_URL": redis_url} | extra
    with FakePlatform() as fake, running_site(concurrency=0, **options) as site, site.client() as client:
        for slug in FAKE_PLATFORMS:
            site.add_platform(slug, fake.base_url, concurrency=platform_concurrency)
        with site.make_worker() as worker:
            bench = JobsEnvironment(site, worker, fake, client)
            fake.set_behaviour(respond_with_answer())
            warm = bench.request_diagnosis()
            wait_until(lambda: have_ended(bench, [warm]), "the worker to have done its first")
            yield bench


def have_ended(bench: JobsEnvironment, started: list[StartedDiagnosis]) -> bool:
    """Whether all of them have ended."""
    rows = bench.site.query(
        "SELECT count(*) FROM diagnosis_diagnosis WHERE id = ANY(%s) AND finished_at IS NOT NULL",
        [one.id for one in started],
    )
    return bool(rows[0][0] == len(started))


def fail_some_calls_once(share: float, rng: random.Random) -> Behaviour:
    """A share of the calls fails the first time, with a 500; asked again, they are answered."""
    failed: set[tuple[str, str]] = set()
    lock = threading.Lock()
    good, bad = respond_with_answer(), respond_with_error(500, "overloaded")

    async def behave(exchange: Exchange) -> None:
        key = (exchange.call.model, exchange.call.question)
        with lock:
            fails = key not in failed and rng.random() < share
            failed.add(key)
        await asyncio.sleep(0)
        await (bad if fails else good)(exchange)

    return behave
