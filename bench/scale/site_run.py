"""The same orders, to the real site: web, worker processes, PostgreSQL, Redis, and a platform that takes its time."""

import asyncio
import os
import random
import re
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from bench.push.servers import BENCH_SITE_SETTINGS
from bench.scale.queueing import PlannedDiagnosis, Timing
from testing.fake_platform import Behaviour, Exchange, FakePlatform, build_completion, respond_with
from testing.services import wait_until
from testing.site import Site, running_site

PLATFORM_ID = "steady"
_QUESTION_PATTERN = re.compile(r"第(\d+)单第(\d+)问")


@dataclass(frozen=True)
class SiteRun:
    """What became of the orders, and the processor seconds spent on them: of web, workers and database."""

    timings: list[Timing]
    seconds: dict[str, float]


def generate_arrivals(
    count: int, *, rate: float, calls: int, seconds: tuple[float, float], seed: int
) -> list[PlannedDiagnosis]:
    """Orders that arrive at random, so many a second on average, each with calls of some length."""
    rng, at, orders = random.Random(seed), 0.0, []
    for _ in range(count):
        orders.append(PlannedDiagnosis(at, [(PLATFORM_ID, rng.uniform(*seconds)) for _ in range(calls)]))
        at += rng.expovariate(rate)
    return orders


def run_on_site(orders: Sequence[PlannedDiagnosis], redis_url: str, *, processes: int, worker_slots: int) -> SiteRun:
    """Order them from a real site as they arrive; returns when all have ended."""
    options = BENCH_SITE_SETTINGS | {"DIAGNOSES_AT_ONCE": str(worker_slots), "REDIS_URL": redis_url}
    with FakePlatform() as fake, running_site(concurrency=0, **options) as site, ExitStack() as workers:
        site.add_platform(PLATFORM_ID, fake.base_url, concurrency=1000)
        started = [workers.enter_context(site.make_worker()) for _ in range(processes)]
        warm = [PlannedDiagnosis(0.0, [(PLATFORM_ID, 0.0)])] * 4 * processes  # until everybody has done its first
        fake.set_behaviour(_build_planned_behaviour(warm))
        _submit_all(site, warm)
        fake.set_behaviour(_build_planned_behaviour(orders))
        pids = {"web": [site.server.pid], "worker": [one.pid for one in started], "database": [_get_database_pid()]}
        before = {part: _get_cpu_seconds(found) for part, found in pids.items()}
        ids = _submit_all(site, orders)
        cpu_seconds = {part: _get_cpu_seconds(found) - before[part] for part, found in pids.items()}
        return SiteRun([_get_timing(site, one) for one in ids], cpu_seconds)


def _build_planned_behaviour(orders: Sequence[PlannedDiagnosis]) -> Behaviour:
    """Each call takes as long as its order says: the question names it."""

    async def behave(exchange: Exchange) -> None:
        found = _QUESTION_PATTERN.search(exchange.call.question)
        assert found, exchange.call.question
        order, call = map(int, found.groups())
        await asyncio.sleep(orders[order].calls[call][1])
        await respond_with(build_completion("山岚不错", model=exchange.call.model))(exchange)

    return behave


def _submit_all(site: Site, orders: Sequence[PlannedDiagnosis]) -> list[str]:
    began = time.monotonic()
    with site.client() as client, ThreadPoolExecutor(8) as pool:
        submissions = []
        for number, order in enumerate(orders):
            time.sleep(max(0.0, began + order.arrives_at - time.monotonic()))
            submissions.append(pool.submit(_submit_one, client, number, len(order.calls)))
        ids = [one.result() for one in submissions]
    statement = "SELECT count(*) FROM diagnosis_diagnosis WHERE finished_at IS NULL"
    wait_until(lambda: site.query(statement)[0][0] == 0, "all to end", 600)
    return ids


def _submit_one(client: httpx.Client, number: int, calls: int) -> str:
    questions = [f"第{number}单第{call}问：哪个手冲壶好？" for call in range(calls)]
    answer = client.post("/api/diagnoses", json={"brand": "山岚", "questions": questions, "platforms": [PLATFORM_ID]})
    answer.raise_for_status()
    return str(answer.json()["id"])


def _get_database_pid() -> int:
    return int((Path(os.environ["DIAGSITE_TEST_DIRECTORY"]) / "postgres" / "postmaster.pid").read_text().split()[0])


def _get_cpu_seconds(pids: Sequence[int]) -> float:
    """Of the processes and their children, those that have ended included."""
    parents = [psutil.Process(pid) for pid in pids]
    processes = parents + [child for parent in parents for child in parent.children(recursive=True)]
    times = [one.cpu_times() for one in processes]
    return float(sum(one.user + one.system + one.children_user + one.children_system for one in times))


def _get_timing(site: Site, diagnosis_id: str) -> Timing:
    statement = """
        SELECT extract(epoch FROM started_at - created_at)::float, extract(epoch FROM finished_at - created_at)::float
        FROM diagnosis_diagnosis WHERE id = %s
    """
    return Timing(*site.query(statement, diagnosis_id)[0])
