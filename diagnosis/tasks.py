"""What workers run: the diagnosis itself, and the sweep that takes up what nobody holds."""

import uuid

import structlog
from channels.db import aclose_old_connections, database_sync_to_async
from django.conf import settings
from procrastinate.contrib.django import app
from procrastinate.job_context import AbortReason, JobContext

from diagnosis.jobs import MAINTENANCE_QUEUE, QUEUE, RUN_TASK, give_up_stalled_jobs
from diagnosis.probing import probe_paused
from diagnosis.recovery import end_overdue, take_up_orphans
from diagnosis.run import run_diagnosis
from diagnosis.schedules.running import start_due

log = structlog.get_logger(__name__)

_end_overdue = database_sync_to_async(end_overdue, thread_sensitive=False)
_take_up_orphans = database_sync_to_async(take_up_orphans, thread_sensitive=False)
_start_due = database_sync_to_async(start_due, thread_sensitive=False)


@app.task(name=RUN_TASK, queue=QUEUE, pass_context=True)
async def run(context: JobContext, diagnosis_id: str) -> None:
    """Bring one diagnosis to its end."""
    await run_diagnosis(uuid.UUID(diagnosis_id), lambda: context.abort_reason() is AbortReason.SHUTDOWN)


@app.periodic(cron=f"* * * * * */{settings.JOB_SWEEP_SECONDS}")
@app.task(name="diagnosis.sweep", queue=MAINTENANCE_QUEUE, queueing_lock="diagnosis.sweep", priority=10)
async def sweep(timestamp: int) -> None:
    """Run `sweep_now` every few seconds, on one worker."""
    await sweep_now()


@app.periodic(cron="* * * * *")
@app.task(name="diagnosis.probe", queue=MAINTENANCE_QUEUE, queueing_lock="diagnosis.probe")
async def probe(timestamp: int) -> None:
    """Every minute, ask the platforms whose pause is over whether they are well."""
    await aclose_old_connections()
    try:
        await probe_paused()
    finally:
        await aclose_old_connections()


@app.periodic(cron="* * * * *")
@app.task(name="diagnosis.schedules", queue=MAINTENANCE_QUEUE, queueing_lock="diagnosis.schedules")
async def start_schedules(timestamp: int) -> None:
    """Every minute, start the schedules that are due."""
    await aclose_old_connections()
    try:
        await _start_due()
    finally:
        await aclose_old_connections()


async def sweep_now() -> None:
    """Give up the jobs of silent workers, then take up or end the diagnoses that nobody holds."""
    await aclose_old_connections()
    try:
        # A worker that is there shows itself in the time of two heartbeats, unless it has much to catch up with: after
        # the database stood still, the answers of that time come first.
        between = max(2 * settings.JOB_HEARTBEAT_SECONDS, settings.JOB_STALLED_SECONDS / 2)
        found = await give_up_stalled_jobs(settings.JOB_STALLED_SECONDS, between)
        for job_id in found:
            log.warning("job_given_up", job=job_id)
        await _take_up_orphans()
        await _end_overdue()
    finally:
        await aclose_old_connections()
