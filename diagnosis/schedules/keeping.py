"""Make, pause, resume and delete schedules."""

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from diagnosis.models import Diagnosis, Schedule
from diagnosis.orders import find_platforms
from diagnosis.presenters import asked_platforms
from diagnosis.schedules.estimates import NOTHING, enabled_platforms, estimate
from diagnosis.schedules.models import SkipReason
from diagnosis.schedules.schemas import MOST_CALLS, MOST_MONEY, EstimateIn, ScheduleIn
from diagnosis.schedules.times import next_slot
from errors.exceptions import Conflict, InvalidInput

MOST = {"questions": 20, "platforms": 10, "competitors": 10}  # as of an order; imported diagnoses may have more


def draft(diagnosis: Diagnosis, body: ScheduleIn | EstimateIn, owner: AbstractBaseUser, locale: str) -> Schedule:
    """The schedule that repeats a diagnosis, not stored.

    Raises InvalidInput when the diagnosis is too big to be ordered or a platform of it is gone.
    """
    brands, platforms = list(diagnosis.brands.all()), asked_platforms(diagnosis)
    own = next((brand for brand in brands if brand.is_own), None)
    schedule = Schedule(
        owner_id=owner.pk,
        brand=diagnosis.brand,
        aliases=own.aliases if own else [],
        competitors=[{"name": brand.name, "aliases": brand.aliases} for brand in brands if not brand.is_own],
        questions=[question.text for question in diagnosis.questions.all()],
        platforms=[platform.pk for platform in platforms],
        repeats=body.repeats or min(diagnosis.repeats, 5),
        is_demo=any(platform.is_demo for platform in platforms),
        locale=locale,
        every=body.every,
        weekday=body.weekday,
        day=body.day,
        time=body.time,
        budget_calls=MOST_CALLS if body.budget_calls is None else body.budget_calls,
        budget_money=MOST_MONEY if body.budget_money is None else body.budget_money,
    )
    _refuse_too_big(schedule)
    find_platforms(schedule.platforms)
    schedule.next_at = next_slot(schedule, timezone.now())
    return schedule


def _refuse_too_big(schedule: Schedule) -> None:
    counts = {name: len(getattr(schedule, name)) for name in MOST}
    if not schedule.questions or not schedule.platforms or any(counts[name] > most for name, most in MOST.items()):
        raise InvalidInput(fields={"diagnosis": _("这次诊断不能直接重复，请用它新建一次诊断，再设为定期。")})


def create_schedule(schedule: Schedule) -> Schedule:
    """Store a draft.

    Raises InvalidInput when not even one run fits its budget, Conflict when its owner has too many.
    """
    refused = estimate(schedule, enabled_platforms(), NOTHING).refused
    if refused == SkipReason.BUDGET_CALLS:
        raise InvalidInput(fields={"budget_calls": _("预算不够运行一次，请调高。")})
    if refused == SkipReason.BUDGET_MONEY:
        raise InvalidInput(fields={"budget_money": _("预算不够运行一次，请调高。")})
    with transaction.atomic():
        # The lock makes two at once count each other.
        get_user_model().objects.select_for_update().get(pk=schedule.owner_id)
        if Schedule.objects.filter(owner_id=schedule.owner_id).count() >= settings.SCHEDULES_PER_OWNER:
            most = {"most": settings.SCHEDULES_PER_OWNER}
            raise Conflict(fields={"diagnosis": _("最多 %(most)s 个定期诊断，请先删除一个。") % most})
        schedule.save(force_insert=True)
    return schedule


def set_paused(schedule: Schedule, *, is_paused: bool) -> Schedule:
    """Pause or resume; what was missed in between is not made up for."""
    if schedule.is_paused != is_paused:
        schedule.is_paused = is_paused
        if not is_paused:
            schedule.next_at = next_slot(schedule, timezone.now())
        schedule.save(update_fields=["is_paused", "next_at"])
    return schedule
