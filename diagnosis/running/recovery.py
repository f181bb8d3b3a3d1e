"""The end of diagnoses that no run has ended in time."""

from datetime import timedelta

import structlog
from django.db import InterfaceError, OperationalError

from diagnosis.choices import DiagnosisStatus
from diagnosis.clock import get_database_time
from diagnosis.models import Diagnosis
from diagnosis.running.state_machine import end_diagnosis

log = structlog.get_logger(__name__)

DEADLINE_GRACE = timedelta(seconds=5)  # within it, the run itself ends its diagnosis


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
