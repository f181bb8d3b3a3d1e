"""Cost of a schedule's runs in advance, and its spending in the current month."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import ceil

from django.db.models import Count

from diagnosis.choices import UNFINISHED_STATUSES, AnswerState, ClientKind
from diagnosis.models import Answer, Frequency, Platform, Schedule, SkipReason
from diagnosis.platforms.durations import estimate_seconds, get_seconds_per_call
from diagnosis.spending.budgets import build_keys, find_uses, get_month
from diagnosis.spending.estimates import get_costs_per_answer

MAX_RUNS_PER_MONTH = {Frequency.DAILY: 31, Frequency.WEEKLY: 5, Frequency.MONTHLY: 1}  # in a calendar month


@dataclass(frozen=True)
class OfferedPlatforms:
    """The platforms that an account may select, by id. costs: expected cost of an answer, None without a price.

    seconds_per_call: None if unknown.
    """

    by_id: Mapping[str, Platform]
    costs: Mapping[str, Decimal | None]
    seconds_per_call: Mapping[str, float | None]


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


def estimate_cost(schedule: Schedule, platforms: OfferedPlatforms, spent: Cost = ZERO_COST) -> Estimate:
    """Estimate a schedule, stored or not."""
    enabled = [platforms.by_id[name] for name in schedule.platforms if name in platforms.by_id]
    calls_per_platform = len(schedule.questions) * schedule.repeats
    run = Cost(
        calls_per_platform * len(schedule.platforms),
        calls_per_platform * sum((platforms.costs[platform.pk] or Decimal(0) for platform in enabled), Decimal(0)),
    )
    calls = dict.fromkeys(schedule.platforms, calls_per_platform)
    seconds = estimate_seconds(enabled, calls, platforms.seconds_per_call)
    skip_reason = None
    if any(name not in platforms.by_id for name in schedule.platforms):
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
        seconds=ceil(seconds) if seconds else None,
        unpriced=[platform.pk for platform in enabled if platforms.costs[platform.pk] is None],
        spent=spent,
        refused=skip_reason,
        carries_month=month.calls <= schedule.budget_calls and month.money <= schedule.budget_money,
    )


def get_offered_platforms(client: ClientKind) -> OfferedPlatforms:
    """Return the platforms that are offered to the client, with the costs and durations of their answers."""
    by_id = {platform.pk: platform for platform in Platform.objects.offered_to(client)}
    return OfferedPlatforms(by_id, get_costs_per_answer(by_id.values()), get_seconds_per_call(by_id.values()))


def get_spent_this_month(schedules: Sequence[Schedule], platforms: OfferedPlatforms) -> dict[object, Cost]:
    """Return {schedule id: what its runs and their retries have used of this month's budget}, in two queries.

    Every attempt counts in the month in which it is made; answers of unfinished runs count as expected.
    """
    month = get_month()
    uses = find_uses(key for schedule in schedules for key in build_keys(month, schedule_id=schedule.pk))
    spent: dict[object, Cost] = {uuid.UUID(use.key): Cost(use.calls, use.money) for use in uses}
    pending = Answer.objects.filter(
        diagnosis__schedule__in=schedules, state=AnswerState.PENDING, diagnosis__status__in=UNFINISHED_STATUSES
    )
    counts = pending.order_by().values_list("diagnosis__schedule", "platform").annotate(Count("pk"))
    for schedule, platform, calls in counts:
        earlier = spent.get(schedule, ZERO_COST)
        cost = platforms.costs.get(platform) or Decimal(0)
        spent[schedule] = Cost(earlier.calls + calls, earlier.money + calls * cost)
    return spent
