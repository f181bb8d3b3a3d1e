"""The ledger counts every attempt before it is made, and no budget is exceeded by concurrent reservations."""

import threading
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser
from django.db import connection
from django.utils import timezone

from diagnosis.choices import BudgetScope, CallPurpose
from diagnosis.exceptions import BudgetExhausted
from diagnosis.models import AccountBudget, BudgetUse, DailySpending, Diagnosis, PaidCall, Platform
from diagnosis.replies import Usage
from diagnosis.running import state_machine
from diagnosis.spending.ledger import (
    CallRequest,
    Reservation,
    cancel_reservations,
    reserve,
    reserve_calls,
    settle,
    settle_abandoned_calls,
)
from diagnosis.spending.pricing import NOTHING
from testing.data.diagnoses import begin_and_record, make_diagnosis, make_platform, make_schedule, make_valid_result

pytestmark = pytest.mark.django_db

PRICES: dict[str, Any] = {
    "price_per_call": Decimal("0.01"),
    "price_per_million_input_tokens": Decimal(4),
    "price_per_million_output_tokens": Decimal(16),
    "price_per_search": Decimal("0.03"),
    "max_input_tokens": 10_000,
    "max_output_tokens": 5_000,
    "max_searches": 2,
}
MAX_COST = Decimal("0.19")  # 0.01 + 0.04 + 0.08 + 0.06


def _request(platform: Platform, **columns: Any) -> CallRequest:
    return CallRequest(**({"platform_id": platform.pk, "purpose": CallPurpose.PROBE, "text": "问"} | columns))


def _get_use(scope: BudgetScope, key: object) -> tuple[int, Decimal]:
    use = BudgetUse.objects.get(scope=scope, key=str(key))
    return use.calls, use.money


def test_call_is_counted_at_its_maximum_before_and_at_its_price_after(owner: AbstractUser) -> None:
    platform = make_platform(**PRICES)
    reservation = reserve(_request(platform, owner_id=owner.pk, purpose=CallPurpose.ANSWER))
    assert reservation.amount == MAX_COST
    day = DailySpending.objects.get()
    assert (day.calls, day.cost, day.prompt_tokens, day.purpose) == (1, MAX_COST, 0, "answer")
    assert _get_use(BudgetScope.PLATFORM, platform.pk) == _get_use(BudgetScope.ACCOUNT, owner.pk) == (1, MAX_COST)

    for _again in range(2):  # settling twice changes nothing
        settle(reservation, Usage(1_000, 500, 200, 1))
    cost = Decimal("0.052")  # 0.01 + 0.004 + 0.008 + 0.03
    call = PaidCall.objects.get()
    assert (call.state, call.cost, call.reasoning_tokens) == (PaidCall.State.SETTLED, cost, 200)
    day.refresh_from_db()
    totals = (day.calls, day.cost, day.prompt_tokens, day.completion_tokens, day.reasoning_tokens, day.searches)
    assert totals == (1, cost, 1_000, 500, 200, 1)
    assert _get_use(BudgetScope.PLATFORM, platform.pk) == _get_use(BudgetScope.ACCOUNT, owner.pk) == (1, cost)


def test_unknown_outcome_keeps_the_reserved_amount_until_it_is_known() -> None:
    platform = make_platform(**PRICES)
    reservation = reserve(_request(platform))
    settle(reservation, None)
    assert PaidCall.objects.get().state == PaidCall.State.UNKNOWN
    assert _get_use(BudgetScope.PLATFORM, platform.pk) == (1, MAX_COST)
    settle(reservation, NOTHING)  # the process was only suspended
    assert _get_use(BudgetScope.PLATFORM, platform.pk) == (1, Decimal("0.01"))


def test_what_is_not_reported_is_charged_at_its_maximum() -> None:
    platform = make_platform(**PRICES)
    settle(reserve(_request(platform)), Usage(prompt_tokens=1_000, completion_tokens=500))
    assert PaidCall.objects.get().cost == Decimal("0.082")  # with two searches


def test_cancelled_reservation_leaves_no_trace_in_the_totals(owner: AbstractUser) -> None:
    platform = make_platform(**PRICES)
    made = _request(
        platform, owner_id=owner.pk, purpose=CallPurpose.JUDGE, diagnosis_id=make_diagnosis(owner, [platform]).pk
    )
    cancelled, kept = reserve(made), reserve(made)
    for _again in range(2):
        cancel_reservations([cancelled])
    assert PaidCall.objects.get().pk == kept.call_id
    assert Diagnosis.objects.get().judge_calls == 1
    assert (DailySpending.objects.get().calls, DailySpending.objects.get().cost) == (1, MAX_COST)
    assert _get_use(BudgetScope.PLATFORM, platform.pk) == _get_use(BudgetScope.ACCOUNT, owner.pk) == (1, MAX_COST)


def test_abandoned_calls_are_settled_as_unknown(settings: Any) -> None:
    platform = make_platform(**PRICES)
    old, recent = reserve(_request(platform)), reserve(_request(platform))
    PaidCall.objects.filter(pk=old.call_id).update(
        made_at=timezone.now() - timedelta(seconds=settings.CALL_TIMEOUT_SECONDS + 121)
    )
    assert [settle_abandoned_calls() for _look in range(2)] == [1, 0]
    assert PaidCall.objects.get(pk=recent.call_id).state == PaidCall.State.RESERVED


def test_attempts_of_a_killed_worker_count_for_the_answer(owner: AbstractUser) -> None:
    platform = make_platform(**PRICES)
    diagnosis = make_diagnosis(owner, [platform])
    request = _request(
        platform, purpose=CallPurpose.ANSWER, diagnosis_id=diagnosis.pk, answer_id=diagnosis.answers.get().pk
    )
    state_machine.begin_run(diagnosis.pk)
    reserve(request)  # its worker was killed
    settle(reserve(request), NOTHING)
    begin_and_record(diagnosis, make_valid_result())
    assert diagnosis.answers.get().attempts == 2


def test_input_without_a_limit_is_at_most_a_token_for_each_byte() -> None:
    prices = PRICES | {"price_per_call": 0, "price_per_search": 0, "price_per_million_output_tokens": 0}
    platform = make_platform(**(prices | {"max_input_tokens": None, "price_per_million_input_tokens": 100_000}))
    assert reserve(_request(platform, text="问" * 100)).amount >= 30


@pytest.mark.parametrize("scope", [BudgetScope.PLATFORM, BudgetScope.ACCOUNT, BudgetScope.SCHEDULE])
def test_refused_call_names_the_budget_and_is_not_counted(owner: AbstractUser, scope: BudgetScope) -> None:
    limit = Decimal("0.40")  # two calls
    platform = make_platform(**PRICES, monthly_budget=limit if scope == BudgetScope.PLATFORM else None)
    if scope == BudgetScope.ACCOUNT:
        AccountBudget.objects.create(owner_id=owner.pk, monthly_budget=limit)
    schedule = make_schedule(owner, [platform], budget_money=limit if scope == BudgetScope.SCHEDULE else 100)
    request = _request(platform, owner_id=owner.pk, schedule_id=schedule.pk)
    outcomes = reserve_calls([request] * 3)
    assert [type(outcome) for outcome in outcomes] == [Reservation, Reservation, BudgetExhausted]
    with pytest.raises(BudgetExhausted) as refusal:
        reserve(request)
    keys = {"platform": platform.pk, "account": str(owner.pk), "schedule": str(schedule.pk)}
    assert (refusal.value.scope, refusal.value.key) == (scope, keys[scope])
    assert PaidCall.objects.count() == DailySpending.objects.get().calls == 2
    assert BudgetUse.objects.get(scope=scope).refused_limit == limit
    for outcome in outcomes[:2]:
        assert isinstance(outcome, Reservation)
        settle(outcome, NOTHING)
    assert reserve(request).amount == MAX_COST  # 0.02 were spent


def test_schedule_is_charged_for_calls_too(owner: AbstractUser) -> None:
    platform = make_platform()  # free
    schedule = make_schedule(owner, [platform], budget_calls=1, budget_money=0)
    request = _request(platform, owner_id=owner.pk, schedule_id=schedule.pk)
    reserve(request)
    with pytest.raises(BudgetExhausted):
        reserve(request)


def test_free_calls_fit_into_an_exhausted_budget(owner: AbstractUser, settings: Any) -> None:
    settings.ACCOUNT_MONTHLY_BUDGET = Decimal(0)
    with pytest.raises(BudgetExhausted):
        reserve(_request(make_platform("priced", **PRICES), owner_id=owner.pk))
    assert reserve(_request(make_platform("free"), owner_id=owner.pk)).amount == 0


def test_budget_of_an_account_replaces_the_default(owner: AbstractUser, settings: Any) -> None:
    settings.ACCOUNT_MONTHLY_BUDGET = Decimal(0)
    AccountBudget.objects.create(owner_id=owner.pk, monthly_budget=1)
    assert reserve(_request(make_platform(**PRICES), owner_id=owner.pk)).amount == MAX_COST


def test_judge_calls_of_a_diagnosis_are_counted_by_attempt(owner: AbstractUser, settings: Any) -> None:
    settings.JUDGE_CALLS = 2
    platform = make_platform()
    first, second = make_diagnosis(owner, [platform]), make_diagnosis(owner, [platform])
    requests = [_request(platform, purpose=CallPurpose.JUDGE, diagnosis_id=first.pk) for _number in range(3)]
    outcomes = reserve_calls([*requests, _request(platform, purpose=CallPurpose.JUDGE, diagnosis_id=second.pk)])
    assert [isinstance(outcome, Reservation) for outcome in outcomes] == [True, True, False, True]
    with pytest.raises(BudgetExhausted) as refusal:
        reserve(requests[0])
    assert refusal.value.scope == BudgetScope.JUDGE
    assert Diagnosis.objects.get(pk=first.pk).judge_calls == 2


def test_month_and_day_are_those_of_the_site(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.TIME_ZONE = "Asia/Shanghai"
    platform = make_platform(**PRICES)
    moments = [datetime(2026, 11, 30, 15, 59, tzinfo=UTC), datetime(2026, 11, 30, 16, 1, tzinfo=UTC)]
    for moment in moments:
        monkeypatch.setattr(timezone, "now", lambda moment=moment: moment)
        reservation = reserve(_request(platform))
    monkeypatch.setattr(timezone, "now", lambda: datetime(2027, 1, 1, tzinfo=UTC))
    settle(reservation, NOTHING)
    months = BudgetUse.objects.order_by("month").values_list("month", "money")
    assert list(months) == [(date(2026, 11, 1), MAX_COST), (date(2026, 12, 1), Decimal("0.01"))]
    assert set(DailySpending.objects.values_list("day", flat=True)) == {date(2026, 11, 30), date(2026, 12, 1)}


def _run_in_threads(count: int, target: Any, arguments: Sequence[Any]) -> None:
    together = threading.Barrier(count)

    def run(argument: Any) -> None:
        together.wait()
        try:
            target(argument)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(argument,)) for argument in arguments]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.mark.django_db(transaction=True)
def test_concurrent_reservations_never_exceed_a_budget(owner: AbstractUser) -> None:
    """Also while they settle, in the first second of a month, when no row exists yet."""
    platforms = [make_platform(pk, **PRICES, monthly_budget=Decimal("1.5")) for pk in ("a", "b")]
    AccountBudget.objects.create(owner_id=owner.pk, monthly_budget=2)
    most, errors = list[Decimal](), list[Exception]()

    def spend(number: int) -> None:
        for turn in range(12):
            requests = [_request(platform, owner_id=owner.pk) for platform in platforms[:: 1 - 2 * (number % 2)]]
            try:
                accepted = [outcome for outcome in reserve_calls(requests) if isinstance(outcome, Reservation)]
                most.append(BudgetUse.objects.get(scope=BudgetScope.ACCOUNT).money)
                for reservation in accepted:
                    settle(reservation, Usage(10_000, 3_000, 0, 0) if turn % 2 else None)
            except Exception as error:  # noqa: BLE001
                errors.append(error)

    _run_in_threads(4, spend, range(4))
    assert not errors
    assert max(most) <= 2
    for use in BudgetUse.objects.all():
        calls = (
            PaidCall.objects.all() if use.scope == BudgetScope.ACCOUNT else PaidCall.objects.filter(platform=use.key)
        )
        assert use.money == sum(call.cost for call in calls)
        assert use.calls == len(calls)
    assert sum(day.cost for day in DailySpending.objects.all()) == sum(call.cost for call in PaidCall.objects.all())
