"""The sweep over unfinished diagnoses. Their rows, not the job queue, determine what is unfinished."""

from datetime import timedelta

import structlog
from django.db import InterfaceError, OperationalError, transaction

from diagnosis.choices import DiagnosisStatus
from diagnosis.clock import get_database_time
from diagnosis.models import Diagnosis
from diagnosis.running import queue
from diagnosis.running.state_machine import end_diagnosis

log = structlog.get_logger(__name__)

DEADLINE_GRACE = timedelta(seconds=5)  # within it, the run itself ends its diagnosis
MAX_ORPHANS_PER_SWEEP = 100


def requeue_orphans() -> int:
    """Enqueue every unfinished diagnosis without a live job again; returns how many."""
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
            # A diagnosis that had begun goes first: its deadline is running.
            diagnosis.job_id = queue.enqueue_run(diagnosis.pk, is_prioritized=diagnosis.started_at is not None)
            diagnosis.save(update_fields=["job_id"])
        log.warning("diagnosis_requeued", diagnosis=str(pk))
        requeued += 1
    return requeued


def expire_overdue() -> int:
    """End every diagnosis whose deadline has passed and that no run has ended; returns how many."""
    overdue = Diagnosis.objects.unfinished().filter(deadline_at__lt=get_database_time() - DEADLINE_GRACE)
    expired = 0
    for pk in list(overdue.values_list("pk", flat=True)):
        try:
            expired += end_diagnosis(pk, DiagnosisStatus.TIMED_OUT) is not None
        except (OperationalError, InterfaceError):
            raise  # the database is unavailable
        except Exception:  # must not keep the others from ending
            log.exception("diagnosis_expire_failed", diagnosis=str(pk))
    return expired
