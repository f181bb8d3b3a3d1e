"""What has been spent: by a diagnosis, by a platform today, and of the budgets of this month."""

import uuid
from collections.abc import Iterable
from decimal import Decimal
from typing import TypeVar

from django.conf import settings
from django.db.models import Count, Model, OuterRef, QuerySet, Subquery, Sum
from django.utils import timezone

from diagnosis.choices import BudgetScope, CallPurpose
from diagnosis.models import AccountBudget, BudgetUse, DailySpending, PaidCall, Platform
from diagnosis.spending.budgets import get_month

ModelT = TypeVar("ModelT", bound=Model)
ALERT_PERCENTAGES = (80, 100)


def count_used_budgets() -> dict[tuple[str, ...], float]:
    """Return, by scope and percentage, how many budgets of platforms and accounts are used up to it this month."""
    uses = BudgetUse.objects.filter(month=get_month())
    platforms = Platform.objects.filter(monthly_budget__isnull=False)
    platform_limits = {platform.pk: platform.monthly_budget or Decimal(0) for platform in platforms}
    own_limits = {str(pk): limit for pk, limit in AccountBudget.objects.values_list("pk", "monthly_budget")}
    of_accounts = uses.filter(scope=BudgetScope.ACCOUNT)
    if settings.ACCOUNT_MONTHLY_BUDGET is None:
        of_accounts = of_accounts.filter(key__in=own_limits)
    percentages = {
        BudgetScope.PLATFORM: [
            get_used_percentage(use, platform_limits[use.key])
            for use in uses.filter(scope=BudgetScope.PLATFORM, key__in=platform_limits)
        ],
        BudgetScope.ACCOUNT: [
            get_used_percentage(use, limit)
            for use in of_accounts
            if (limit := own_limits.get(use.key, settings.ACCOUNT_MONTHLY_BUDGET)) is not None
        ],
    }
    return {
        (scope.value, str(level)): sum(percentage >= level for percentage in values)
        for scope, values in percentages.items()
        for level in ALERT_PERCENTAGES
    }


def get_workspace_use(workspace_id: uuid.UUID) -> tuple[int, Decimal]:
    """Return the calls and the money that a workspace has used this month."""
    uses = BudgetUse.objects.filter(scope=BudgetScope.WORKSPACE, key=str(workspace_id), month=get_month())
    return uses.values_list("calls", "money").first() or (0, Decimal(0))


def get_used_percentage(use: BudgetUse, limit: Decimal) -> float:
    """Return how much of a budget is used, in percent; at least 100 once it has refused a call."""
    if use.refused_limit is not None and use.refused_limit >= limit:
        return 100.0
    return float(100 * use.money / limit) if limit else 0.0


def annotate_spending(platforms: QuerySet[Platform]) -> QuerySet[Platform]:
    """Annotate platforms with `calls_today`, `cost_today` and `cost_of_month`."""
    today = timezone.localdate(timezone=timezone.get_default_timezone())
    days = DailySpending.objects.filter(platform=OuterRef("pk"), day=today).order_by().values("platform")
    uses = BudgetUse.objects.filter(scope=BudgetScope.PLATFORM, key=OuterRef("pk"), month=get_month())
    return platforms.annotate(
        calls_today=Subquery(days.annotate(total=Sum("calls")).values("total")),
        cost_today=Subquery(days.annotate(total=Sum("cost")).values("total")),
        cost_of_month=Subquery(uses.values("money")),
    )


def annotate_cost(rows: QuerySet[ModelT], field: str) -> QuerySet[ModelT]:
    """Annotate diagnoses or answers with `cost`, None without calls. field: theirs in PaidCall."""
    calls = PaidCall.objects.filter(**{field: OuterRef("pk")}).exclude(state=PaidCall.State.RESERVED)
    totals = calls.order_by().values(field).annotate(total=Sum("cost"))
    annotated: QuerySet[ModelT] = rows.annotate(cost=Subquery(totals.values("total")))  # type: ignore[assignment]
    return annotated


def format_money(amount: Decimal | None) -> str:
    """Return an amount with two to four decimals; a dash for None."""
    if amount is None:
        return "–"
    whole, decimals = f"{amount:,.4f}".split(".")
    return f"{whole}.{decimals[:2]}{decimals[2:].rstrip('0')}"


def get_diagnosis_costs(diagnosis_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, Decimal]:
    """Return the cost of each diagnosis that has made calls, in one query; calls in flight are excluded."""
    calls = PaidCall.objects.filter(diagnosis__in=diagnosis_ids).exclude(state=PaidCall.State.RESERVED)
    return dict(calls.order_by().values_list("diagnosis").annotate(Sum("cost")))


def count_attempts(answer_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, int]:
    """Return how many calls were made for each answer, those of killed workers included."""
    calls = PaidCall.objects.filter(answer__in=answer_ids, purpose=CallPurpose.ANSWER)
    return dict(calls.order_by().values_list("answer").annotate(Count("pk")))
