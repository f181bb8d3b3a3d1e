"""Delay from acceptance to start, and jobs per second, of the site and of celery in turns."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import redis
from celery import Celery as CeleryApp

from bench.jobs.environment import JobsEnvironment
from testing.invariants import wait_until_all_ended
from testing.services import wait_until
from testing.site import PROJECT_ROOT

START_INTERVAL_SECONDS = 0.02
START_DELAYS_KEY = "bench:started"  # the list of the delays of celery's jobs


@dataclass(frozen=True)
class StartDelays:
    """Seconds from acceptance to start of each diagnosis and each celery job."""

    site_seconds: list[float]
    celery_seconds: list[float]


class CeleryWorker:
    """A celery application on a Redis whose worker runs."""

    def __init__(self, redis_url: str) -> None:
        self._app = CeleryApp(broker=redis_url)
        self._redis = redis.Redis.from_url(redis_url)

    def start_jobs(self, count: int) -> None:
        """Enqueue so many jobs."""
        for _ in range(count):
            self._app.send_task("bench.jobs.celery_app.begin", [time.time()])

    def wait_for(self, count: int) -> None:
        """Return once so many jobs have started."""
        wait_until(lambda: int(self._redis.llen(START_DELAYS_KEY)) >= count, f"celery to start {count} jobs")

    def pop_start_delays(self) -> list[float]:
        """Return and delete the seconds from acceptance to start of each job."""
        delays = [float(delay) for delay in self._redis.lrange(START_DELAYS_KEY, 0, -1)]
        self._redis.delete(START_DELAYS_KEY)
        return delays


@contextmanager
def running_celery_worker(redis_url: str, worker_concurrency: int) -> Iterator[CeleryWorker]:
    """Run the block with a worker that has finished its first job."""
    quiet_options = ["--without-gossip", "--without-mingle", "--without-heartbeat"]  # there is one worker
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
        worker = CeleryWorker(redis_url)
        worker.start_jobs(1)
        worker.wait_for(1)
        worker.pop_start_delays()
        yield worker
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def measure_start_delays(bench: JobsEnvironment, celery: CeleryWorker, count: int) -> StartDelays:
    """Start a diagnosis, then a celery job, and so on, each after the previous one has started."""
    started = []
    for number in range(count):
        started.append(bench.request_diagnosis())
        time.sleep(START_INTERVAL_SECONDS)
        celery.start_jobs(1)
        celery.wait_for(number + 1)
        time.sleep(START_INTERVAL_SECONDS)
    wait_until_all_ended(bench.site)
    rows = bench.site.query(
        "SELECT extract(epoch FROM started_at - created_at)::float FROM diagnosis_diagnosis WHERE id = ANY(%s)",
        [diagnosis.id for diagnosis in started],
    )
    return StartDelays([row[0] for row in rows], celery.pop_start_delays())


def measure_jobs_per_second(bench: JobsEnvironment, celery: CeleryWorker, count: int) -> tuple[float, float]:
    """Return the rate of diagnoses of one call that is answered at once, and of empty celery jobs.

    For the diagnoses the time includes the requests over HTTP.
    """
    began = time.monotonic()
    bench.request_diagnoses(count)
    wait_until_all_ended(bench.site, 300)
    diagnoses_per_second = count / (time.monotonic() - began)
    began = time.monotonic()
    celery.start_jobs(count)
    celery.wait_for(count)
    celery_jobs_per_second = count / (time.monotonic() - began)
    celery.pop_start_delays()
    return diagnoses_per_second, celery_jobs_per_second
