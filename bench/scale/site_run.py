"""Planned diagnoses on a real site: web, worker processes, PostgreSQL, Redis and a slow platform."""

import asyncio
import random
import re
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass

import httpx
import psutil

from bench.environment import BENCH_SITE_SETTINGS
from bench.scale.queueing import PlannedDiagnosis, Timing
from testing.fakes.platform import Behaviour, Exchange, FakePlatform, build_completion, respond_with
from testing.invariants import wait_until_all_ended
from testing.services import find_postmaster, get_run_directory
from testing.site import Site, running_site

PLATFORM_ID = "steady"
_QUESTION_PATTERN = re.compile(r"第(\d+)单第(\d+)问")


@dataclass(frozen=True)
class SiteRun:
    """The timings, and the CPU seconds of web, worker and database."""

    timings: list[Timing]
    seconds: dict[str, float]


def generate_arrivals(
    count: int, *, rate: float, calls: int, seconds: tuple[float, float], seed: int
) -> list[PlannedDiagnosis]:
    """Plan diagnoses with exponentially distributed intervals and calls of random duration."""
    rng, at, plan = random.Random(seed), 0.0, []
    for _ in range(count):
        plan.append(PlannedDiagnosis(at, [(PLATFORM_ID, rng.uniform(*seconds)) for _ in range(calls)]))
        at += rng.expovariate(rate)
    return plan


def run_on_site(plan: Sequence[PlannedDiagnosis], redis_url: str, *, processes: int, worker_slots: int) -> SiteRun:
    """Request the diagnoses from a real site when they arrive, and return when all have ended."""
    options = BENCH_SITE_SETTINGS | {"DIAGNOSES_AT_ONCE": str(worker_slots), "REDIS_URL": redis_url}
    with FakePlatform() as fake, running_site(concurrency=0, **options) as site, ExitStack() as workers:
        site.add_platform(PLATFORM_ID, fake.base_url, concurrency=1000)
        started = [workers.enter_context(site.make_worker()) for _ in range(processes)]
        warm_up = [PlannedDiagnosis(0.0, [(PLATFORM_ID, 0.0)])] * 4 * processes
        fake.set_behaviour(_build_planned_behaviour(warm_up))
        _submit_all(site, warm_up)
        fake.set_behaviour(_build_planned_behaviour(plan))
        postmaster = find_postmaster(get_run_directory() / "postgres")
        pids = {"web": [site.server.pid], "worker": [worker.pid for worker in started], "database": [postmaster.pid]}
        before = {part: _get_cpu_seconds(part_pids) for part, part_pids in pids.items()}
        ids = _submit_all(site, plan)
        cpu_seconds = {part: _get_cpu_seconds(part_pids) - before[part] for part, part_pids in pids.items()}
        return SiteRun([_get_timing(site, diagnosis_id) for diagnosis_id in ids], cpu_seconds)


def _build_planned_behaviour(plan: Sequence[PlannedDiagnosis]) -> Behaviour:
    """Return a behaviour by which each call takes as long as planned; the question identifies it."""

    async def behave(exchange: Exchange) -> None:
        match = _QUESTION_PATTERN.search(exchange.call.question)
        assert match, exchange.call.question
        diagnosis, call = map(int, match.groups())
        await asyncio.sleep(plan[diagnosis].calls[call][1])
        await respond_with(build_completion("山岚不错", model=exchange.call.model))(exchange)

    return behave


def _submit_all(site: Site, plan: Sequence[PlannedDiagnosis]) -> list[str]:
    began = time.monotonic()
    with site.client() as client, ThreadPoolExecutor(8) as pool:
        submissions = []
        for number, diagnosis in enumerate(plan):
            time.sleep(max(0.0, began + diagnosis.arrives_at - time.monotonic()))
            submissions.append(pool.submit(_submit_one, client, number, len(diagnosis.calls)))
        ids = [submission.result() for submission in submissions]
    wait_until_all_ended(site, 600)
    return ids


def _submit_one(client: httpx.Client, number: int, calls: int) -> str:
    questions = [f"第{number}单第{call}问：哪个手冲壶好？" for call in range(calls)]
    body = {"brand": "山岚", "questions": questions, "platforms": [PLATFORM_ID]}
    return str(client.post("/api/diagnoses", json=body).raise_for_status().json()["id"])


def _get_cpu_seconds(pids: Sequence[int]) -> float:
    """Return the CPU seconds of processes and their children, including ended ones."""
    parents = [psutil.Process(pid) for pid in pids]
    processes = parents + [child for parent in parents for child in parent.children(recursive=True)]
    times = [process.cpu_times() for process in processes]
    return float(sum(cpu.user + cpu.system + cpu.children_user + cpu.children_system for cpu in times))


def _get_timing(site: Site, diagnosis_id: str) -> Timing:
    statement = """
        SELECT extract(epoch FROM started_at - created_at)::float, extract(epoch FROM finished_at - created_at)::float
        FROM diagnosis_diagnosis WHERE id = %s
    """
    return Timing(*site.query(statement, diagnosis_id)[0])
