"""The ledger of paid calls: every attempt is reserved before its request is sent, and settled after it.

A reservation charges the most that the call can cost to the budgets of its platform, account, schedule and
workspace, under a lock, so that concurrent processes never exceed one together. Settling replaces it by the actual
cost.
"""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypeVar

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F, Model
from django.utils import timezone

from diagnosis.choices import BudgetScope, CallPurpose
from diagnosis.exceptions import BudgetExhausted
from diagnosis.models import BudgetUse, Diagnosis, PaidCall, Platform
from diagnosis.replies import Usage
from diagnosis.spending.budgets import (
    BudgetKey,
    Limit,
    build_keys,
    create_uses,
    get_month,
    has_room,
    load_limits,
    lock_uses,
)
from diagnosis.spending.daily import TOKEN_FIELDS, SpendingChange, add_to_daily_spending
from diagnosis.spending.pricing import get_cost, get_max_usage

log = structlog.get_logger(__name__)

M = TypeVar("M", bound=Model)

# After its timeout a call is over; the rest is for a process that cannot reach the database.
ABANDONED_AFTER_TIMEOUT = timedelta(seconds=120)


@dataclass(frozen=True)
class CallRequest:
    """A call to reserve. text: what is sent. owner_id, schedule_id, workspace_id: whose budgets are charged."""

    platform_id: str
    purpose: CallPurpose
    text: str
    owner_id: int | None = None
    schedule_id: uuid.UUID | None = None
    workspace_id: uuid.UUID | None = None
    diagnosis_id: uuid.UUID | None = None
    answer_id: uuid.UUID | None = None


@dataclass(frozen=True)
class Reservation:
    """A call that may be made. platform: its row at the time, whose prices apply; amount: for its maximum usage."""

    call_id: int
    platform: Platform
    max_usage: Usage
    amount: Decimal


def reserve(request: CallRequest) -> Reservation:
    """Count a call and charge its maximum cost. Raises BudgetExhausted if a budget has no room; nothing is counted."""
    (outcome,) = reserve_calls([request])
    if isinstance(outcome, BudgetExhausted):
        raise outcome
    return outcome


def reserve_calls(requests: Sequence[CallRequest]) -> list[Reservation | BudgetExhausted]:
    """Reserve calls in one transaction; return for each its reservation, or the budget that has no room for it."""
    now = timezone.now()
    keys = {
        key
        for request in requests
        for key in build_keys(
            get_month(now), request.platform_id, request.owner_id, request.schedule_id, request.workspace_id
        )
    }
    outcomes = _reserve_with_locks(requests, keys, now)
    if outcomes is None:
        create_uses(keys)
        outcomes = _reserve_with_locks(requests, keys, now)
        assert outcomes is not None  # rows of the current month are not deleted
    return outcomes


def _reserve_with_locks(
    requests: Sequence[CallRequest], keys: set[BudgetKey], now: datetime
) -> list[Reservation | BudgetExhausted] | None:
    """Reserve calls; None if the row of a budget does not exist yet."""
    with transaction.atomic():
        platforms = Platform.objects.in_bulk({request.platform_id for request in requests})
        # Locked before budgets, which many calls share: the row of a diagnosis can be locked for longer.
        judged_ids = {request.diagnosis_id for request in requests if request.purpose == CallPurpose.JUDGE}
        judged: dict[uuid.UUID | None, Diagnosis] = {}
        judged |= Diagnosis.objects.select_for_update(no_key=True).order_by("pk").in_bulk(judged_ids)
        max_usages = [get_max_usage(platforms[request.platform_id], request.text) for request in requests]
        calls = PaidCall.objects.bulk_create(
            _build_paid_call(request, platforms[request.platform_id], max_usage, now)
            for request, max_usage in zip(requests, max_usages, strict=True)
        )
        uses = lock_uses(keys)
        if len(uses) < len(keys):
            transaction.set_rollback(True)
            return None
        limits = load_limits(keys, platforms)
        refusals = dict[int, BudgetExhausted]()
        for call in calls:
            call_keys = _get_keys(call)
            refusal = _find_refusal(call, {key: (uses[key], limits[key]) for key in call_keys}, judged)
            if refusal:
                refusals[call.pk] = refusal
            else:
                _charge(call, [uses[key] for key in call_keys], judged)
        PaidCall.objects.filter(pk__in=refusals).delete()
        _update_rows(BudgetUse, list(uses.values()), ["calls", "money", "refused_limit"])
        Diagnosis.objects.bulk_update(judged.values(), ["judge_calls"])
        accepted = [call for call in calls if call.pk not in refusals]
        add_to_daily_spending([(call, SpendingChange(calls=1, cost=call.reserved)) for call in accepted])
    return [
        refusals.get(call.pk) or Reservation(call.pk, platforms[call.platform_id], max_usage, call.reserved)
        for call, max_usage in zip(calls, max_usages, strict=True)
    ]


def _build_paid_call(request: CallRequest, platform: Platform, max_usage: Usage, now: datetime) -> PaidCall:
    amount = get_cost(platform, max_usage, max_usage)
    return PaidCall(
        purpose=request.purpose,
        platform_id=request.platform_id,
        owner_id=request.owner_id,
        schedule_id=request.schedule_id,
        workspace_id=request.workspace_id,
        diagnosis_id=request.diagnosis_id,
        answer_id=request.answer_id,
        reserved=amount,
        cost=amount,
        made_at=now,
    )


def _get_keys(call: PaidCall) -> list[BudgetKey]:
    """Return the budgets that the call is charged to, in the month in which it is made."""
    return build_keys(get_month(call.made_at), call.platform_id, call.owner_id, call.schedule_id, call.workspace_id)


def _find_refusal(
    call: PaidCall, budgets: Mapping[BudgetKey, tuple[BudgetUse, Limit]], judged: Mapping[uuid.UUID | None, Diagnosis]
) -> BudgetExhausted | None:
    """Return the budget that has no room for the call."""
    if call.purpose == CallPurpose.JUDGE and judged[call.diagnosis_id].judge_calls >= settings.JUDGE_CALLS:
        return BudgetExhausted(BudgetScope.JUDGE)
    for (scope, key, _month), (use, limit) in budgets.items():
        if not has_room(use, limit, call.reserved, 1):
            use.refused_limit = limit.money
            return BudgetExhausted(BudgetScope(scope), key)
    return None


def _charge(call: PaidCall, uses: Sequence[BudgetUse], judged: Mapping[uuid.UUID | None, Diagnosis]) -> None:
    for use in uses:
        use.calls += 1
        use.money += call.reserved
    if call.purpose == CallPurpose.JUDGE:
        judged[call.diagnosis_id].judge_calls += 1


def settle(reservation: Reservation, usage: Usage | None) -> None:
    """Replace the reserved amount by the actual cost. usage: None if it is unknown, which keeps the amount."""
    settle_calls([(reservation, usage)])


def settle_calls(settlements: Sequence[tuple[Reservation, Usage | None]]) -> None:
    """Settle calls in one transaction. Settling a call again changes nothing."""
    by_id = {reservation.call_id: (reservation, usage) for reservation, usage in settlements}
    with transaction.atomic():
        changes = [(call, _settle_call(call, *by_id[call.pk])) for call in _lock_unsettled(by_id)]
        _update_rows(PaidCall, [call for call, _change in changes], ["state", "cost", *TOKEN_FIELDS])
        _change_totals(changes)


def cancel_reservations(reservations: Sequence[Reservation]) -> None:
    """Uncount calls that were not made after all, in one transaction."""
    with transaction.atomic():
        calls = _lock_unsettled(reservation.call_id for reservation in reservations)
        for diagnosis_id in [call.diagnosis_id for call in calls if call.purpose == CallPurpose.JUDGE]:
            if diagnosis_id:
                Diagnosis.objects.filter(pk=diagnosis_id).update(judge_calls=F("judge_calls") - 1)
        PaidCall.objects.filter(pk__in=[call.pk for call in calls]).delete()
        _change_totals([(call, SpendingChange(calls=-1, cost=-call.cost)) for call in calls])


def _lock_unsettled(call_ids: Iterable[int]) -> list[PaidCall]:
    calls = PaidCall.objects.select_for_update(of=("self",)).exclude(state=PaidCall.State.SETTLED)
    return list(calls.filter(pk__in=list(call_ids)).order_by("pk"))


def _settle_call(call: PaidCall, reservation: Reservation, usage: Usage | None) -> SpendingChange:
    """Set the columns of a settled call; return by how much they change the totals."""
    if usage is None:
        call.state = PaidCall.State.UNKNOWN
        return SpendingChange()
    platform, old_cost = reservation.platform, call.cost
    call.state, call.cost = PaidCall.State.SETTLED, get_cost(platform, usage, reservation.max_usage)
    if call.cost > call.reserved:  # the limits of the platform's row are too low, or it does not keep to them
        log.warning("call_above_maximum_cost", platform=platform.pk, call=call.pk, cost=str(call.cost))
    for name in TOKEN_FIELDS:
        setattr(call, name, getattr(usage, name))
    return SpendingChange(cost=call.cost - old_cost, **{name: getattr(usage, name) or 0 for name in TOKEN_FIELDS})


def _change_totals(changes: Sequence[tuple[PaidCall, SpendingChange]]) -> None:
    uses = lock_uses({key for call, _change in changes for key in _get_keys(call)})
    for call, change in changes:
        for key in _get_keys(call):
            if key in uses:  # the account may have been deleted meanwhile
                uses[key].calls += change.calls
                uses[key].money += change.cost
    _update_rows(BudgetUse, list(uses.values()), ["calls", "money"])
    add_to_daily_spending(changes)


def _update_rows(model: type[M], rows: list[M], columns: list[str]) -> None:
    """Update locked rows. Unlike `bulk_update`, which takes five times as long, without a CASE for each value."""
    model._default_manager.bulk_create(rows, update_conflicts=True, unique_fields=["id"], update_fields=columns)


def settle_abandoned_calls() -> int:
    """Settle as unknown the calls whose process did not settle them in time; returns how many."""
    made_before = timezone.now() - timedelta(seconds=settings.CALL_TIMEOUT_SECONDS) - ABANDONED_AFTER_TIMEOUT
    abandoned = PaidCall.objects.filter(state=PaidCall.State.RESERVED, made_at__lt=made_before)
    settled = abandoned.update(state=PaidCall.State.UNKNOWN)
    if settled:
        log.warning("paid_calls_abandoned", calls=settled)
    return settled
