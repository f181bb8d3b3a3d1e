"""Start what is due: each slot once, whoever looks; one run for all slots that were missed; never over the budget."""

import uuid
from datetime import datetime

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError, transaction
from django.utils import timezone
from django.utils.module_loading import import_string

from diagnosis.models import Diagnosis, Schedule
from diagnosis.orders import BrandOrder, Order, Request, place_order
from diagnosis.schedules.estimates import NOTHING, enabled_platforms, estimate, spent_by
from diagnosis.schedules.models import SkipReason
from diagnosis.schedules.times import next_slot
from errors.exceptions import AppError

log = structlog.get_logger(__name__)

MOST_AT_ONCE = 200  # the rest is for the next minute
# Clients' keys are ASCII (diagnosis/api.py), so nobody can take a slot's beforehand.
KEY = "定期:{id}:{slot}"


def start_due() -> int:
    """Start or skip every schedule that is due; returns how many diagnoses were started."""
    due = Schedule.objects.due().order_by("next_at").values_list("pk", "next_at")
    return sum(_take(pk, slot) for pk, slot in list(due[:MOST_AT_ONCE]))


def _take(pk: uuid.UUID, slot: datetime) -> bool:
    try:
        with transaction.atomic():
            schedule = _claim(pk, slot)
            return schedule is not None and _run(schedule, slot)
    except (OperationalError, InterfaceError):
        raise  # the database is away: for all of them
    except Exception:
        log.exception("schedule_cannot_be_started", schedule=str(pk))
        return False  # the others are started all the same


def _claim(pk: uuid.UUID, slot: datetime) -> Schedule | None:
    """The schedule with its next time set, when nobody else has taken this slot."""
    schedule = Schedule.objects.select_related("owner").filter(pk=pk).first()
    if schedule is None:
        return None
    schedule.next_at = next_slot(schedule, timezone.now())
    # A worker that looks at the same moment waits here for the commit, and then finds no row. Conditions on the
    # row alone: with a join they would be looked at before the wait only.
    is_mine = Schedule.objects.filter(pk=pk, next_at=slot, is_paused=False).update(next_at=schedule.next_at)
    return schedule if is_mine else None


def _run(schedule: Schedule, slot: datetime) -> bool:
    spent = spent_by([schedule]).get(schedule.pk, NOTHING)
    refused = estimate(schedule, enabled_platforms(), spent).refused
    if refused:
        _skip(schedule, slot, refused)
        return False
    try:
        with transaction.atomic():
            diagnosis = _order(schedule, slot)
    except AppError as error:
        log.warning("schedule_refused", schedule=str(schedule.pk), error=repr(error))
        _skip(schedule, slot, SkipReason.REFUSED)
        return False
    schedule.last_diagnosis, schedule.skipped_at, schedule.skip_reason = diagnosis, None, ""
    schedule.save(update_fields=["last_diagnosis", "skipped_at", "skip_reason"])
    log.info("schedule_started", schedule=str(schedule.pk), diagnosis=str(diagnosis.pk))
    return True


def _order(schedule: Schedule, slot: datetime) -> Diagnosis:
    key = KEY.format(id=schedule.pk, slot=slot.isoformat())
    request = Request(schedule.owner, key, locale=schedule.locale, schedule=schedule.pk)
    return place_order(order_of(schedule), request)[0]


def _skip(schedule: Schedule, slot: datetime, reason: SkipReason) -> None:
    schedule.skipped_at, schedule.skip_reason = slot, reason
    schedule.save(update_fields=["skipped_at", "skip_reason"])
    # The room above tells the owner, in this transaction.
    import_string(settings.SCHEDULE_SKIPPED)(schedule)
    log.info("schedule_skipped", schedule=str(schedule.pk), reason=reason.value)


def order_of(schedule: Schedule) -> Order:
    """What it orders."""
    return Order(
        BrandOrder(schedule.brand, tuple(schedule.aliases)),
        schedule.questions,
        schedule.platforms,
        [BrandOrder(one["name"], tuple(one["aliases"])) for one in schedule.competitors],
        schedule.repeats,
    )
