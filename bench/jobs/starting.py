"""From acceptance to start, and jobs a second: ours and celery's, in turns."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import redis
from celery import Celery as CeleryApp

from bench.jobs.site import Bench, ended
from diagsite.tests.services import wait_until
from diagsite.tests.site import ROOT

SECONDS_BETWEEN = 0.02
STARTED = "bench:started"  # where celery's jobs say how long it took


@dataclass(frozen=True)
class Starts:
    """Seconds from acceptance to start of each."""

    ours: list[float]
    celerys: list[float]


class Celery:
    """A celery worker on a Redis, and jobs for it."""

    def __init__(self, redis_url: str) -> None:
        self._app = CeleryApp(broker=redis_url)
        self._redis = redis.Redis.from_url(redis_url)

    def start_jobs(self, count: int) -> None:
        """Enqueue so many."""
        for _ in range(count):
            self._app.send_task("bench.jobs.celery_app.begin", [time.time()])

    def wait_for(self, count: int) -> None:
        """Return once so many have begun."""
        wait_until(lambda: int(self._redis.llen(STARTED)) >= count, f"celery to begin {count}")

    def take_starts(self) -> list[float]:
        """Seconds from acceptance to start of each, and forget them."""
        found = [float(one) for one in self._redis.lrange(STARTED, 0, -1)]
        self._redis.delete(STARTED)
        return found


@contextmanager
def celery(redis_url: str, at_once: int) -> Iterator[Celery]:
    """A worker that has done its first job."""
    quietly = ["--without-gossip", "--without-mingle", "--without-heartbeat"]  # one worker has nobody to talk to
    command = [sys.executable, "-W", "ignore", "-m", "celery", "-A", "bench.jobs.celery_app", "worker", *quietly]
    command += ["-c", str(at_once), "-l", "ERROR"]
    process = subprocess.Popen(
        command, cwd=ROOT, env=os.environ | {"REDIS_URL": redis_url}, stdout=subprocess.DEVNULL, start_new_session=True
    )
    try:
        jobs = Celery(redis_url)
        jobs.start_jobs(1)
        jobs.wait_for(1)
        jobs.take_starts()
        yield jobs
    finally:
        os.killpg(process.pid, 9)
        process.wait()


def measure_starts(bench: Bench, jobs: Celery, count: int) -> Starts:
    """One of ours, one of celery's, and so on; each when there is room for it."""
    orders = []
    for number in range(count):
        orders.append(bench.order())
        time.sleep(SECONDS_BETWEEN)
        jobs.start_jobs(1)
        jobs.wait_for(number + 1)
        time.sleep(SECONDS_BETWEEN)
    wait_until(lambda: ended(bench, orders), "all to end")
    rows = bench.site.query(
        "SELECT extract(epoch FROM started_at - created_at)::float FROM diagnosis_diagnosis WHERE id = ANY(%s)",
        [one.id for one in orders],
    )
    return Starts([row[0] for row in rows], jobs.take_starts())


def jobs_a_second(bench: Bench, jobs: Celery, count: int) -> tuple[float, float]:
    """Of a heap of whole diagnoses, each of one call that is answered at once; and of celery's jobs, that do nothing.

    Ours from the first order to the last end, HTTP included.
    """
    started = time.monotonic()
    orders = bench.order_many(count)
    wait_until(lambda: ended(bench, orders), "all to end", 300)
    ours = count / (time.monotonic() - started)
    started = time.monotonic()
    jobs.start_jobs(count)
    jobs.wait_for(count)
    celerys = count / (time.monotonic() - started)
    jobs.take_starts()
    return ours, celerys
