"""Estimates before, budgets that refuse an order up front, and what alerts say of them."""

from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser
from django.test import Client

from diagnosis.choices import CallPurpose
from diagnosis.exceptions import BudgetExhausted
from diagnosis.models import AccountBudget, Diagnosis, PaidCall, Platform
from diagnosis.orders.retries import create_retry
from diagnosis.orders.services import RequestContext
from diagnosis.replies import Usage
from diagnosis.spending.estimates import get_costs_per_answer
from diagnosis.spending.ledger import CallRequest, reserve, settle
from diagnosis.spending.overview import count_used_budgets
from diagnosis.spending.pricing import NOTHING
from testing.data.diagnoses import (
    make_diagnosis,
    make_failed_result,
    make_platform,
    make_schedule,
    make_user,
    make_valid_result,
    run_and_end,
)

pytestmark = pytest.mark.django_db

ORDER = {"brand": "山岚", "questions": ["甲？", "乙？"], "platforms": ["fake"]}


def _spend(platform: Platform, usage: Usage = NOTHING, **columns: Any) -> None:
    settle(reserve(CallRequest(platform.pk, CallPurpose.ANSWER, "问", **columns)), usage)


def _post(client: Client) -> Any:
    return client.post("/api/diagnoses", ORDER, content_type="application/json")


def test_cost_per_answer_follows_the_recent_usage_and_includes_the_rating(settings: Any) -> None:
    asked = make_platform(price_per_million_output_tokens=10)
    judge = make_platform("judge", price_per_call="0.01")
    free, unpriced = make_platform("free", is_demo=True), make_platform("unpriced")
    assert get_costs_per_answer([asked])["fake"] == Decimal("0.01")  # 1000 tokens until there are calls
    _spend(asked, Usage(10, 3_000))
    _spend(asked, Usage(10, 1_000))
    settings.JUDGE_PLATFORM = judge.pk
    costs = get_costs_per_answer([asked, free, unpriced])
    assert costs == {"fake": Decimal("0.03"), "free": Decimal("0.01"), "unpriced": None}


def test_diagnosis_has_its_estimate_and_its_cost(client: Client) -> None:
    platform = make_platform(price_per_call="0.1")
    pk = _post(client).json()["id"]
    body = client.get(f"/api/diagnoses/{pk}").json()
    assert (body["estimated_cost"], body["cost"]) == ("0.2000", None)
    _spend(platform, diagnosis_id=pk)
    reserve(CallRequest(platform.pk, CallPurpose.ANSWER, "问", diagnosis_id=pk))  # in flight: not yet known
    assert client.get(f"/api/diagnoses/{pk}").json()["cost"] == "0.100000"


@pytest.mark.parametrize("scope", ["platform", "account"])
def test_order_that_does_not_fit_is_refused_and_creates_nothing(
    client: Client, owner: AbstractUser, scope: str
) -> None:
    platform = make_platform(price_per_call="0.1", monthly_budget="0.5" if scope == "platform" else None)
    if scope == "account":
        AccountBudget.objects.create(owner_id=owner.pk, monthly_budget="0.5")
    _spend(platform, owner_id=owner.pk)
    assert _post(client).status_code == 202
    # 0.1 are spent, 0.2 belong to the order that has not begun
    response = _post(client)
    assert response.status_code == 202
    response = _post(client)
    assert (response.status_code, response.json()["code"]) == (402, "BUDGET_EXHAUSTED")
    assert response.json()["copy"]["title"] == "预算不足"
    assert "本月的预算不够" in response.json()["fields"]["platforms"]
    assert response.json()["copy"]["action"]["kind"] == "switch_platform"
    assert Diagnosis.objects.count() == 2


def test_retry_that_does_not_fit_is_refused_and_charged_to_the_schedule(owner: AbstractUser) -> None:
    platform = make_platform(price_per_call="0.1")
    schedule = make_schedule(owner, [platform], budget_money="0.25")
    diagnosis = run_and_end(
        make_diagnosis(owner, [platform], questions=["甲？", "乙？", "丙？"], schedule=None),
        make_valid_result(),
        make_failed_result(),
        make_failed_result(),
    )
    Diagnosis.objects.update(schedule=schedule)
    diagnosis.refresh_from_db()
    _spend(platform, owner_id=owner.pk, schedule_id=schedule.pk)
    with pytest.raises(BudgetExhausted):
        create_retry(diagnosis, RequestContext(owner))
    schedule.budget_money = Decimal("0.3")
    schedule.save()
    retry, _is_new = create_retry(diagnosis, RequestContext(owner))
    assert (retry.schedule_id, retry.estimated_cost) == (schedule.pk, Decimal("0.2"))


def test_used_budgets_are_counted_by_percentage(owner: AbstractUser, stranger: AbstractUser, settings: Any) -> None:
    settings.ACCOUNT_MONTHLY_BUDGET = Decimal(1)
    platform = make_platform(price_per_call="0.1", monthly_budget=2)
    for _call in range(8):
        _spend(platform, owner_id=owner.pk)
    assert count_used_budgets() == {
        ("platform", "80"): 0,
        ("platform", "100"): 0,
        ("account", "80"): 1,
        ("account", "100"): 0,
    }
    AccountBudget.objects.create(owner_id=stranger.pk, monthly_budget="0.15")
    _spend(platform, owner_id=stranger.pk)
    with pytest.raises(BudgetExhausted):
        _spend(platform, owner_id=stranger.pk)
    assert count_used_budgets()["account", "100"] == 1
    AccountBudget.objects.update(monthly_budget=5)
    assert count_used_budgets()["account", "100"] == 0
    assert PaidCall.objects.count() == 9


def test_admin_shows_the_cost_of_platforms_diagnoses_and_answers(owner: AbstractUser) -> None:
    platform = make_platform(price_per_call="0.1", monthly_budget=2)
    diagnosis = make_diagnosis(owner, [platform])
    answer = diagnosis.answers.get()
    _spend(platform, owner_id=owner.pk, diagnosis_id=diagnosis.pk, answer_id=answer.pk)
    client = Client()
    client.force_login(make_user("root", is_staff=True, is_superuser=True))  # type: ignore[arg-type]
    pages = {
        model: client.get(f"/admin/diagnosis/{model}/").content.decode()
        for model in ("platform", "diagnosis", "answer", "dailyspending", "paidcall", "budgetuse")
    }
    assert "0.10 / 2.00" in pages["platform"]
    assert all("0.10" in page for page in pages.values())
