"""What a schedule's runs cost before they start, and what it has spent of its month."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import ceil

from django.db.models import Count, Sum
from django.utils import timezone

from diagnosis.models import Answer, Platform, Schedule
from diagnosis.schedules.models import Every, SkipReason
from diagnosis.schedules.times import month_of

SIDE_BY_SIDE = 4  # calls that a platform answers at once, as the start page reckons
MOST_RUNS = {Every.WEEKLY: 5, Every.MONTHLY: 1}  # in a calendar month


@dataclass(frozen=True)
class Cost:
    """money: yuan."""

    calls: int
    money: Decimal


@dataclass(frozen=True)
class Estimate:
    """One run, and as many as a calendar month may have. seconds: of a run, None where a platform does not say.

    unpriced: real platforms for which no price is entered; they count as free, and the money is more than it says.
    spent: what this schedule has cost in this calendar month. refused: why the next run would be left out, if it were.
    """

    run: Cost
    month: Cost
    runs: int
    seconds: int | None
    unpriced: list[str]
    spent: Cost
    refused: SkipReason | None
    carries_month: bool


NOTHING = Cost(0, Decimal(0))


def estimate(schedule: Schedule, platforms: Mapping[str, Platform], spent: Cost = NOTHING) -> Estimate:
    """platforms: the enabled ones by id. A schedule need not be stored."""
    asked = [platforms[name] for name in schedule.platforms if name in platforms]
    each = len(schedule.questions) * schedule.repeats
    run = Cost(each * len(schedule.platforms), each * sum((one.price_per_call for one in asked), Decimal(0)))
    runs = MOST_RUNS[Every(schedule.every)]
    month = Cost(run.calls * runs, run.money * runs)
    return Estimate(
        run=run,
        month=month,
        runs=runs,
        seconds=_seconds(asked, each),
        unpriced=[one.pk for one in asked if not one.price_per_call and not one.is_demo],
        spent=spent,
        refused=_refused(schedule, platforms, run, spent),
        carries_month=month.calls <= schedule.budget_calls and month.money <= schedule.budget_money,
    )


def _seconds(platforms: Sequence[Platform], each: int) -> int | None:
    if not platforms or not all(one.typical_seconds for one in platforms):
        return None
    return ceil(ceil(each / SIDE_BY_SIDE) * max(one.typical_seconds for one in platforms))


def _refused(schedule: Schedule, platforms: Mapping[str, Platform], run: Cost, spent: Cost) -> SkipReason | None:
    if any(name not in platforms for name in schedule.platforms):
        return SkipReason.PLATFORMS
    if spent.calls + run.calls > schedule.budget_calls:
        return SkipReason.BUDGET_CALLS
    return SkipReason.BUDGET_MONEY if spent.money + run.money > schedule.budget_money else None


def enabled_platforms() -> dict[str, Platform]:
    """Those that can be asked, by id."""
    return {platform.pk: platform for platform in Platform.objects.filter(is_enabled=True)}


def spent_by(schedules: Sequence[Schedule]) -> dict[object, Cost]:
    """{schedule's id: what it has ordered in this calendar month, at today's prices}; one query."""
    start, end = month_of(timezone.now())
    asked = Answer.objects.filter(
        diagnosis__schedule__in=schedules, diagnosis__created_at__gte=start, diagnosis__created_at__lt=end
    )
    rows = asked.order_by().values_list("diagnosis__schedule").annotate(Count("pk"), Sum("platform__price_per_call"))
    return {schedule: Cost(calls, money or Decimal(0)) for schedule, calls, money in rows}
