"""What a diagnosis is expected to cost, and whether the budgets have room for that."""

import uuid
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import ROUND_UP, Decimal

from django.conf import settings
from django.db.models import Count, Sum
from django.utils import timezone
from django.utils.translation import gettext as _

from diagnosis.choices import UNFINISHED_STATUSES, AnswerState, BudgetScope, CallPurpose
from diagnosis.exceptions import BudgetExhausted
from diagnosis.models import Answer, DailySpending, Platform
from diagnosis.replies import Usage
from diagnosis.spending.budgets import UNLIMITED, build_keys, find_uses, get_month, has_room, load_limits
from diagnosis.spending.pricing import get_cost, is_priced

USAGE_DAYS = 30
ESTIMATE_STEP = Decimal("0.0001")
TYPICAL_USAGE = Usage(200, 1_000, None, 1)  # of a platform without calls within USAGE_DAYS


@dataclass(frozen=True)
class PlannedCost:
    """The expected cost of planned answers. money: None if a platform has no price."""

    calls_by_platform: Mapping[str, int]
    money_by_platform: Mapping[str, Decimal | None]

    def __add__(self, other: "PlannedCost") -> "PlannedCost":
        calls = Counter(self.calls_by_platform) + Counter(other.calls_by_platform)
        money = {
            pk: (self.money_by_platform.get(pk) or Decimal(0)) + (other.money_by_platform.get(pk) or Decimal(0))
            for pk in calls
        }
        return PlannedCost(calls, money)

    def of_platform(self, platform_id: str) -> "PlannedCost":
        """Return the part of one platform."""
        calls, money = self.calls_by_platform.get(platform_id, 0), self.money_by_platform.get(platform_id)
        return PlannedCost({platform_id: calls}, {platform_id: money})

    @property
    def calls(self) -> int:
        """The answers of all platforms."""
        return sum(self.calls_by_platform.values())

    @property
    def money(self) -> Decimal | None:
        """The cost of all platforms."""
        amounts = [money for money in self.money_by_platform.values() if money is not None]
        return sum(amounts, Decimal(0)) if len(amounts) == len(self.money_by_platform) else None


def get_costs_per_answer(platforms: Iterable[Platform]) -> dict[str, Decimal | None]:
    """Return the expected cost of one answer by platform, with its sentiment rating; None without a price."""
    rows = list(platforms)
    judge = Platform.objects.enabled().filter(pk=settings.JUDGE_PLATFORM).first() if settings.JUDGE_PLATFORM else None
    answer_usages = _get_average_usages(CallPurpose.ANSWER, [platform.pk for platform in rows])
    judge_cost = Decimal(0)
    if judge:
        usage = _get_average_usages(CallPurpose.JUDGE, [judge.pk]).get(judge.pk, TYPICAL_USAGE)
        judge_cost = get_cost(judge, usage, TYPICAL_USAGE)
    return {
        platform.pk: _round(
            get_cost(platform, answer_usages.get(platform.pk, TYPICAL_USAGE), TYPICAL_USAGE) + judge_cost
        )
        if is_priced(platform)
        else None
        for platform in rows
    }


def _round(money: Decimal) -> Decimal:
    return money.quantize(ESTIMATE_STEP, ROUND_UP)


def _get_average_usages(purpose: CallPurpose, platform_ids: Iterable[str]) -> dict[str, Usage]:
    """Return the average usage of a call by platform, over the last days with calls that reported any."""
    since = timezone.localdate(timezone=timezone.get_default_timezone()) - timedelta(days=USAGE_DAYS)
    totals = DailySpending.objects.filter(platform__in=platform_ids, purpose=purpose, day__gte=since)
    sums = (
        totals.order_by()
        .values_list("platform")
        .annotate(Sum("calls"), Sum("prompt_tokens"), Sum("completion_tokens"), Sum("searches"))
    )
    return {
        platform: Usage(-(-input_tokens // calls), -(-output_tokens // calls), None, -(-searches // calls))
        for platform, calls, input_tokens, output_tokens, searches in sums
        if calls > 0 and output_tokens
    }


def plan_cost(platforms: Iterable[Platform], calls_by_platform: Mapping[str, int]) -> PlannedCost:
    """Return the expected cost of so many answers of each platform."""
    costs = get_costs_per_answer(platforms)
    money = {pk: None if cost is None else calls_by_platform[pk] * cost for pk, cost in costs.items()}
    return PlannedCost(calls_by_platform, money)


def check_budgets(
    planned: PlannedCost,
    platforms: Mapping[str, Platform],
    owner_id: int,
    schedule_id: uuid.UUID | None = None,
    workspace_id: uuid.UUID | None = None,
) -> None:
    """Raise BudgetExhausted if the expected cost does not fit into a budget of this month."""
    month = get_month()
    keys = [key for pk in platforms for key in build_keys(month, platform=pk)]
    keys += build_keys(month, owner_id=owner_id, schedule_id=schedule_id, workspace_id=workspace_id)
    limits = {key: limit for key, limit in load_limits(keys, platforms).items() if limit != UNLIMITED}
    if not limits:
        return
    uses = {(use.scope, use.key, use.month): use for use in find_uses(limits)}
    for key, limit in limits.items():
        scope, pk, _month = key
        total = _count_unfinished(scope, pk) + planned
        cost = total.of_platform(pk) if scope == BudgetScope.PLATFORM else total
        if not has_room(uses.get(key), limit, cost.money or Decimal(0), cost.calls):
            name = platforms[pk].name if scope == BudgetScope.PLATFORM else ""
            raise BudgetExhausted(BudgetScope(scope), pk, fields={"platforms": _describe_refusal(scope, name)})


def _count_unfinished(scope: str, key: str) -> "PlannedCost":
    """Return the expected cost of the answers that earlier orders are still waiting for."""
    field = {
        BudgetScope.PLATFORM: "platform",
        BudgetScope.ACCOUNT: "diagnosis__owner",
        BudgetScope.WORKSPACE: "diagnosis__workspace",
    }.get(BudgetScope(scope), "diagnosis__schedule")
    pending = Answer.objects.filter(
        **{field: key}, state=AnswerState.PENDING, diagnosis__status__in=UNFINISHED_STATUSES
    )
    calls = dict(pending.order_by().values_list("platform").annotate(Count("pk")))
    return plan_cost(Platform.objects.filter(pk__in=calls), calls) if calls else PlannedCost({}, {})


def _describe_refusal(scope: str, platform_name: str) -> str:
    if scope == BudgetScope.PLATFORM:
        return _("“%(name)s”本月的预算不够这次诊断，请换用其他平台或减少问题。") % {"name": platform_name}
    if scope == BudgetScope.SCHEDULE:
        return _("这个定期诊断本月的预算不够，请提高预算或等到下月。")
    if scope == BudgetScope.WORKSPACE:
        return _("这个品牌本月的预算不够这次诊断，请所有者提高预算，或等到下月。")
    return _("这个账号本月的预算不够这次诊断，请减少平台、问题或次数。")
