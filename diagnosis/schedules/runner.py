"""Start what is due: each slot once, whoever looks; one run for all slots that were missed; never over the budget."""

import uuid
from datetime import datetime

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError, transaction
from django.utils import timezone
from django.utils.module_loading import import_string

from diagnosis.models import Diagnosis, Schedule, SkipReason
from diagnosis.orders.services import DiagnosisRequest, RequestContext, RequestedBrand, create_diagnosis
from diagnosis.schedules.estimates import ZERO_COST, estimate_cost, get_enabled_platforms, get_spent_this_month
from diagnosis.schedules.recurrence import get_next_due_at
from errors.exceptions import AppError

log = structlog.get_logger(__name__)

SCHEDULE_BATCH_SIZE = 200  # the rest is for the next minute
# Clients' keys are ASCII (diagnosis/api/diagnoses.py), so nobody can take a slot's beforehand.
SCHEDULE_IDEMPOTENCY_KEY = "定期:{id}:{slot}"


def start_due_schedules() -> int:
    """Start or skip every schedule that is due; returns how many diagnoses were started."""
    due = Schedule.objects.due().order_by("next_at").values_list("pk", "next_at")
    return sum(_claim_and_run(pk, due_at) for pk, due_at in list(due[:SCHEDULE_BATCH_SIZE]))


def _claim_and_run(pk: uuid.UUID, due_at: datetime) -> bool:
    try:
        with transaction.atomic():
            schedule = _claim_schedule(pk, due_at)
            return schedule is not None and _start_or_skip(schedule, due_at)
    except (OperationalError, InterfaceError):
        raise  # the database is away: for all of them
    except Exception:
        log.exception("schedule_cannot_be_started", schedule=str(pk))
        return False  # the others are started all the same


def _claim_schedule(pk: uuid.UUID, due_at: datetime) -> Schedule | None:
    """The schedule with its next time set, when nobody else has taken this slot."""
    schedule = Schedule.objects.select_related("owner").filter(pk=pk).first()
    if schedule is None:
        return None
    schedule.next_at = get_next_due_at(schedule, timezone.now())
    # A worker that looks at the same moment waits here for the commit, and then finds no row. Conditions on the
    # row alone: with a join they would be looked at before the wait only.
    is_claimed = Schedule.objects.filter(pk=pk, next_at=due_at, is_paused=False).update(next_at=schedule.next_at)
    return schedule if is_claimed else None


def _start_or_skip(schedule: Schedule, due_at: datetime) -> bool:
    spent = get_spent_this_month([schedule]).get(schedule.pk, ZERO_COST)
    skip_reason = estimate_cost(schedule, get_enabled_platforms(), spent).refused
    if skip_reason:
        _skip(schedule, due_at, skip_reason)
        return False
    try:
        with transaction.atomic():
            diagnosis = _create_scheduled_diagnosis(schedule, due_at)
    except AppError as error:
        log.warning("schedule_refused", schedule=str(schedule.pk), error=repr(error))
        _skip(schedule, due_at, SkipReason.REFUSED)
        return False
    schedule.last_diagnosis, schedule.skipped_at, schedule.skip_reason = diagnosis, None, ""
    schedule.save(update_fields=["last_diagnosis", "skipped_at", "skip_reason"])
    log.info("schedule_started", schedule=str(schedule.pk), diagnosis=str(diagnosis.pk))
    return True


def _create_scheduled_diagnosis(schedule: Schedule, due_at: datetime) -> Diagnosis:
    key = SCHEDULE_IDEMPOTENCY_KEY.format(id=schedule.pk, slot=due_at.isoformat())
    context = RequestContext(schedule.owner, key, locale=schedule.locale, schedule=schedule.pk)
    return create_diagnosis(build_diagnosis_request(schedule), context)[0]


def _skip(schedule: Schedule, due_at: datetime, reason: SkipReason) -> None:
    schedule.skipped_at, schedule.skip_reason = due_at, reason
    schedule.save(update_fields=["skipped_at", "skip_reason"])
    # The room above tells the owner, in this transaction.
    import_string(settings.SCHEDULE_SKIPPED)(schedule)
    log.info("schedule_skipped", schedule=str(schedule.pk), reason=reason.value)


def build_diagnosis_request(schedule: Schedule) -> DiagnosisRequest:
    """What it orders."""
    return DiagnosisRequest(
        RequestedBrand(schedule.brand, tuple(schedule.aliases)),
        schedule.questions,
        schedule.platforms,
        [RequestedBrand(competitor["name"], tuple(competitor["aliases"])) for competitor in schedule.competitors],
        schedule.repeats,
    )
