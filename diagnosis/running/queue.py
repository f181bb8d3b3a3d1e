"""Jobs of diagnoses: enqueue and abort runs, find live and stalled jobs."""

import contextlib
import time
import uuid
from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef
from django.utils import timezone
from procrastinate import App
from procrastinate.contrib.django.django_connector import DjangoConnector
from procrastinate.contrib.django.models import ProcrastinateJob, ProcrastinateWorker
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Status

from diagnosis.models import DiagnosisQuerySet

RUN_TASK = "diagnosis.run"
RECOUNT_TASK = "diagnosis.recount"
RECALCULATION_TASK = "diagnosis.recalculate"
DIAGNOSIS_QUEUE = "diagnoses"
MAINTENANCE_QUEUE = "maintenance"

# Jobs are enqueued in the transaction of their rows. procrastinate's own app cannot do that in a worker process, where
# its connector is replaced by one outside Django's transactions.
_transactional_app = App(connector=DjangoConnector())


def enqueue_run(diagnosis_id: uuid.UUID, *, is_prioritized: bool = False) -> int:
    """Enqueue a run in the current transaction; returns the id of the job. A lock allows one run per diagnosis."""
    deferrer = _transactional_app.configure_task(
        RUN_TASK, queue=DIAGNOSIS_QUEUE, lock=f"diagnosis:{diagnosis_id}", priority=1 if is_prioritized else 0
    )
    return deferrer.defer(diagnosis_id=str(diagnosis_id))


def enqueue_recalculation(
    diagnosis_id: uuid.UUID, owner_id: int, revision: int, spelling: str, *, all_answers: bool = False
) -> None:
    """Enqueue `run_recalculation` in the current transaction. A lock runs those of an owner one after another."""
    deferrer = _transactional_app.configure_task(
        RECALCULATION_TASK, queue=MAINTENANCE_QUEUE, lock=f"recalculation:{owner_id}", priority=5
    )
    deferrer.defer(diagnosis_id=str(diagnosis_id), revision=revision, spelling=spelling, all_answers=all_answers)


def enqueue_recount(workspace_id: uuid.UUID) -> None:
    """Enqueue `recount_workspace` in the current transaction. A lock runs those of a workspace one after another."""
    deferrer = _transactional_app.configure_task(
        RECOUNT_TASK, queue=MAINTENANCE_QUEUE, lock=f"recount:{workspace_id}", priority=-1
    )
    deferrer.defer(workspace_id=str(workspace_id))


def has_live_recount(workspace_id: uuid.UUID) -> bool:
    """Return whether a recount of the workspace is waiting or running."""
    jobs = ProcrastinateJob.objects.filter(lock=f"recount:{workspace_id}", status__in=["todo", "doing"])
    return jobs.exists()


def has_live_recalculation(diagnosis_id: uuid.UUID) -> bool:
    """Return whether a recalculation of the diagnosis is waiting or running."""
    jobs = ProcrastinateJob.objects.filter(task_name=RECALCULATION_TASK, status__in=["todo", "doing"])
    return jobs.filter(args__diagnosis_id=str(diagnosis_id)).exists()


def abort_run(job_id: int | None) -> None:
    """Remove a waiting job from the queue, or interrupt a running one."""
    if job_id is not None:
        _transactional_app.job_manager.cancel_job_by_id(job_id, abort=True)


# (job, last heartbeat of its worker) -> when this process first found that heartbeat too old
_first_seen_stale: dict[tuple[int, datetime | None], float] = {}


async def fail_stalled_jobs(max_heartbeat_age_seconds: float, confirmation_seconds: float) -> list[int]:
    """Mark the jobs of stalled workers as failed, so that their diagnoses can be enqueued again; returns their ids.

    Two checks, at least confirmation_seconds apart, must find the same old heartbeat: after a database outage, the
    first check finds every heartbeat old. A check that failed, or took that long itself, does not count. The jobs are
    not retried by the engine: a suspended worker that resumes would then finish its successor's job.
    """
    started = time.monotonic()
    try:
        stalled = await _transactional_app.job_manager.get_stalled_jobs(
            seconds_since_heartbeat=max_heartbeat_age_seconds
        )
        jobs = {job.id: job for job in stalled}
        rows = ProcrastinateJob.objects.filter(pk__in=jobs).values_list("pk", "worker__last_heartbeat")
        stale_heartbeats = {row async for row in rows}
    except Exception:
        _first_seen_stale.clear()
        raise
    now = time.monotonic()
    if now - started >= confirmation_seconds:
        _first_seen_stale.clear()
    for recovered in _first_seen_stale.keys() - stale_heartbeats:
        _first_seen_stale.pop(recovered, None)
    failed_ids = [
        pk
        for pk, last_heartbeat in stale_heartbeats
        if now - _first_seen_stale.setdefault((pk, last_heartbeat), now) >= confirmation_seconds
    ]
    for job_id in failed_ids:
        with contextlib.suppress(ConnectorException):  # another sweep has finished it
            await _transactional_app.job_manager.finish_job(jobs[job_id], status=Status.FAILED, delete_job=False)
    return failed_ids


_has_live_job = Exists(ProcrastinateJob.objects.filter(pk=OuterRef("job_id"), status__in=["todo", "doing"]))


def filter_with_live_job(diagnoses: DiagnosisQuerySet) -> DiagnosisQuerySet:
    """Return the diagnoses whose job is waiting or running."""
    return diagnoses.filter(_has_live_job)


def filter_without_live_job(diagnoses: DiagnosisQuerySet) -> DiagnosisQuerySet:
    """Return the diagnoses that have no waiting or running job."""
    return diagnoses.exclude(_has_live_job)


def has_live_worker(within_seconds: float) -> bool:
    """Return whether any worker has sent a heartbeat within this time."""
    since = timezone.now() - timedelta(seconds=within_seconds)
    return ProcrastinateWorker.objects.filter(last_heartbeat__gt=since).exists()
