"""Rows of diagnoses, created as the product does: by requests and by the transitions of a run."""

import asyncio
from collections.abc import Sequence
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser

from diagnosis.choices import DiagnosisStatus, FailureReason
from diagnosis.exceptions import CallFailed
from diagnosis.models import Diagnosis, Platform
from diagnosis.orders.services import DiagnosisRequest, RequestContext, RequestedBrand, create_diagnosis
from diagnosis.platforms.openai_client import PlatformReply
from diagnosis.running import state_machine
from diagnosis.running.calls import CallResult
from diagnosis.running.runner import run_diagnosis

API_KEY_VARIABLE = "TEST_KEY"
TEST_API_KEY = "sk-of-these-tests"


def make_user(name: str, **columns: Any) -> AbstractUser:
    """An account without a password: tests sign in by force."""
    return get_user_model().objects.create(username=name, **columns)


def make_platform(pk: str = "fake", **columns: Any) -> Platform:
    """A real (non-demo) platform, the last in the picker; its key is in TEST_KEY, its model has its own name."""
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
    **request: Any,
) -> Diagnosis:
    """An accepted order, as the API accepts it."""
    order = DiagnosisRequest(
        RequestedBrand(brand, aliases), questions, [platform.pk for platform in platforms], competitors, repeats=repeats
    )
    return create_diagnosis(order, RequestContext(owner, **request))[0]


def make_valid_result(text: str = "山岚不错。", *, milliseconds: int = 5) -> CallResult:
    """A good answer."""
    return CallResult(PlatformReply(text, "model-1"), None, 1, milliseconds)


def make_failed_result(reason: FailureReason = FailureReason.TIMEOUT, detail: str = "") -> CallResult:
    """A call that failed for good."""
    return CallResult(None, CallFailed(reason, detail), 3, 7)


def begin_and_record(diagnosis: Diagnosis, *results: CallResult) -> Diagnosis:
    """Begin a run and settle its first answers so; the rest stay pending."""
    run = state_machine.begin_run(diagnosis.pk)
    assert run
    state_machine.record_answers(run, list(zip(run.calls, results, strict=False)))
    return Diagnosis.objects.get(pk=diagnosis.pk)


def run_and_end(diagnosis: Diagnosis, *results: CallResult, status: DiagnosisStatus | None = None) -> Diagnosis:
    """The same, brought to its end."""
    begin_and_record(diagnosis, *results)
    ended = state_machine.end_diagnosis(diagnosis.pk, status)
    assert ended
    return ended


def run_diagnoses(*diagnoses: Diagnosis) -> list[Diagnosis]:
    """Run diagnoses at once in an event loop of their own, as a worker does; returns them as they then stand."""

    async def run_all() -> None:
        await asyncio.gather(*(run_diagnosis(diagnosis.pk) for diagnosis in diagnoses))

    asyncio.run(run_all())
    return [Diagnosis.objects.get(pk=diagnosis.pk) for diagnosis in diagnoses]
