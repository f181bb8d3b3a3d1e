"""Concurrent answers share a transaction without affecting each other."""

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import AbstractUser
from prometheus_client import REGISTRY

from diagnosis.choices import AnswerState, DiagnosisStatus
from diagnosis.exceptions import RunSuperseded
from diagnosis.models import Answer, Diagnosis
from diagnosis.running import state_machine
from diagnosis.running.answer_writer import ANSWER_BATCH_SIZE, AnswerWriter
from diagnosis.running.results import CallResult
from diagnosis.running.state_machine import PlannedCall, Run
from progress.models import Event
from testing.data.diagnoses import make_diagnosis, make_platform, make_valid_result, run_diagnoses
from testing.fakes.platform import FakePlatform, respond_with_answer

pytestmark = pytest.mark.django_db(transaction=True)

ANSWERS = 25


@pytest.fixture
def run(owner: AbstractUser) -> Run:
    questions = [f"第 {number} 问？" for number in range(ANSWERS)]
    run = state_machine.begin_run(make_diagnosis(owner, [make_platform()], questions=questions).pk)
    assert run
    return run


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of answers that each transaction stored."""
    sizes: list[int] = []
    record_answers = state_machine.record_answers

    def spy(run: Run, results: Sequence[tuple[PlannedCall, CallResult]]) -> None:
        record_answers(run, results)
        sizes.append(len(results))

    monkeypatch.setattr(state_machine, "record_answers", spy)
    return sizes


def _store(run: Run, results: Sequence[CallResult]) -> list[BaseException | None]:
    """Store the results concurrently; returns the exception of each."""

    async def store_all() -> list[BaseException | None]:
        writer = AnswerWriter(run)
        stores = [writer.store(call, result) for call, result in zip(run.calls, results, strict=True)]
        return await asyncio.gather(*stores, return_exceptions=True)

    return asyncio.run(store_all())


def test_concurrent_answers_share_a_transaction_and_have_their_own_events(run: Run, writes: list[int]) -> None:
    assert _store(run, [make_valid_result()] * ANSWERS) == [None] * ANSWERS
    assert writes == [ANSWER_BATCH_SIZE, ANSWERS - ANSWER_BATCH_SIZE]
    diagnosis = Diagnosis.objects.get()
    assert diagnosis.valid == ANSWERS
    events = list(Event.objects.filter(stream=diagnosis.stream_id).order_by("seq").values_list("seq", "kind", "data"))
    assert [seq for seq, _kind, _data in events] == list(range(1, len(events) + 1))
    recorded = events[-2 * ANSWERS :]
    assert [kind for _seq, kind, _data in recorded] == ["result", "progress"] * ANSWERS
    assert [data["done"] for _seq, kind, data in recorded if kind == "progress"] == list(range(1, ANSWERS + 1))


def test_answer_that_cannot_be_stored_does_not_affect_others(run: Run) -> None:
    results = [make_valid_result()] * ANSWERS
    results[7] = make_valid_result("")  # the table refuses a valid answer without a text
    raised = _store(run, results)
    assert [index for index, error in enumerate(raised) if error] == [7]
    assert Answer.objects.filter(state=AnswerState.VALID).count() == ANSWERS - 1
    assert Diagnosis.objects.get().valid == ANSWERS - 1


def test_every_store_raises_if_the_diagnosis_has_ended(run: Run) -> None:
    state_machine.end_diagnosis(run.diagnosis_id, DiagnosisStatus.CANCELLED)
    assert {type(error) for error in _store(run, [make_valid_result()] * ANSWERS)} == {RunSuperseded}


def test_answer_is_stored_if_the_run_is_cancelled_meanwhile(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    is_writing, may_write = threading.Event(), threading.Event()
    record_answers = state_machine.record_answers

    def block(*args: Any) -> None:
        is_writing.set()
        may_write.wait(30)
        record_answers(*args)

    monkeypatch.setattr(state_machine, "record_answers", block)

    async def cancel_while_writing() -> None:
        writer = AnswerWriter(run)
        first, second = (asyncio.create_task(writer.store(call, make_valid_result())) for call in run.calls[:2])
        await sync_to_async(is_writing.wait, thread_sensitive=False)(30)
        late = asyncio.create_task(writer.store(run.calls[2], make_valid_result()))
        await asyncio.sleep(0)
        for task in (first, second, late):
            task.cancel()
        may_write.set()
        assert all(isinstance(error, asyncio.CancelledError) for error in await _get_ends(first, second, late))

    async def _get_ends(*tasks: asyncio.Task[None]) -> list[BaseException | None]:
        return await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(cancel_while_writing())
    assert Diagnosis.objects.get().valid == 3


def test_diagnosis_needs_few_queries_per_answer(owner: AbstractUser, fake: FakePlatform) -> None:
    def queries() -> float:
        return REGISTRY.get_sample_value("django_db_execute_total", {"alias": "default", "vendor": "postgresql"}) or 0.0

    fake.set_behaviour(respond_with_answer())
    questions = [f"第 {number} 问？" for number in range(20)]
    diagnosis = make_diagnosis(
        owner, [make_platform(base_url=fake.base_url, concurrency=50)], questions=questions, repeats=10
    )
    before = queries()
    (diagnosis,) = run_diagnoses(diagnosis)
    assert diagnosis.valid == 200
    assert 0 < queries() - before < 4 * 200  # a check, a reservation, a settlement and a record, shared by many
