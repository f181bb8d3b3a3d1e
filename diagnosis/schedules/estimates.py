"""What a schedule's runs cost before they start, and what it has spent of its month."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import ceil

from django.db.models import Count, Sum
from django.utils import timezone

from diagnosis.models import Answer, Frequency, Platform, Schedule, SkipReason
from diagnosis.schedules.recurrence import get_month_bounds

ASSUMED_PLATFORM_CONCURRENCY = 4  # calls that a platform answers at once, as the start page reckons
MAX_RUNS_PER_MONTH = {Frequency.WEEKLY: 5, Frequency.MONTHLY: 1}  # in a calendar month


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


ZERO_COST = Cost(0, Decimal(0))


def estimate_cost(schedule: Schedule, platforms: Mapping[str, Platform], spent: Cost = ZERO_COST) -> Estimate:
    """platforms: the enabled ones by id. A schedule need not be stored."""
    enabled = [platforms[name] for name in schedule.platforms if name in platforms]
    calls_per_platform = len(schedule.questions) * schedule.repeats
    run = Cost(
        calls_per_platform * len(schedule.platforms),
        calls_per_platform * sum((one.price_per_call for one in enabled), Decimal(0)),
    )
    runs = MAX_RUNS_PER_MONTH[Frequency(schedule.every)]
    month = Cost(run.calls * runs, run.money * runs)
    return Estimate(
        run=run,
        month=month,
        runs=runs,
        seconds=_estimate_run_seconds(enabled, calls_per_platform),
        unpriced=[one.pk for one in enabled if not one.price_per_call and not one.is_demo],
        spent=spent,
        refused=_find_skip_reason(schedule, platforms, run, spent),
        carries_month=month.calls <= schedule.budget_calls and month.money <= schedule.budget_money,
    )


def _estimate_run_seconds(platforms: Sequence[Platform], calls_per_platform: int) -> int | None:
    if not platforms or not all(one.typical_seconds for one in platforms):
        return None
    return ceil(ceil(calls_per_platform / ASSUMED_PLATFORM_CONCURRENCY) * max(one.typical_seconds for one in platforms))


def _find_skip_reason(
    schedule: Schedule, platforms: Mapping[str, Platform], run: Cost, spent: Cost
) -> SkipReason | None:
    if any(name not in platforms for name in schedule.platforms):
        return SkipReason.PLATFORMS
    if spent.calls + run.calls > schedule.budget_calls:
        return SkipReason.BUDGET_CALLS
    return SkipReason.BUDGET_MONEY if spent.money + run.money > schedule.budget_money else None


def get_enabled_platforms() -> dict[str, Platform]:
    """Those that can be asked, by id."""
    return {platform.pk: platform for platform in Platform.objects.filter(is_enabled=True)}


def get_spent_this_month(schedules: Sequence[Schedule]) -> dict[object, Cost]:
    """{schedule's id: what it has ordered in this calendar month, at today's prices}; one query."""
    start, end = get_month_bounds(timezone.now())
    answers = Answer.objects.filter(
        diagnosis__schedule__in=schedules, diagnosis__created_at__gte=start, diagnosis__created_at__lt=end
    )
    rows = answers.order_by().values_list("diagnosis__schedule").annotate(Count("pk"), Sum("platform__price_per_call"))
    return {schedule: Cost(calls, money or Decimal(0)) for schedule, calls, money in rows}
