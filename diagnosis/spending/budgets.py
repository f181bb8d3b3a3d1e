"""Budgets of a calendar month in the site's time zone: of platforms, accounts, schedules and workspaces."""

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import reduce
from operator import or_

from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils import timezone

from diagnosis.choices import BudgetScope
from diagnosis.models import AccountBudget, BudgetUse, Platform, Schedule, Workspace

BudgetKey = tuple[str, str, date]  # scope, key, first day of the month


@dataclass(frozen=True)
class Limit:
    """The most that a budget allows in a month; None for no limit."""

    money: Decimal | None = None
    calls: int | None = None


UNLIMITED = Limit()


def get_month(moment: datetime | None = None) -> date:
    """Return the first day of the moment's month in the site's time zone; of the current one by default."""
    return timezone.localtime(moment, timezone.get_default_timezone()).date().replace(day=1)


def build_keys(
    month: date,
    platform: str | None = None,
    owner_id: int | None = None,
    schedule_id: uuid.UUID | None = None,
    workspace_id: uuid.UUID | None = None,
) -> list[BudgetKey]:
    """Return the keys of the budgets that a call is charged to."""
    keys = {
        BudgetScope.PLATFORM: platform,
        BudgetScope.ACCOUNT: owner_id,
        BudgetScope.SCHEDULE: schedule_id,
        BudgetScope.WORKSPACE: workspace_id,
    }
    return [(scope.value, str(key), month) for scope, key in keys.items() if key is not None]


def load_limits(keys: Iterable[BudgetKey], platforms: Mapping[str, Platform]) -> dict[BudgetKey, Limit]:
    """Return the limit of each budget. platforms: current rows by id."""
    by_scope: dict[str, set[str]] = {}
    for scope, key, _month in keys:
        by_scope.setdefault(scope, set()).add(key)
    account_budgets = AccountBudget.objects.filter(owner__in=map(int, by_scope.get(BudgetScope.ACCOUNT, ())))
    accounts = {str(budget.pk): budget.monthly_budget for budget in account_budgets}
    schedules = {
        str(schedule.pk): Limit(schedule.budget_money, schedule.budget_calls)
        for schedule in Schedule.objects.filter(pk__in=by_scope.get(BudgetScope.SCHEDULE, ()))
    }
    workspaces = {
        str(workspace.pk): Limit(workspace.budget_money, workspace.budget_calls)
        for workspace in Workspace.objects.filter(pk__in=by_scope.get(BudgetScope.WORKSPACE, ()))
    }

    def get_limit(scope: str, key: str) -> Limit:
        if scope == BudgetScope.PLATFORM:
            return Limit(platforms[key].monthly_budget)
        if scope == BudgetScope.ACCOUNT:
            return Limit(accounts.get(key, settings.ACCOUNT_MONTHLY_BUDGET))
        return (workspaces if scope == BudgetScope.WORKSPACE else schedules).get(key, UNLIMITED)

    return {(scope, key, month): get_limit(scope, key) for scope, key, month in keys}


def lock_uses(keys: Iterable[BudgetKey]) -> dict[BudgetKey, BudgetUse]:
    """Return the rows of these budgets that exist, locked in one order in all processes."""
    return {(row.scope, row.key, row.month): row for row in find_uses(keys).select_for_update()}


def find_uses(keys: Iterable[BudgetKey]) -> QuerySet[BudgetUse]:
    """Return the rows of these budgets that exist, in order."""
    wanted = list(keys)
    conditions = [Q(scope=scope, key=key, month=month) for scope, key, month in wanted]
    rows = BudgetUse.objects.filter(reduce(or_, conditions)) if conditions else BudgetUse.objects.none()
    return rows.order_by("scope", "key", "month")


def create_uses(keys: Iterable[BudgetKey]) -> None:
    """Create the missing rows. Not in the transaction that locks them: two of those could wait for each other."""
    BudgetUse.objects.bulk_create(
        [BudgetUse(scope=scope, key=key, month=month) for scope, key, month in sorted(set(keys))], ignore_conflicts=True
    )


def has_room(use: BudgetUse | None, limit: Limit, money: Decimal, calls: int) -> bool:
    """Whether the cost fits into a budget. What is free fits into every budget of money."""
    used_money, used_calls = (use.money, use.calls) if use else (Decimal(0), 0)
    if limit.calls is not None and used_calls + calls > limit.calls:
        return False
    return limit.money is None or money <= 0 or used_money + money <= limit.money
