"""Build, store, pause and resume schedules."""

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.utils import timezone
from django.utils.translation import gettext as _

from diagnosis.clients import get_client_kind
from diagnosis.models import Diagnosis, Panel, Schedule, SkipReason
from diagnosis.orders.services import get_requested_platforms
from diagnosis.platforms.availability import Obstacle, find_obstacle
from diagnosis.row_locks import brief_transaction
from diagnosis.schedules.estimates import ZERO_COST, estimate_cost, get_offered_platforms
from diagnosis.schedules.recurrence import can_coincide, get_next_due_at
from diagnosis.schedules.schemas import (
    MAX_BUDGET_CALLS,
    MAX_BUDGET_MONEY,
    EstimateIn,
    PanelEstimateIn,
    PanelScheduleIn,
    ScheduleIn,
)
from diagnosis.trends.panels import compute_panel_key
from diagnosis.workspaces.panels import fill_schedule
from errors.exceptions import Conflict, InvalidInput

# The limits of a requested diagnosis; an imported diagnosis may exceed them.
MAX_SCHEDULE_ITEMS = {"questions": 20, "platforms": 10, "competitors": 10}
MAX_SCHEDULE_REPEATS = 5


WAIT_FIELDS = ["slot_at", "retry_until", "wait_reason"]


def clear_wait(schedule: Schedule) -> None:
    """Reset the fields of a due time that waits, without saving."""
    schedule.slot_at, schedule.retry_until, schedule.wait_reason = None, None, ""


def build_schedule(
    diagnosis: Diagnosis, body: ScheduleIn | EstimateIn, owner: AbstractBaseUser, locale: str
) -> Schedule:
    """Return an unsaved schedule that repeats a diagnosis.

    Raises InvalidInput if the diagnosis is too big or one of its platforms is no longer available.
    """
    brands, platforms = list(diagnosis.brands.all()), diagnosis.get_platforms()
    questions = list(diagnosis.questions.all())
    own_brand = next((brand for brand in brands if brand.is_own), None)
    schedule = Schedule(
        owner_id=owner.pk,
        workspace_id=diagnosis.workspace_id,
        brand=diagnosis.brand,
        aliases=own_brand.aliases if own_brand else [],
        sites=own_brand.sites if own_brand else [],
        competitors=[
            {"name": brand.name, "aliases": brand.aliases, "sites": brand.sites} for brand in brands if not brand.is_own
        ],
        questions=[question.text for question in questions],
        questions_about_brand=[index for index, question in enumerate(questions) if question.is_about_brand],
        platforms=[platform.pk for platform in platforms],
        repeats=body.repeats or min(diagnosis.repeats, MAX_SCHEDULE_REPEATS),
        is_demo=any(platform.is_demo for platform in platforms),
        locale=locale,
        every=body.every,
        weekday=body.weekday,
        day=body.day,
        time=body.time,
        budget_calls=MAX_BUDGET_CALLS if body.budget_calls is None else body.budget_calls,
        budget_money=MAX_BUDGET_MONEY if body.budget_money is None else body.budget_money,
    )
    is_too_big = any(len(getattr(schedule, name)) > maximum for name, maximum in MAX_SCHEDULE_ITEMS.items())
    if is_too_big or not schedule.questions or not schedule.platforms:
        raise InvalidInput(fields={"diagnosis": _("这次诊断不能直接重复，请用它新建一次诊断，再设为定期。")})
    _check_platforms(schedule, owner)
    return schedule


def build_panel_schedule(
    panel: Panel, body: PanelScheduleIn | PanelEstimateIn, owner: AbstractBaseUser, locale: str
) -> Schedule:
    """Return an unsaved schedule that runs the current version of a panel at each of its times.

    Raises InvalidInput if one of its platforms is no longer available, Conflict without an own brand.
    """
    schedule = Schedule(
        owner_id=owner.pk,
        workspace_id=panel.workspace_id,
        panel=panel,
        locale=locale,
        every=body.every,
        weekday=body.weekday,
        day=body.day,
        time=body.time,
        budget_calls=MAX_BUDGET_CALLS if body.budget_calls is None else body.budget_calls,
        budget_money=MAX_BUDGET_MONEY if body.budget_money is None else body.budget_money,
    )
    fill_schedule(schedule, panel)
    _check_platforms(schedule, owner)
    return schedule


def _check_platforms(schedule: Schedule, owner: AbstractBaseUser) -> None:
    """Set the first due time. Raises InvalidInput if the platforms cannot be asked."""
    requested = get_requested_platforms(schedule.platforms, get_client_kind(owner))
    if all(find_obstacle(platform) == Obstacle.NO_KEY for platform in requested):
        raise InvalidInput(fields={"platforms": _("这些平台都没有密钥，不能定期询问。")})
    schedule.next_at = get_next_due_at(schedule, timezone.now())


def store_schedule(schedule: Schedule, *, confirms_duplicate: bool = False) -> Schedule:
    """Store an unsaved schedule.

    Raises InvalidInput if its budget does not cover one run, Conflict if its owner has too many schedules or, unless
    `confirms_duplicate`, one of the same panel at the same time.
    """
    platforms = get_offered_platforms(get_client_kind(schedule.owner))
    skip_reason = estimate_cost(schedule, platforms, ZERO_COST).refused
    if skip_reason == SkipReason.BUDGET_CALLS:
        raise InvalidInput(fields={"budget_calls": _("预算不够运行一次，请调高。")})
    if skip_reason == SkipReason.BUDGET_MONEY:
        raise InvalidInput(fields={"budget_money": _("预算不够运行一次，请调高。")})
    with brief_transaction():
        # The lock keeps concurrent requests from exceeding the limit.
        get_user_model().objects.select_for_update().get(pk=schedule.owner_id)
        if Schedule.objects.filter(owner_id=schedule.owner_id).count() >= settings.SCHEDULES_PER_OWNER:
            params = {"most": settings.SCHEDULES_PER_OWNER}
            raise Conflict(fields={"diagnosis": _("最多 %(most)s 个定期诊断，请先删除一个。") % params})
        if not confirms_duplicate and has_duplicate(schedule):
            message = _("已有同样的品牌、问题、平台和时间的定期诊断，再建一个会重复付费。")
            raise Conflict(fields={"confirm_duplicate": message})
        schedule.save(force_insert=True)
    return schedule


def has_duplicate(schedule: Schedule) -> bool:
    """Return whether its owner has a schedule of the same panel at the same time."""
    others = Schedule.objects.filter(owner_id=schedule.owner_id)
    return any(can_coincide(schedule, other) and _get_panel(schedule) == _get_panel(other) for other in others)


def _get_panel(schedule: Schedule) -> str:
    return compute_panel_key(schedule.brand, schedule.questions, schedule.platforms)


def set_paused(schedule: Schedule, *, is_paused: bool) -> Schedule:
    """Pause or resume. Due times that were missed during a pause are not made up for."""
    if schedule.is_paused != is_paused:
        schedule.is_paused = is_paused
        clear_wait(schedule)
        if not is_paused:
            schedule.next_at = get_next_due_at(schedule, timezone.now())
        schedule.save(update_fields=["is_paused", "next_at", *WAIT_FIELDS])
    return schedule
