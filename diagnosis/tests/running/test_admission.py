"""Which calls are made: wanted, allowed and affordable ones, decided from current rows."""

import asyncio
import threading
from collections.abc import Callable, Collection
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import AbstractUser
from django.db import OperationalError, transaction
from django.utils import timezone

from diagnosis.choices import AnswerState, CallPurpose, DiagnosisStatus, FailureReason
from diagnosis.exceptions import CallNoLongerNeeded
from diagnosis.models import Diagnosis, PaidCall, Platform
from diagnosis.orders.services import cancel_diagnosis
from diagnosis.platforms.limits import get_platform_limits
from diagnosis.running import state_machine
from diagnosis.running.admission import Admission, Call
from diagnosis.running.runner import run_diagnosis
from diagnosis.running.state_machine import Run
from testing.data.calls import call_platform
from testing.data.diagnoses import API_KEY_VARIABLE, make_diagnosis, make_platform, make_valid_result, run_diagnoses
from testing.fakes.platform import FakePlatform, hold_response, respond_with_answer

pytestmark = pytest.mark.django_db(transaction=True)

SECONDS = 30
TEN = [f"问题 {number}" for number in range(10)]
CHANGES: dict[str, dict[str, Any]] = {
    "disabled": {"is_enabled": False},
    "paused": {"paused_until": timezone.now() + timedelta(days=1), "pause_reason": FailureReason.OPERATOR},
    "without key": {"key_variable": "NO_SUCH_API_KEY"},
    "forbidden host": {"base_url": "https://elsewhere.example/v1"},
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_platform_changed_after_the_order_is_not_called(owner: AbstractUser, fake: FakePlatform, change: str) -> None:
    platform = make_platform(base_url=fake.base_url, requests_per_minute=8)
    diagnosis = make_diagnosis(owner, [platform], questions=TEN)
    Platform.objects.update(**CHANGES[change])
    (diagnosis,) = run_diagnoses(diagnosis)  # at once, however low the rate
    assert fake.count() == 0
    assert set(diagnosis.answers.values_list("state", "attempts")) == {(AnswerState.FAILED, 0)}
    assert diagnosis.status == DiagnosisStatus.FAILED
    Platform.objects.update(
        is_enabled=True, paused_until=None, pause_reason="", key_variable=API_KEY_VARIABLE, base_url=fake.base_url
    )
    run_diagnoses(make_diagnosis(owner, [platform], questions=TEN[:5]))  # the refused calls took no place in the rate
    assert fake.count() == 5


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("limit", ["concurrency", "requests_per_minute"])
def test_a_platform_changed_while_calls_wait_refuses_them_within_a_second(
    owner: AbstractUser, fake: FakePlatform, change: str, limit: str
) -> None:
    fake.set_behaviour(hold_response())
    platform = make_platform(base_url=fake.base_url)
    Platform.objects.update(**{limit: 2})
    diagnosis = make_diagnosis(owner, [platform], questions=TEN)

    async def change_while_calls_wait() -> None:
        run = asyncio.create_task(run_diagnosis(diagnosis.pk))
        await asyncio.to_thread(fake.wait_for_calls, 2)
        await Platform.objects.aupdate(**CHANGES[change])
        while await diagnosis.answers.filter(state=AnswerState.FAILED).acount() < 8:
            await asyncio.sleep(0.05)
        fake.release()
        await run

    asyncio.run(asyncio.wait_for(change_while_calls_wait(), SECONDS))
    assert fake.count() == 2
    assert diagnosis.answers.filter(state=AnswerState.VALID).count() == 2  # calls in flight are finished and stored


def test_a_cancelled_diagnosis_makes_no_further_call(owner: AbstractUser, fake: FakePlatform) -> None:
    fake.set_behaviour(hold_response())
    diagnosis = make_diagnosis(owner, [make_platform(base_url=fake.base_url, concurrency=2)], questions=TEN)

    async def cancel_while_calls_wait() -> None:
        run = asyncio.create_task(run_diagnosis(diagnosis.pk))
        await asyncio.to_thread(fake.wait_for_calls, 2)
        await sync_to_async(cancel_diagnosis, thread_sensitive=False)(diagnosis)
        fake.release()
        await run

    asyncio.run(asyncio.wait_for(cancel_while_calls_wait(), SECONDS))
    assert fake.count() == 2


def test_no_call_is_made_without_budget_and_none_takes_a_limit(owner: AbstractUser, fake: FakePlatform) -> None:
    platform = make_platform(base_url=fake.base_url, price_per_call=1, requests_per_minute=6)
    diagnosis = make_diagnosis(owner, [platform], questions=TEN)
    Platform.objects.update(monthly_budget=3)
    (diagnosis,) = run_diagnoses(diagnosis)
    assert fake.count() == 3
    assert diagnosis.answers.filter(reason=FailureReason.BUDGET, attempts=0).count() == 7
    Platform.objects.update(monthly_budget=10)
    run_diagnoses(make_diagnosis(owner, [platform]))
    assert fake.count() == 4
    assert PaidCall.objects.filter(cost=Decimal(1)).count() == 4


def test_answers_that_cannot_be_stored_hold_back_the_next_calls(owner: AbstractUser, fake: FakePlatform) -> None:
    fake.set_behaviour(hold_response())
    diagnosis = make_diagnosis(owner, [make_platform(base_url=fake.base_url, concurrency=3)], questions=TEN)

    def hold_the_row(release: threading.Event, is_held: threading.Event) -> None:
        with transaction.atomic():
            Diagnosis.objects.select_for_update().get(pk=diagnosis.pk)
            is_held.set()
            assert release.wait(SECONDS)

    async def run_while_no_answer_is_stored() -> int:
        release, is_held = threading.Event(), threading.Event()
        run = asyncio.create_task(run_diagnosis(diagnosis.pk))
        await asyncio.to_thread(fake.wait_for_calls, 3)
        holding = asyncio.create_task(sync_to_async(hold_the_row, thread_sensitive=False)(release, is_held))
        assert await asyncio.to_thread(is_held.wait, SECONDS)
        fake.set_behaviour(respond_with_answer())
        fake.release()
        await asyncio.sleep(1)  # time for further calls, if they did not wait
        calls = fake.count()
        release.set()
        await asyncio.gather(holding, run)
        return calls

    assert asyncio.run(run_while_no_answer_is_stored()) == 3
    assert fake.count() == len(TEN)
    assert set(diagnosis.answers.values_list("state", flat=True)) == {AnswerState.VALID}


@pytest.fixture
def run(owner: AbstractUser, fake: FakePlatform) -> Run:
    diagnosis = make_diagnosis(owner, [make_platform(base_url=fake.base_url)], questions=["甲？", "乙？", "丙？"])
    run = state_machine.begin_run(diagnosis.pk)
    assert run
    return run


async def _is_admitted(admission: Admission, run: Run, number: int) -> bool:
    call = Call(run.calls[number].platform.pk, CallPurpose.ANSWER, "问", answer_id=run.calls[number].answer_id)
    try:
        async with admission.admit(call):
            return True
    except CallNoLongerNeeded:
        return False
    finally:
        await admission.flush()


def _watch_queries(monkeypatch: pytest.MonkeyPatch, hook: Callable[[], None]) -> list[int]:
    """Run the hook before each query for wanted answers; return the list of the numbers of answers in each."""
    sizes: list[int] = []
    find_wanted_answers = state_machine.find_wanted_answers

    def watch(run: Run, answer_ids: Collection[UUID]) -> set[UUID]:
        sizes.append(len(answer_ids))
        hook()
        return find_wanted_answers(run, answer_ids)

    monkeypatch.setattr(state_machine, "find_wanted_answers", watch)
    return sizes


def test_concurrent_checks_share_queries(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    state_machine.record_answers(run, [(run.calls[1], make_valid_result())])
    sizes = _watch_queries(monkeypatch, lambda: None)

    async def check_all() -> list[bool]:
        admission = Admission(run)
        return await asyncio.gather(*(_is_admitted(admission, run, number) for number in range(3)))

    assert asyncio.run(check_all()) == [True, False, True]
    assert sum(sizes) == 3
    assert len(sizes) < 3


def test_a_check_during_a_query_gets_the_result_of_the_next(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    has_begun, may_end = threading.Event(), threading.Event()

    def block() -> None:
        has_begun.set()
        assert may_end.wait(SECONDS)

    sizes = _watch_queries(monkeypatch, block)

    async def check_during_query() -> list[bool]:
        admission = Admission(run)
        early = asyncio.create_task(_is_admitted(admission, run, 0))
        assert await asyncio.to_thread(has_begun.wait, SECONDS)
        late = asyncio.create_task(_is_admitted(admission, run, 1))
        await asyncio.sleep(0)
        record = sync_to_async(state_machine.record_answers, thread_sensitive=False)
        await record(run, [(run.calls[1], make_valid_result())])
        may_end.set()
        return [await early, await late]

    assert asyncio.run(check_during_query()) == [True, False]
    assert sizes[:2] == [1, 1]


def test_an_unknown_state_is_not_wanted(run: Run, fake: FakePlatform, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail_twice() -> None:
        if len(sizes) <= 2:
            raise OperationalError("away")

    sizes = _watch_queries(monkeypatch, fail_twice)
    assert asyncio.run(_is_admitted(Admission(run), run, 0))
    assert len(sizes) >= 3


def test_an_unexpected_exception_is_raised(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    _watch_queries(monkeypatch, fail)
    with pytest.raises(ZeroDivisionError):
        asyncio.run(_is_admitted(Admission(run), run, 0))


def test_a_stopping_worker_begins_no_call(run: Run) -> None:
    async def check() -> bool:
        shutdown = asyncio.Event()
        shutdown.set()
        return await _is_admitted(Admission(run, shutdown), run, 0)

    assert not asyncio.run(check())


def test_a_superseded_run_begins_no_call(run: Run) -> None:
    assert state_machine.begin_run(run.diagnosis_id)
    assert not asyncio.run(_is_admitted(Admission(run), run, 0))


def test_a_cancelled_wait_frees_its_slot_and_leaves_no_reservation(fake: FakePlatform) -> None:
    fake.set_behaviour(hold_response())
    platform = make_platform(base_url=fake.base_url, concurrency=1)

    async def cancel_the_second() -> None:
        first = asyncio.create_task(call_platform(platform))
        await asyncio.to_thread(fake.wait_for_calls, 1)
        second = asyncio.create_task(call_platform(platform))
        while not get_platform_limits(platform.pk).line.locked():
            await asyncio.sleep(0.01)
        second.cancel()
        await asyncio.wait([second])
        fake.release()
        assert (await first).reply
        assert (await call_platform(platform)).reply
        assert not get_platform_limits(platform.pk).line.locked()

    asyncio.run(cancel_the_second())
    assert PaidCall.objects.count() == fake.count() == 2


def test_diagnosis_ends_when_all_calls_are_refused(owner: AbstractUser, fake: FakePlatform) -> None:
    platform = make_platform(base_url=fake.base_url)
    diagnosis = make_diagnosis(owner, [platform])
    Platform.objects.update(is_enabled=False)
    run_diagnoses(diagnosis)
    assert Diagnosis.objects.get(pk=diagnosis.pk).is_final
