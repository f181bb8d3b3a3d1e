"""Counts and times every job."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from procrastinate import App
from procrastinate.exceptions import JobAborted
from procrastinate.job_context import JobContext
from procrastinate.worker import Worker

from monitoring.metrics import job_seconds, jobs, jobs_running


def count_jobs(app: App) -> None:
    """Add the counting middleware to the app's workers (settings.PROCRASTINATE_ON_APP_READY)."""
    app.worker_defaults["worker_middleware"] = [_count_job, *app.worker_defaults.get("worker_middleware", [])]


def is_counting_jobs(app: App) -> bool:
    """Return whether the workers of this app count their jobs."""
    return _count_job in app.worker_defaults.get("worker_middleware", [])


async def _count_job(call_next: Callable[[], Awaitable[Any]], context: JobContext, worker: Worker) -> Any:
    task = context.job.task_name
    started, outcome = time.perf_counter(), "failed"
    jobs_running.labels(task).inc()
    try:
        result = await call_next()
        outcome = "done"
    except (JobAborted, asyncio.CancelledError):
        outcome = "interrupted"
        raise
    finally:
        jobs_running.labels(task).dec()
        jobs.labels(task, outcome).inc()
        job_seconds.labels(task).observe(time.perf_counter() - started)
    return result
