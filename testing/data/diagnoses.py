"""Rows for tests, created by the code of the product: requested diagnoses and the transitions of a run."""

import asyncio
from collections.abc import Sequence
from datetime import time, timedelta
from decimal import Decimal
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser
from django.utils import timezone

from diagnosis.choices import DiagnosisStatus, FailureReason
from diagnosis.exceptions import CallFailed
from diagnosis.models import Diagnosis, Frequency, Platform, Schedule
from diagnosis.orders.services import DiagnosisRequest, RequestContext, RequestedBrand, create_diagnosis
from diagnosis.replies import PlatformReply
from diagnosis.running import state_machine
from diagnosis.running.results import CallResult
from diagnosis.running.runner import run_diagnosis

API_KEY_VARIABLE = "TEST_API_KEY"
TEST_API_KEY = "sk-of-these-tests"


def make_user(name: str, **columns: Any) -> AbstractUser:
    """Create a user without a password; tests use `force_login`."""
    return get_user_model().objects.create(username=name, **columns)


def make_platform(pk: str = "fake", **columns: Any) -> Platform:
    """Create a real (non-demo) platform in the last position, with its id as model and its key in TEST_API_KEY."""
    row = {
        "name": f"平台 {pk}",
        "base_url": "http://127.0.0.1:9/v1",
        "model": pk,
        "key_variable": API_KEY_VARIABLE,
        "requests_per_minute": 100_000,
        "position": Platform.objects.count() + 1,
    }
    return Platform.objects.create(pk=pk, **(row | columns))


def make_diagnosis(
    owner: AbstractUser,
    platforms: Sequence[Platform],
    *,
    questions: Sequence[str] = ("哪个手冲壶好？",),
    brand: str = "山岚",
    aliases: Sequence[str] = (),
    competitors: Sequence[RequestedBrand] = (),
    repeats: int = 1,
    questions_about_brand: Sequence[int] = (),
    **context: Any,
) -> Diagnosis:
    """Create a diagnosis as the API does, also without the platform's key."""
    context = {"knows_keys": False} | context
    request = DiagnosisRequest(
        RequestedBrand(brand, aliases),
        questions,
        [platform.pk for platform in platforms],
        competitors,
        repeats=repeats,
        questions_about_brand=questions_about_brand,
    )
    return create_diagnosis(request, RequestContext(owner, **context))[0]


def make_schedule(owner: AbstractUser, platforms: Sequence[Platform], **columns: Any) -> Schedule:
    """Due a minute ago, with a sufficient budget."""
    row = {
        "brand": "山岚",
        "questions": ["甲？", "乙？"],
        "platforms": [platform.pk for platform in platforms],
        "repeats": 2,
        "every": Frequency.WEEKLY,
        "weekday": 0,
        "time": time(9),
        "next_at": timezone.now() - timedelta(minutes=1),
        "budget_calls": 1000,
        "budget_money": Decimal(100),
    }
    return Schedule.objects.create(owner_id=owner.pk, **(row | columns))


def make_valid_result(text: str = "山岚不错。", *, milliseconds: int = 5) -> CallResult:
    """Return a call with a reply."""
    return CallResult(PlatformReply(text, "model-1"), None, 1, milliseconds)


def make_failed_result(reason: FailureReason = FailureReason.TIMEOUT, detail: str = "") -> CallResult:
    """Return a call whose retries failed."""
    return CallResult(None, CallFailed(reason, detail), 3, 7)


def begin_and_record(diagnosis: Diagnosis, *results: CallResult) -> Diagnosis:
    """Begin a run and store these results; the other answers stay pending."""
    run = state_machine.begin_run(diagnosis.pk)
    assert run
    state_machine.record_answers(run, list(zip(run.calls, results, strict=False)))
    return Diagnosis.objects.get(pk=diagnosis.pk)


def run_and_end(diagnosis: Diagnosis, *results: CallResult, status: DiagnosisStatus | None = None) -> Diagnosis:
    """Begin a run, store these results, and end the diagnosis."""
    begin_and_record(diagnosis, *results)
    ended = state_machine.end_diagnosis(diagnosis.pk, status)
    assert ended
    return ended


def run_diagnoses(*diagnoses: Diagnosis) -> list[Diagnosis]:
    """Run diagnoses concurrently, as a worker does; returns them in their new state."""

    async def run_all() -> None:
        await asyncio.gather(*(run_diagnosis(diagnosis.pk) for diagnosis in diagnoses))

    asyncio.run(run_all())
    return [Diagnosis.objects.get(pk=diagnosis.pk) for diagnosis in diagnoses]
