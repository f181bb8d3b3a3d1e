"""The sweep over the rows: they, not the queue, say what is unfinished."""

import uuid
from datetime import timedelta

import structlog
from django.db import InterfaceError, OperationalError, transaction

from diagnosis import jobs
from diagnosis.choices import Status
from diagnosis.clock import database_now
from diagnosis.models import Diagnosis
from diagnosis.transitions import end_diagnosis

log = structlog.get_logger(__name__)

GRACE = timedelta(seconds=5)  # the run that holds it ends it itself
MOST_AT_ONCE = 100


def take_up_orphans() -> int:
    """Enqueue again every unfinished diagnosis without a live job; returns how many."""
    orphans = jobs.without_live_job(Diagnosis.objects.unfinished()).order_by("created_at")
    taken = 0
    for pk in list(orphans.values_list("pk", flat=True)[:MOST_AT_ONCE]):
        with transaction.atomic():
            locked = jobs.without_live_job(Diagnosis.objects.unfinished()).select_for_update(
                of=("self",), skip_locked=True
            )
            diagnosis = locked.filter(pk=pk).first()
            if diagnosis is None:
                continue
            # One that had begun goes before those that wait: its deadline is running.
            diagnosis.job_id = jobs.enqueue_run(diagnosis.pk, goes_first=diagnosis.started_at is not None)
            diagnosis.save(update_fields=["job_id"])
        log.warning("diagnosis_retaken", diagnosis=str(pk))
        taken += 1
    return taken


def end_overdue() -> int:
    """End every diagnosis whose deadline has passed and that no run has ended; returns how many."""
    overdue = Diagnosis.objects.unfinished().filter(deadline_at__lt=database_now() - GRACE)
    return sum(_end(pk) for pk in list(overdue.values_list("pk", flat=True)))


def _end(pk: uuid.UUID) -> bool:
    try:
        return end_diagnosis(pk, Status.TIMED_OUT) is not None
    except (OperationalError, InterfaceError):
        raise  # the database is away: for all of them
    except Exception:
        log.exception("diagnosis_cannot_be_ended", diagnosis=str(pk))
        return False  # the others are ended all the same
