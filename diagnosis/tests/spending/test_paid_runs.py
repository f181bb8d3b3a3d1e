"""Every attempt of a run is in the ledger: retries, the judge, probes; and a run that meets a budget ends at once."""

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser
from django.utils import timezone

from diagnosis.choices import CallPurpose, FailureReason
from diagnosis.models import BudgetUse, DailySpending, Diagnosis, PaidCall, Platform
from diagnosis.running.health_check import probe_paused_platforms
from testing.data.diagnoses import make_diagnosis, make_platform, make_schedule, run_diagnoses
from testing.fakes.platform import (
    FakePlatform,
    build_completion,
    respond_with,
    respond_with_answer,
    respond_with_error,
)

pytestmark = pytest.mark.django_db(transaction=True)

BUSY = respond_with_error(503)
QUESTIONS = [f"问题 {number}？" for number in range(12)]


@pytest.fixture
def judge(owner: AbstractUser, fake: FakePlatform, settings: Any) -> Platform:
    settings.JUDGE_PLATFORM = "judge"
    return make_platform("judge", base_url=fake.base_url, price_per_call="0.02")


def _count_ledger(purpose: CallPurpose) -> int:
    return PaidCall.objects.filter(purpose=purpose).count()


def test_ledger_equals_the_platforms_count_with_retries_and_judge(
    owner: AbstractUser, fake: FakePlatform, judge: Platform
) -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 100, "total_tokens": 110}
    answer = respond_with(build_completion("山岚不错，做工扎实。", model="fake", usage=usage))
    fake.set_behaviour(BUSY, answer, BUSY, answer, answer, model="fake")
    fake.set_behaviour(BUSY, respond_with_answer("{}"), model="judge")
    asked = make_platform(base_url=fake.base_url, price_per_call="0.1", price_per_million_output_tokens=1000)
    (diagnosis,) = run_diagnoses(make_diagnosis(owner, [asked], questions=QUESTIONS[:4]))
    assert _count_ledger(CallPurpose.ANSWER) == fake.count(model="fake") > 4
    assert _count_ledger(CallPurpose.JUDGE) == fake.count(model="judge") > 1
    assert not PaidCall.objects.exclude(state=PaidCall.State.SETTLED).exists()
    answers = fake.count(model="fake")
    cost = Decimal("0.1") * answers + Decimal("0.1") * 4 + Decimal("0.02") * fake.count(model="judge")
    assert sum(call.cost for call in PaidCall.objects.filter(diagnosis=diagnosis)) == cost
    assert sum(day.cost for day in DailySpending.objects.filter(owner_id=owner.pk)) == cost
    assert sum(stored.attempts for stored in diagnosis.answers.all()) == answers


@pytest.mark.parametrize("response", ["busy", "unreadable"])
def test_judge_budget_counts_attempts_across_concurrent_runs(
    owner: AbstractUser, fake: FakePlatform, judge: Platform, settings: Any, response: str
) -> None:
    settings.JUDGE_CALLS = 5
    fake.set_behaviour(respond_with_answer("山岚不错。"), model="fake")
    fake.set_behaviour(BUSY if response == "busy" else respond_with("no JSON"), model="judge")
    asked = make_platform(base_url=fake.base_url)
    diagnosis = make_diagnosis(owner, [asked], questions=QUESTIONS)
    run_diagnoses(diagnosis, diagnosis)
    assert 0 < fake.count(model="judge") <= 5
    assert Diagnosis.objects.get().judge_calls == fake.count(model="judge")


def test_paused_judge_is_not_called(owner: AbstractUser, fake: FakePlatform, judge: Platform) -> None:
    Platform.objects.filter(pk=judge.pk).update(
        paused_until=timezone.now() + timedelta(hours=1), pause_reason=FailureReason.OPERATOR
    )
    fake.set_behaviour(respond_with_answer("山岚不错。"), model="fake")
    (diagnosis,) = run_diagnoses(make_diagnosis(owner, [make_platform(base_url=fake.base_url)]))
    assert (diagnosis.status, fake.count(model="judge")) == ("completed", 0)


def test_probe_is_charged_to_the_platform(fake: FakePlatform) -> None:
    make_platform(
        base_url=fake.base_url,
        price_per_call="0.1",
        paused_until=timezone.now() - timedelta(seconds=1),
        pause_reason=FailureReason.QUOTA,
    )
    asyncio.run(probe_paused_platforms())
    assert _count_ledger(CallPurpose.PROBE) == fake.count() == 1
    assert BudgetUse.objects.get().money == Decimal("0.1")


def test_run_that_meets_a_budget_ends_its_pending_answers_at_once(owner: AbstractUser, fake: FakePlatform) -> None:
    """The price has risen after the order."""
    platform = make_platform(
        base_url=fake.base_url, price_per_call="0.1", monthly_budget="2", concurrency=2, requests_per_minute=1000
    )
    diagnosis = make_diagnosis(owner, [platform], questions=QUESTIONS)
    Platform.objects.update(price_per_call="0.5")
    (diagnosis,) = run_diagnoses(diagnosis)
    assert fake.count() == 4
    refused = diagnosis.answers.filter(reason=FailureReason.BUDGET)
    assert {(stored.error_code, stored.attempts) for stored in refused} == {("BUDGET_EXHAUSTED", 0)}
    assert (diagnosis.status, len(refused)) == ("partial", 8)
    assert diagnosis.finished_at and diagnosis.started_at
    assert (diagnosis.finished_at - diagnosis.started_at).total_seconds() < 10
    assert BudgetUse.objects.get(scope="platform").money == 2


def test_retries_of_a_scheduled_run_are_charged_to_its_budget(owner: AbstractUser, fake: FakePlatform) -> None:
    platform = make_platform(base_url=fake.base_url, price_per_call="0.1")
    schedule = make_schedule(owner, [platform], budget_calls=3)
    fake.set_behaviour(BUSY)
    run_diagnoses(make_diagnosis(owner, [platform], questions=QUESTIONS[:3], schedule=schedule.pk))
    assert fake.count() == BudgetUse.objects.get(scope="schedule").calls == 3
    assert Diagnosis.objects.get().answers.filter(reason=FailureReason.BUDGET).exists()
