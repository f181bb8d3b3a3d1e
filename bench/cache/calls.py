"""The calls that are cached, over HTTP: right after Redis was emptied, and once more."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import httpx
import redis

from bench.jobs.site import PLATFORMS, Bench, ended
from diagsite.tests.fake_platform import answer
from diagsite.tests.services import wait_until


@dataclass(frozen=True)
class Speed:
    """Median seconds of a call."""

    what: str
    uncached: float
    cached: float


def measure_calls(bench: Bench, redis_url: str, rounds: int, *, questions: int = 10) -> list[Speed]:
    """The report of a diagnosis of that many questions on four platforms, the platforms, the statistics."""
    bench.fake.behave(answer("山岚和溪石都不错，山岚更稳，价格也合适。"))
    one = bench.order(PLATFORMS, questions=questions)
    wait_until(lambda: ended(bench, [one]), "the diagnosis to end")
    paths = {
        "report": f"/api/diagnoses/{one.id}/report",
        "configuration": "/api/platforms",
        "statistics": "/api/statistics",
    }
    store = redis.Redis.from_url(redis_url)
    return [Speed(what, *_time(lambda: bench.client.get(path), store.flushdb, rounds)) for what, path in paths.items()]  # noqa: B023


def _time(call: Callable[[], httpx.Response], empty: Callable[[], object], rounds: int) -> tuple[float, float]:
    call()
    uncached, cached = list[float](), list[float]()
    for _ in range(rounds):
        empty()
        for seconds in (uncached, cached):
            started = time.perf_counter()
            answer = call()
            seconds.append(time.perf_counter() - started)
            answer.raise_for_status()
    return statistics.median(uncached), statistics.median(cached)
