"""Concurrent checks share a query, and every result is current."""

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
from testing.data.diagnoses import make_diagnosis, make_platform, make_valid_result

pytestmark = pytest.mark.django_db(transaction=True)

SECONDS = 30
QuerySpy = Callable[[Callable[[], None]], list[int]]


class _Barrier:
    """A function that blocks its thread until `may_end` is set."""

    def __init__(self) -> None:
        self.has_begun, self.may_end = threading.Event(), threading.Event()

    def __call__(self) -> None:
        self.has_begun.set()
        assert self.may_end.wait(SECONDS)

    async def begun(self) -> None:
        assert await asyncio.to_thread(self.has_begun.wait, SECONDS)


@pytest.fixture
def run(owner: AbstractUser) -> Run:
    run = state_machine.begin_run(make_diagnosis(owner, [make_platform()], questions=["甲？", "乙？", "丙？"]).pk)
    assert run
    return run


@pytest.fixture
def spy_on_queries(monkeypatch: pytest.MonkeyPatch) -> QuerySpy:
    """Return a function that installs a hook before each query, and returns the number of calls in each."""

    def install(hook: Callable[[], None]) -> list[int]:
        sizes: list[int] = []
        find_pending_answers = state_machine.find_pending_answers

        def spy(run: Run, calls: Sequence[PlannedCall]) -> set[UUID]:
            sizes.append(len(calls))
            hook()
            return find_pending_answers(run, calls)

        monkeypatch.setattr(state_machine, "find_pending_answers", spy)
        return sizes

    return install


def _check_all(run: Run) -> list[bool | BaseException]:
    """Check all calls of the run concurrently."""

    async def check_all() -> list[bool | BaseException]:
        checker = PendingCallChecker(run, asyncio.Event())
        return await asyncio.gather(*(checker.is_pending(call) for call in run.calls), return_exceptions=True)

    return asyncio.run(check_all())


def _fail(error: Exception) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


def test_concurrent_checks_share_one_query(run: Run, spy_on_queries: QuerySpy) -> None:
    state_machine.record_answers(run, [(run.calls[1], make_valid_result())])
    sizes = spy_on_queries(lambda: None)
    assert _check_all(run) == [True, False, True]
    assert sizes == [3]


def test_check_during_a_query_gets_the_result_of_the_next(run: Run, spy_on_queries: QuerySpy) -> None:
    barrier = _Barrier()
    sizes = spy_on_queries(barrier)
    first, second, _ = run.calls

    async def check_during_query() -> list[bool]:
        checker = PendingCallChecker(run, asyncio.Event())
        early = asyncio.create_task(checker.is_pending(first))
        await barrier.begun()
        late = asyncio.create_task(checker.is_pending(second))
        await sync_to_async(state_machine.record_answers, thread_sensitive=False)(run, [(second, make_valid_result())])
        barrier.may_end.set()
        return [await early, await late]

    assert asyncio.run(check_during_query()) == [True, False]
    assert sizes == [1, 1]


def test_all_calls_are_pending_while_the_database_is_unavailable(run: Run, spy_on_queries: QuerySpy) -> None:
    spy_on_queries(_fail(OperationalError("away")))
    assert _check_all(run) == [True, True, True]


def test_unexpected_exception_is_raised_by_every_check(run: Run, spy_on_queries: QuerySpy) -> None:
    spy_on_queries(_fail(ZeroDivisionError("a bug")))
    assert [type(error) for error in _check_all(run)] == [ZeroDivisionError] * 3


def test_cancelled_check_does_not_affect_others(run: Run, spy_on_queries: QuerySpy) -> None:
    barrier = _Barrier()
    spy_on_queries(barrier)

    async def cancel_one() -> bool:
        checker = PendingCallChecker(run, asyncio.Event())
        cancelled, other = (asyncio.create_task(checker.is_pending(call)) for call in run.calls[:2])
        await barrier.begun()
        cancelled.cancel()
        await asyncio.wait([cancelled])
        barrier.may_end.set()
        return await other

    assert asyncio.run(cancel_one())
