"""The door to the job engine: put a run into the queue, take it out again, see whether one is alive."""

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
QUEUE = "diagnoses"
MAINTENANCE_QUEUE = "maintenance"

# A worker process replaces the connector of procrastinate's own app by one that knows no Django transaction.
# Jobs belong to the transaction of their rows, so they are enqueued through an app that keeps Django's.
_app = App(connector=DjangoConnector())


def enqueue_run(diagnosis_id: uuid.UUID, *, goes_first: bool = False) -> int:
    """Enqueue the run in the current transaction; returns the job's id. One run of a diagnosis at a time."""
    deferrer = _app.configure_task(
        RUN_TASK, queue=QUEUE, lock=f"diagnosis:{diagnosis_id}", priority=1 if goes_first else 0
    )
    return deferrer.defer(diagnosis_id=str(diagnosis_id))


def abort_run(job_id: int | None) -> None:
    """Take a waiting run out of the queue, or interrupt a running one."""
    if job_id is not None:
        _app.job_manager.cancel_job_by_id(job_id, abort=True)


# (job, last heartbeat of its worker) -> when this process first found it too long ago
_silent_since: dict[tuple[int, datetime | None], float] = {}


async def give_up_stalled_jobs(seconds_without_heartbeat: float, seconds_between_looks: float) -> list[int]:
    """End the jobs of workers that have fallen silent, so that their diagnoses are held by nobody; returns their ids.

    Silent means that two looks, so far apart, found the same heartbeat: while the database stood still nobody could
    show one, and the first look afterwards finds them all silent. A look that was held up as long itself, or failed,
    is none. They are not retried as they are: a worker that was only frozen would, once awake, end its successor's job.
    """
    began = time.monotonic()
    try:
        stalled = await _app.job_manager.get_stalled_jobs(seconds_since_heartbeat=seconds_without_heartbeat)
        jobs = {job.id: job for job in stalled}
        rows = ProcrastinateJob.objects.filter(pk__in=jobs).values_list("pk", "worker__last_heartbeat")
        seen = {row async for row in rows}
    except Exception:
        _silent_since.clear()
        raise
    now = time.monotonic()
    if now - began >= seconds_between_looks:
        _silent_since.clear()
    for one in _silent_since.keys() - seen:
        _silent_since.pop(one, None)
    given_up = [pk for pk, at in seen if now - _silent_since.setdefault((pk, at), now) >= seconds_between_looks]
    for job_id in given_up:
        with contextlib.suppress(ConnectorException):  # another sweep was first
            await _app.job_manager.finish_job(jobs[job_id], status=Status.FAILED, delete_job=False)
    return given_up


_has_live_job = Exists(ProcrastinateJob.objects.filter(pk=OuterRef("job_id"), status__in=["todo", "doing"]))


def with_live_job(diagnoses: DiagnosisQuerySet) -> DiagnosisQuerySet:
    """Those whose job waits or runs."""
    return diagnoses.filter(_has_live_job)


def without_live_job(diagnoses: DiagnosisQuerySet) -> DiagnosisQuerySet:
    """Those whose job is neither waiting nor running: nobody holds them."""
    return diagnoses.exclude(_has_live_job)


def has_live_worker(within_seconds: float) -> bool:
    """Whether any worker has shown a heartbeat lately."""
    since = timezone.now() - timedelta(seconds=within_seconds)
    return ProcrastinateWorker.objects.filter(last_heartbeat__gt=since).exists()
