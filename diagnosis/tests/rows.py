"""Rows for the tests, made the way the product makes them: by orders and by the transitions of a run."""

import asyncio
from collections.abc import Sequence
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser

from diagnosis import transitions
from diagnosis.asking import Outcome
from diagnosis.choices import Reason, Status
from diagnosis.client import Reply
from diagnosis.exceptions import CallFailed
from diagnosis.models import Diagnosis, Platform
from diagnosis.orders import BrandOrder, Order, Request, place_order
from diagnosis.run import run_diagnosis

KEY_VARIABLE = "TEST_KEY"
KEY = "sk-of-these-tests"


def make_user(name: str, **columns: Any) -> AbstractUser:
    """An account without a password: tests sign in by force."""
    return get_user_model().objects.create(username=name, **columns)


def make_platform(pk: str = "fake", **columns: Any) -> Platform:
    """A real (non-demo) platform, the last in the picker; its key is in TEST_KEY, its model has its own name."""
    row = {
        "name": f"平台 {pk}",
        "base_url": "http://127.0.0.1:9/v1",
        "model": pk,
        "key_variable": KEY_VARIABLE,
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
    competitors: Sequence[BrandOrder] = (),
    repeats: int = 1,
    **request: Any,
) -> Diagnosis:
    """An accepted order, as the API accepts it."""
    order = Order(
        BrandOrder(brand, aliases), questions, [platform.pk for platform in platforms], competitors, repeats=repeats
    )
    return place_order(order, Request(owner, **request))[0]


def valid(text: str = "山岚不错。", *, milliseconds: int = 5) -> Outcome:
    """A good answer."""
    return Outcome(Reply(text, "model-1"), None, 1, milliseconds)


def failed(reason: Reason = Reason.TIMEOUT, detail: str = "") -> Outcome:
    """A call that failed for good."""
    return Outcome(None, CallFailed(reason, detail), 3, 7)


def settle(diagnosis: Diagnosis, *outcomes: Outcome) -> Diagnosis:
    """Begin a run and settle its first answers so; the rest stay pending."""
    run = transitions.begin_run(diagnosis.pk)
    assert run
    transitions.settle_answers(run, list(zip(run.calls, outcomes, strict=False)))
    return Diagnosis.objects.get(pk=diagnosis.pk)


def end(diagnosis: Diagnosis, *outcomes: Outcome, status: Status | None = None) -> Diagnosis:
    """The same, brought to its end."""
    settle(diagnosis, *outcomes)
    ended = transitions.end_diagnosis(diagnosis.pk, status)
    assert ended
    return ended


def run_to_end(*diagnoses: Diagnosis) -> list[Diagnosis]:
    """Run diagnoses at once in an event loop of their own, as a worker does; returns them as they then stand."""

    async def run_all() -> None:
        await asyncio.gather(*(run_diagnosis(diagnosis.pk) for diagnosis in diagnoses))

    asyncio.run(run_all())
    return [Diagnosis.objects.get(pk=diagnosis.pk) for diagnosis in diagnoses]
