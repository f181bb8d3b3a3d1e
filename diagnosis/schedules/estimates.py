"""Cost of a schedule's runs in advance, and its spending in the current month."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import ceil

from django.db.models import Count, Sum
from django.utils import timezone

from diagnosis.models import Answer, Frequency, Platform, Schedule, SkipReason
from diagnosis.schedules.recurrence import get_month_bounds

ASSUMED_PLATFORM_CONCURRENCY = 4  # concurrent calls per platform; the start page assumes the same
MAX_RUNS_PER_MONTH = {Frequency.DAILY: 31, Frequency.WEEKLY: 5, Frequency.MONTHLY: 1}  # in a calendar month


@dataclass(frozen=True)
class Cost:
    """A number of calls and their price in yuan."""

    calls: int
    money: Decimal


@dataclass(frozen=True)
class Estimate:
    """Cost of one run and of the most runs in a calendar month.

    seconds: duration of a run, None if a platform's duration is unknown. unpriced: real platforms without a price,
    counted as free. spent: cost of this schedule in the current month. refused: why the next run would be skipped.
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
    """Estimate a schedule, stored or not. platforms: enabled platforms by id."""
    enabled = [platforms[name] for name in schedule.platforms if name in platforms]
    calls_per_platform = len(schedule.questions) * schedule.repeats
    run = Cost(
        calls_per_platform * len(schedule.platforms),
        calls_per_platform * sum((platform.price_per_call for platform in enabled), Decimal(0)),
    )
    seconds = None
    if enabled and all(platform.typical_seconds for platform in enabled):
        rounds = ceil(calls_per_platform / ASSUMED_PLATFORM_CONCURRENCY)
        seconds = ceil(rounds * max(platform.typical_seconds for platform in enabled))
    skip_reason = None
    if any(name not in platforms for name in schedule.platforms):
        skip_reason = SkipReason.PLATFORMS
    elif spent.calls + run.calls > schedule.budget_calls:
        skip_reason = SkipReason.BUDGET_CALLS
    elif spent.money + run.money > schedule.budget_money:
        skip_reason = SkipReason.BUDGET_MONEY
    runs = MAX_RUNS_PER_MONTH[Frequency(schedule.every)]
    month = Cost(run.calls * runs, run.money * runs)
    return Estimate(
        run=run,
        month=month,
        runs=runs,
        seconds=seconds,
        unpriced=[platform.pk for platform in enabled if not platform.price_per_call and not platform.is_demo],
        spent=spent,
        refused=skip_reason,
        carries_month=month.calls <= schedule.budget_calls and month.money <= schedule.budget_money,
    )


def get_enabled_platforms() -> dict[str, Platform]:
    """Return the enabled platforms by id."""
    return {platform.pk: platform for platform in Platform.objects.enabled()}


def get_spent_this_month(schedules: Sequence[Schedule]) -> dict[object, Cost]:
    """Return {schedule id: cost of its diagnoses of this calendar month, at current prices} in one query."""
    start, end = get_month_bounds(timezone.now())
    answers = Answer.objects.filter(
        diagnosis__schedule__in=schedules, diagnosis__created_at__gte=start, diagnosis__created_at__lt=end
    )
    rows = answers.order_by().values_list("diagnosis__schedule").annotate(Count("pk"), Sum("platform__price_per_call"))
    return {schedule: Cost(calls, money or Decimal(0)) for schedule, calls, money in rows}
