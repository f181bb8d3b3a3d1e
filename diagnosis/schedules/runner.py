"""Start due schedules: each due time once, one run for all missed ones, never over the budget.

A due time that cannot be started for a passing reason is tried again within a day.
"""

import uuid
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError, transaction
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.module_loading import import_string

from diagnosis.clients import get_client_kind
from diagnosis.exceptions import BudgetExhausted, PlatformsUnavailable, QueueFull, TooManyUnfinished
from diagnosis.models import Schedule, SkipReason
from diagnosis.orders.services import DiagnosisRequest, RequestContext, RequestedBrand, create_diagnosis
from diagnosis.schedules.estimates import ZERO_COST, estimate_cost, get_offered_platforms, get_spent_this_month
from diagnosis.schedules.recurrence import get_next_due_at
from diagnosis.schedules.services import WAIT_FIELDS, clear_wait
from diagnosis.workspaces.actions import record_skipped_run
from diagnosis.workspaces.panels import get_current_version
from errors.exceptions import AppError

log = structlog.get_logger(__name__)

SCHEDULE_BATCH_SIZE = 200  # per minute
MAX_WAIT = timedelta(days=1)  # for a slot that cannot be started at its time
RETRY_INTERVAL = timedelta(minutes=1)
MAX_PAUSE_RETRY_INTERVAL = timedelta(minutes=10)
# Keys of clients are ASCII (diagnosis/api/diagnoses.py), so no client can use one of these.
SCHEDULE_IDEMPOTENCY_KEY = "定期:{id}:{slot}"


def start_due_schedules() -> int:
    """Start or skip every schedule that is due; returns how many diagnoses were started."""
    # Those that have waited longest go first.
    due = Schedule.objects.due().order_by(Coalesce("slot_at", "next_at"), "created_at").values_list("pk", "next_at")
    started = 0
    for pk, due_at in list(due[:SCHEDULE_BATCH_SIZE]):
        try:
            with transaction.atomic():
                started += _start_schedule(pk, due_at)
        except (OperationalError, InterfaceError):
            raise  # the database is unavailable
        except Exception:  # must not keep the others from starting
            log.exception("schedule_start_failed", schedule=str(pk))
    return started


def _start_schedule(pk: uuid.UUID, due_at: datetime) -> bool:
    """Claim one due time, then start, postpone or skip its run; returns whether a diagnosis was started."""
    schedule = Schedule.objects.select_related("owner", "workspace", "panel").filter(pk=pk).first()
    if schedule is None:
        return False
    schedule.next_at = get_next_due_at(schedule, timezone.now())
    # A concurrent worker waits here for the commit, then finds no row. The conditions must not need a join: PostgreSQL
    # would not check them again after the wait.
    if not Schedule.objects.filter(pk=pk, next_at=due_at, is_paused=False).update(next_at=schedule.next_at):
        return False
    slot_at = schedule.slot_at or due_at
    platforms = get_offered_platforms(get_client_kind(schedule.owner))
    spent = get_spent_this_month([schedule], platforms).get(schedule.pk, ZERO_COST)
    skip_reason = estimate_cost(schedule, platforms, spent).refused
    if skip_reason:
        _skip(schedule, slot_at, skip_reason)
        return False
    key = SCHEDULE_IDEMPOTENCY_KEY.format(id=schedule.pk, slot=slot_at.isoformat())
    context = RequestContext(
        schedule.owner,
        key,
        locale=schedule.locale,
        schedule=schedule.pk,
        workspace=schedule.workspace_id,
        panel_version=get_current_version(schedule.panel).pk if schedule.panel else None,
    )
    try:
        with transaction.atomic():
            diagnosis, _is_new = create_diagnosis(build_diagnosis_request(schedule), context)
    except (QueueFull, TooManyUnfinished):
        _postpone(schedule, slot_at, SkipReason.QUEUE_FULL, timezone.now() + RETRY_INTERVAL)
        return False
    except PlatformsUnavailable as error:
        # An operator may end the pause earlier.
        latest = timezone.now() + MAX_PAUSE_RETRY_INTERVAL
        retry_at = max(min(error.until or latest, latest), timezone.now() + RETRY_INTERVAL)
        _postpone(schedule, slot_at, SkipReason.UNAVAILABLE, retry_at)
        return False
    except BudgetExhausted:
        _skip(schedule, slot_at, SkipReason.BUDGET)
        return False
    except AppError as error:
        log.warning("schedule_start_rejected", schedule=str(schedule.pk), error=repr(error))
        _skip(schedule, slot_at, SkipReason.REFUSED)
        return False
    clear_wait(schedule)
    schedule.last_diagnosis, schedule.skipped_at, schedule.skip_reason = diagnosis, None, ""
    schedule.save(update_fields=["last_diagnosis", "skipped_at", "skip_reason", *WAIT_FIELDS])
    log.info("schedule_started", schedule=str(schedule.pk), diagnosis=str(diagnosis.pk))
    return True


def _postpone(schedule: Schedule, slot_at: datetime, reason: SkipReason, retry_at: datetime) -> None:
    """Try the slot again at `retry_at`; skip it if that is after its day, or after the next slot.

    The day begins with the first attempt, which is late if no worker was running.
    """
    retry_until = schedule.retry_until or min(timezone.now() + MAX_WAIT, schedule.next_at)
    if retry_at >= retry_until:
        _skip(schedule, slot_at, reason)
        return
    schedule.next_at, schedule.slot_at, schedule.retry_until = retry_at, slot_at, retry_until
    schedule.wait_reason = reason
    schedule.save(update_fields=["next_at", *WAIT_FIELDS])
    log.info("schedule_postponed", schedule=str(schedule.pk), reason=reason.value, retry_at=retry_at.isoformat())


def _skip(schedule: Schedule, slot_at: datetime, reason: SkipReason) -> None:
    clear_wait(schedule)
    schedule.skipped_at, schedule.skip_reason = slot_at, reason
    schedule.save(update_fields=["skipped_at", "skip_reason", *WAIT_FIELDS])
    record_skipped_run(schedule)
    # The app above stores the owner's notification in the same transaction.
    import_string(settings.SCHEDULE_SKIPPED)(schedule)
    log.info("schedule_skipped", schedule=str(schedule.pk), reason=reason.value)


def build_diagnosis_request(schedule: Schedule) -> DiagnosisRequest:
    """Return the request for the schedule's diagnosis."""
    return DiagnosisRequest(
        RequestedBrand(schedule.brand, tuple(schedule.aliases), tuple(schedule.sites)),
        schedule.questions,
        schedule.platforms,
        [
            RequestedBrand(competitor["name"], tuple(competitor["aliases"]), tuple(competitor.get("sites", ())))
            for competitor in schedule.competitors
        ],
        schedule.repeats,
        schedule.questions_about_brand,
    )
