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

from bench.jobs.environment import JobsEnvironment, have_ended
from testing.services import wait_until
from testing.site import PROJECT_ROOT

START_INTERVAL_SECONDS = 0.02
START_DELAYS_KEY = "bench:started"  # where celery's jobs say how long it took


@dataclass(frozen=True)
class StartDelays:
    """Seconds from acceptance to start of each."""

    site_seconds: list[float]
    celery_seconds: list[float]


class CeleryWorker:
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
        wait_until(lambda: int(self._redis.llen(START_DELAYS_KEY)) >= count, f"celery to begin {count}")

    def pop_start_delays(self) -> list[float]:
        """Seconds from acceptance to start of each, and forget them."""
        found = [float(one) for one in self._redis.lrange(START_DELAYS_KEY, 0, -1)]
        self._redis.delete(START_DELAYS_KEY)
        return found


@contextmanager
def run_celery_worker(redis_url: str, worker_concurrency: int) -> Iterator[CeleryWorker]:
    """A worker that has done its first job."""
    quiet_options = ["--without-gossip", "--without-mingle", "--without-heartbeat"]  # one worker has nobody to talk to
    command = [sys.executable, "-W", "ignore", "-m", "celery", "-A", "bench.jobs.celery_app", "worker", *quiet_options]
    command += ["-c", str(worker_concurrency), "-l", "ERROR"]
    process = subprocess.Popen(
        command,
        cwd=PROJECT_ROOT,
        env=os.environ | {"REDIS_URL": redis_url},
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        jobs = CeleryWorker(redis_url)
        jobs.start_jobs(1)
        jobs.wait_for(1)
        jobs.pop_start_delays()
        yield jobs
    finally:
        os.killpg(process.pid, 9)
        process.wait()


def measure_start_delays(bench: JobsEnvironment, jobs: CeleryWorker, count: int) -> StartDelays:
    """One of ours, one of celery's, and so on; each when there is room for it."""
    orders = []
    for number in range(count):
        orders.append(bench.request_diagnosis())
        time.sleep(START_INTERVAL_SECONDS)
        jobs.start_jobs(1)
        jobs.wait_for(number + 1)
        time.sleep(START_INTERVAL_SECONDS)
    wait_until(lambda: have_ended(bench, orders), "all to end")
    rows = bench.site.query(
        "SELECT extract(epoch FROM started_at - created_at)::float FROM diagnosis_diagnosis WHERE id = ANY(%s)",
        [one.id for one in orders],
    )
    return StartDelays([row[0] for row in rows], jobs.pop_start_delays())


def measure_jobs_per_second(bench: JobsEnvironment, jobs: CeleryWorker, count: int) -> tuple[float, float]:
    """Of a heap of whole diagnoses, each of one call that is answered at once; and of celery's jobs, that do nothing.

    Ours from the first order to the last end, HTTP included.
    """
    started = time.monotonic()
    orders = bench.request_diagnoses(count)
    wait_until(lambda: have_ended(bench, orders), "all to end", 300)
    ours = count / (time.monotonic() - started)
    started = time.monotonic()
    jobs.start_jobs(count)
    jobs.wait_for(count)
    celerys = count / (time.monotonic() - started)
    jobs.pop_start_delays()
    return ours, celerys
