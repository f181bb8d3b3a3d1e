"""Calls whose turn comes together share one look at whether they are wanted, and each is told what is so now."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from uuid import UUID

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import AbstractUser
from django.db import OperationalError

from diagnosis.running import state_machine
from diagnosis.running.pending_calls import PendingCallChecker
from diagnosis.running.state_machine import PlannedCall, Run
from testing.diagnosis_rows import make_diagnosis, make_platform, make_valid_result

pytestmark = pytest.mark.django_db(transaction=True)

SECONDS = 30
Look = Callable[[Callable[[], None]], list[int]]


class _Held:
    """Something that a thread begins, and ends on leave."""

    def __init__(self) -> None:
        self.has_begun, self.may_end = threading.Event(), threading.Event()

    def __call__(self) -> None:
        self.has_begun.set()
        assert self.may_end.wait(SECONDS)

    async def begun(self) -> None:
        assert await asyncio.to_thread(self.has_begun.wait, SECONDS)


@pytest.fixture
def run(owner: AbstractUser) -> Run:
    found = state_machine.begin_run(make_diagnosis(owner, [make_platform()], questions=["甲？", "乙？", "丙？"]).pk)
    assert found
    return found


@pytest.fixture
def look(monkeypatch: pytest.MonkeyPatch) -> Look:
    """Has each look do something first; returns how many calls each was about."""

    def before_each(first: Callable[[], None]) -> list[int]:
        sizes: list[int] = []
        true_look = state_machine.find_pending_answers

        def wanted(run: Run, calls: Sequence[PlannedCall]) -> set[UUID]:
            sizes.append(len(calls))
            first()
            return true_look(run, calls)

        monkeypatch.setattr(state_machine, "find_pending_answers", wanted)
        return sizes

    return before_each


def _ask(run: Run) -> list[bool | BaseException]:
    """All of the run's calls at once."""

    async def ask_all() -> list[bool | BaseException]:
        wanted = PendingCallChecker(run, asyncio.Event())
        return await asyncio.gather(*(wanted.is_pending(call) for call in run.calls), return_exceptions=True)

    return asyncio.run(ask_all())


def _fail(error: Exception) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


def test_concurrent_checks_share_one_query(run: Run, look: Look) -> None:
    state_machine.record_answers(run, [(run.calls[1], make_valid_result())])
    looks = look(lambda: None)
    assert _ask(run) == [True, False, True]
    assert looks == [3]


def test_check_during_a_query_gets_the_result_of_the_next(run: Run, look: Look) -> None:
    held = _Held()
    looks = look(held)
    first, second, _ = run.calls

    async def ask_while_looking() -> list[bool]:
        wanted = PendingCallChecker(run, asyncio.Event())
        early = asyncio.create_task(wanted.is_pending(first))
        await held.begun()
        late = asyncio.create_task(wanted.is_pending(second))
        await sync_to_async(state_machine.record_answers, thread_sensitive=False)(run, [(second, make_valid_result())])
        held.may_end.set()
        return [await early, await late]

    assert asyncio.run(ask_while_looking()) == [True, False]
    assert looks == [1, 1]


def test_all_calls_are_pending_while_the_database_is_unavailable(run: Run, look: Look) -> None:
    look(_fail(OperationalError("away")))
    assert _ask(run) == [True, True, True]


def test_unexpected_exception_is_raised_by_every_check(run: Run, look: Look) -> None:
    look(_fail(ZeroDivisionError("a bug")))
    assert [type(one) for one in _ask(run)] == [ZeroDivisionError] * 3


def test_cancelled_check_does_not_affect_others(run: Run, look: Look) -> None:
    held = _Held()
    look(held)

    async def cancel_one() -> bool:
        wanted = PendingCallChecker(run, asyncio.Event())
        leaving, staying = (asyncio.create_task(wanted.is_pending(call)) for call in run.calls[:2])
        await held.begun()
        leaving.cancel()
        await asyncio.wait([leaving])
        held.may_end.set()
        return await staying

    assert asyncio.run(cancel_one())
