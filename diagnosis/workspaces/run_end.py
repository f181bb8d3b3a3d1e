"""What a workspace stores when a run ends, in the transaction that ends it."""

import structlog
from django.db import InterfaceError, OperationalError, transaction

from diagnosis.models import Diagnosis
from diagnosis.workspaces.actions import record_actions
from diagnosis.workspaces.candidates import record_candidates
from diagnosis.workspaces.rollups import store_summary

log = structlog.get_logger(__name__)


def handle_run_end(diagnosis: Diagnosis, *, finds_actions: bool = True) -> bool:
    """Store figures, found names and actions; an error must not prevent the end of the run.

    finds_actions: false for old runs, for which it is too late. Returns whether it succeeded.
    """
    try:
        with transaction.atomic():
            summary = store_summary(diagnosis)
            record_candidates(diagnosis)
            if finds_actions:
                record_actions(diagnosis, summary)
    except (OperationalError, InterfaceError):
        raise  # the database is unavailable
    except Exception:
        log.exception("run_end_failed", diagnosis=str(diagnosis.pk))
        return False
    return True
