"""The sweep over the rows: they, not the queue, say what is unfinished."""

import uuid
from datetime import timedelta

import structlog
from django.db import InterfaceError, OperationalError, transaction

from diagnosis.choices import DiagnosisStatus
from diagnosis.clock import get_database_time
from diagnosis.models import Diagnosis
from diagnosis.running import queue
from diagnosis.running.state_machine import end_diagnosis

log = structlog.get_logger(__name__)

DEADLINE_GRACE = timedelta(seconds=5)  # the run that holds it ends it itself
MAX_ORPHANS_PER_SWEEP = 100


def requeue_orphans() -> int:
    """Enqueue again every unfinished diagnosis without a live job; returns how many."""
    orphans = queue.filter_without_live_job(Diagnosis.objects.unfinished()).order_by("created_at")
    requeued = 0
    for pk in list(orphans.values_list("pk", flat=True)[:MAX_ORPHANS_PER_SWEEP]):
        with transaction.atomic():
            locked = queue.filter_without_live_job(Diagnosis.objects.unfinished()).select_for_update(
                of=("self",), skip_locked=True
            )
            diagnosis = locked.filter(pk=pk).first()
            if diagnosis is None:
                continue
            # One that had begun goes before those that wait: its deadline is running.
            diagnosis.job_id = queue.enqueue_run(diagnosis.pk, is_prioritized=diagnosis.started_at is not None)
            diagnosis.save(update_fields=["job_id"])
        log.warning("diagnosis_retaken", diagnosis=str(pk))
        requeued += 1
    return requeued


def expire_overdue() -> int:
    """End every diagnosis whose deadline has passed and that no run has ended; returns how many."""
    overdue = Diagnosis.objects.unfinished().filter(deadline_at__lt=get_database_time() - DEADLINE_GRACE)
    return sum(_expire(pk) for pk in list(overdue.values_list("pk", flat=True)))


def _expire(pk: uuid.UUID) -> bool:
    try:
        return end_diagnosis(pk, DiagnosisStatus.TIMED_OUT) is not None
    except (OperationalError, InterfaceError):
        raise  # the database is away: for all of them
    except Exception:
        log.exception("diagnosis_cannot_be_ended", diagnosis=str(pk))
        return False  # the others are ended all the same
