"""Tasks of the job engine: running a diagnosis, and periodic maintenance."""

import uuid

import structlog
from channels.db import aclose_old_connections, database_sync_to_async
from django.conf import settings
from procrastinate.contrib.django import app
from procrastinate.job_context import AbortReason, JobContext

from diagnosis.corrections.recalculation import requeue_recalculations, run_recalculation
from diagnosis.corrections.recount import recount_workspace, requeue_recounts
from diagnosis.running.dispatch import requeue_orphans
from diagnosis.running.health_check import probe_paused_platforms
from diagnosis.running.queue import (
    DIAGNOSIS_QUEUE,
    MAINTENANCE_QUEUE,
    RECALCULATION_TASK,
    RECOUNT_TASK,
    RUN_TASK,
    fail_stalled_jobs,
)
from diagnosis.running.recovery import expire_overdue
from diagnosis.running.runner import run_diagnosis
from diagnosis.schedules.runner import start_due_schedules
from diagnosis.spending.ledger import settle_abandoned_calls
from diagnosis.workspaces.fill import fill_workspaces

log = structlog.get_logger(__name__)

MAX_FILL_BATCHES = 5

_aexpire_overdue = database_sync_to_async(expire_overdue, thread_sensitive=False)
_arecount_workspace = database_sync_to_async(recount_workspace, thread_sensitive=False)
_arequeue_recounts = database_sync_to_async(requeue_recounts, thread_sensitive=False)
_arequeue_recalculations = database_sync_to_async(requeue_recalculations, thread_sensitive=False)
_arun_recalculation = database_sync_to_async(run_recalculation, thread_sensitive=False)
_arequeue_orphans = database_sync_to_async(requeue_orphans, thread_sensitive=False)
_asettle_abandoned_calls = database_sync_to_async(settle_abandoned_calls, thread_sensitive=False)
_afill_workspaces = database_sync_to_async(fill_workspaces, thread_sensitive=False)
_astart_due_schedules = database_sync_to_async(start_due_schedules, thread_sensitive=False)


@app.task(name=RUN_TASK, queue=DIAGNOSIS_QUEUE, pass_context=True)
async def run_diagnosis_job(context: JobContext, diagnosis_id: str) -> None:
    """Run one diagnosis to its end."""
    await run_diagnosis(uuid.UUID(diagnosis_id), lambda: context.abort_reason() is AbortReason.SHUTDOWN)


@app.task(name=RECALCULATION_TASK, queue=MAINTENANCE_QUEUE)
async def recalculate_job(diagnosis_id: str, revision: int, spelling: str, all_answers: bool) -> None:
    """Recalculate a diagnosis with many answers after a correction."""
    await _arun_recalculation(uuid.UUID(diagnosis_id), revision, spelling, all_answers=all_answers)


@app.task(name=RECOUNT_TASK, queue=MAINTENANCE_QUEUE)
async def recount_job(workspace_id: str) -> None:
    """Recount the runs of a workspace after a change of its names."""
    await _arecount_workspace(uuid.UUID(workspace_id))


@app.periodic(cron=f"* * * * * */{settings.JOB_SWEEP_SECONDS}")
@app.task(name="diagnosis.sweep", queue=MAINTENANCE_QUEUE, queueing_lock="diagnosis.sweep", priority=10)
async def sweep_periodically(timestamp: int) -> None:
    """Run `sweep_diagnoses` every JOB_SWEEP_SECONDS, on one worker at a time."""
    await sweep_diagnoses()


@app.periodic(cron="* * * * *")
@app.task(name="diagnosis.probe", queue=MAINTENANCE_QUEUE, queueing_lock="diagnosis.probe")
async def probe_periodically(timestamp: int) -> None:
    """Probe the platforms whose pause is over, every minute."""
    await aclose_old_connections()
    try:
        await probe_paused_platforms()
    finally:
        await aclose_old_connections()


@app.periodic(cron="* * * * *")
@app.task(name="diagnosis.schedules", queue=MAINTENANCE_QUEUE, queueing_lock="diagnosis.schedules")
async def start_schedules_periodically(timestamp: int) -> None:
    """Start the schedules that are due, every minute."""
    await aclose_old_connections()
    try:
        await _astart_due_schedules()
    finally:
        await aclose_old_connections()


@app.periodic(cron="*/5 * * * *")
@app.task(name="diagnosis.workspaces", queue=MAINTENANCE_QUEUE, queueing_lock="diagnosis.workspaces")
async def fill_workspaces_periodically(timestamp: int) -> None:
    """Continue with diagnoses of earlier releases and imports, and with lost recounts, every five minutes."""
    await aclose_old_connections()
    try:
        await _arequeue_recounts()
        await _afill_workspaces(max_batches=MAX_FILL_BATCHES)
    finally:
        await aclose_old_connections()


async def sweep_diagnoses() -> None:
    """Fail the jobs of stalled workers, then enqueue or end the diagnoses that have no live job."""
    await aclose_old_connections()
    try:
        # A live worker sends a heartbeat within two intervals, unless it is busy: after a database outage, it stores
        # the answers of that time first.
        confirmation_seconds = max(2 * settings.JOB_HEARTBEAT_SECONDS, settings.JOB_STALLED_SECONDS / 2)
        failed_ids = await fail_stalled_jobs(settings.JOB_STALLED_SECONDS, confirmation_seconds)
        for job_id in failed_ids:
            log.warning("job_stalled", job=job_id)
        await _arequeue_orphans()
        await _arequeue_recalculations()
        await _aexpire_overdue()
        await _asettle_abandoned_calls()
    finally:
        await aclose_old_connections()
