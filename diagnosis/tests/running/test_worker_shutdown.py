"""A stopping worker begins no call, waits for those in flight, and leaves the rest to another worker."""

import asyncio

import pytest
from django.contrib.auth.models import AbstractUser

from diagnosis.choices import AnswerState, DiagnosisStatus
from diagnosis.models import Answer, Diagnosis
from diagnosis.running.runner import run_diagnosis
from testing.data.diagnoses import make_diagnosis, make_platform, run_diagnoses
from testing.fakes.platform import FakePlatform, hold_response, respond_with_answer
from testing.services import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def diagnosis(owner: AbstractUser, fake: FakePlatform) -> Diagnosis:
    """Three calls, made one at a time."""
    fake.set_behaviour(hold_response())
    platform = make_platform(base_url=fake.base_url, concurrency=1)
    return make_diagnosis(owner, [platform], questions=["甲？", "乙？", "丙？"])


async def _run_until_first_call(
    diagnosis: Diagnosis, fake: FakePlatform, *, is_stopping: bool = True
) -> asyncio.Task[None]:
    running = asyncio.create_task(run_diagnosis(diagnosis.pk, lambda: is_stopping))
    await asyncio.to_thread(wait_until, lambda: fake.count() == 1, "the first call")
    return running


async def _cancel_during_first_call(diagnosis: Diagnosis, fake: FakePlatform, *, is_stopping: bool) -> None:
    running = await _run_until_first_call(diagnosis, fake, is_stopping=is_stopping)
    running.cancel()
    await asyncio.sleep(0)
    fake.release()
    with pytest.raises(asyncio.CancelledError):
        await running


def test_shutdown_stores_the_call_in_flight_and_begins_no_other(
    owner: AbstractUser, diagnosis: Diagnosis, fake: FakePlatform
) -> None:
    asyncio.run(_cancel_during_first_call(diagnosis, fake, is_stopping=True))
    assert fake.count() == 1
    assert Answer.objects.filter(state=AnswerState.VALID).count() == 1
    assert Diagnosis.objects.get(pk=diagnosis.pk).status == DiagnosisStatus.ASKING
    (ended,) = run_diagnoses(diagnosis)
    assert (ended.status, ended.valid, fake.count()) == (DiagnosisStatus.COMPLETED, 3, 3)


def test_aborted_run_ends_at_once(diagnosis: Diagnosis, fake: FakePlatform) -> None:
    asyncio.run(_cancel_during_first_call(diagnosis, fake, is_stopping=False))
    assert fake.count() == 1
    assert not Answer.objects.filter(state=AnswerState.VALID).exists()


def test_second_cancellation_ends_the_run_at_once(diagnosis: Diagnosis, fake: FakePlatform) -> None:
    async def cancel_twice() -> set[str]:
        running = await _run_until_first_call(diagnosis, fake)
        for _ in range(2):
            running.cancel()
            await asyncio.sleep(0)
        with pytest.raises(asyncio.CancelledError):
            await running
        await asyncio.sleep(0)
        return {task.get_name() for task in asyncio.all_tasks() if not task.cancelling()}

    assert "run" not in asyncio.run(cancel_twice())


def test_shutdown_waits_no_longer_than_the_grace_period(
    diagnosis: Diagnosis, fake: FakePlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("diagnosis.running.runner.SHUTDOWN_GRACE_SECONDS", 0.1)

    async def stop() -> None:
        running = await _run_until_first_call(diagnosis, fake)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(stop())
    assert not Answer.objects.filter(state=AnswerState.VALID).exists()
    fake.set_behaviour(respond_with_answer())
    (ended,) = run_diagnoses(diagnosis)
    assert ended.status == DiagnosisStatus.COMPLETED
