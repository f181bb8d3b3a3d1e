"""Let the judge read the answers of a run: bounded in calls and time, and its failures are nobody else's."""

import asyncio
import uuid
from dataclasses import dataclass
from typing import Any

import structlog
from channels.db import database_sync_to_async
from django.conf import settings

from diagnosis.asking import ask_until_settled
from diagnosis.choices import AnswerState
from diagnosis.clock import database_now
from diagnosis.judging import Verdict, prompt_for, read_verdicts, talks_to_a_judge
from diagnosis.models import Answer, Diagnosis, Platform
from diagnosis.reporting import UNCERTAIN
from errors.codes import ErrorCode
from errors.recording import record

log = structlog.get_logger(__name__)

SECONDS_TO_SPARE = 2.0  # for the end of the run, before its deadline


@dataclass(frozen=True)
class _Task:
    """An answer that names brands: {brand: its mentions}."""

    answer_id: uuid.UUID
    text: str
    places: dict[str, list[tuple[int, int]]]


async def judge_answers(diagnosis_id: uuid.UUID) -> None:
    """Judge the answers of a diagnosis that were not judged yet. Raises nothing but cancellation.

    Without settings.JUDGE_PLATFORM nothing happens; what is not judged in time or within settings.JUDGE_CALLS stays
    unjudged, and the report says how many were.
    """
    if not settings.JUDGE_PLATFORM:
        return
    try:
        await _judge(diagnosis_id)
    except TimeoutError:
        log.warning("judging_out_of_time", diagnosis=str(diagnosis_id))
    except Exception as error:
        log.exception("judging_failed", diagnosis=str(diagnosis_id))
        record(ErrorCode.SERVER_ERROR, error=error, diagnosis_id=diagnosis_id, place="judging")


async def _judge(diagnosis_id: uuid.UUID) -> None:
    platform, tasks, seconds = await _in_thread(_plan)(diagnosis_id)
    if platform is None:
        log.warning("judge_missing", platform=settings.JUDGE_PLATFORM)
        return
    async with asyncio.timeout(seconds):
        async with asyncio.TaskGroup() as group:
            for number, task in enumerate(tasks):
                group.create_task(_judge_one(platform, task, number))


def _in_thread(function: Any) -> Any:
    return database_sync_to_async(function, thread_sensitive=False)


def _plan(diagnosis_id: uuid.UUID) -> tuple[Platform | None, list[_Task], float]:
    """The judge, what it is to read, and the seconds that it has."""
    platform = Platform.objects.filter(pk=settings.JUDGE_PLATFORM, is_enabled=True).first()
    diagnosis = Diagnosis.objects.get(pk=diagnosis_id)
    left = (diagnosis.deadline_at - database_now()).total_seconds() if diagnosis.deadline_at else 0.0
    seconds = max(0.0, min(settings.JUDGE_SECONDS, left - SECONDS_TO_SPARE))
    # By repeat first: a budget that is too small still reads something of every question and platform.
    valid = diagnosis.answers.filter(state=AnswerState.VALID).order_by("repeat", "question__position", "pk")
    judged = valid.filter(verdicts__isnull=False).count()
    tasks = [_task(answer) for answer in valid.filter(verdicts__isnull=True)]
    return platform, [task for task in tasks if task.places][: max(0, settings.JUDGE_CALLS - judged)], seconds


def _task(answer: Answer) -> _Task:
    places: dict[str, list[tuple[int, int]]] = {}
    for brand, start, end, *state in answer.mentions:
        if state != [UNCERTAIN]:
            places.setdefault(brand, []).append((start, end))
    return _Task(answer.pk, answer.text, places)


async def _judge_one(platform: Platform, task: _Task, number: int) -> None:
    if talks_to_a_judge(task.text):
        log.warning("answer_talks_to_the_judge", answer=str(task.answer_id))
        verdicts = [Verdict(brand=brand, sentiment="unclear") for brand in task.places]
    else:
        prompt = prompt_for(task.text, list(task.places))
        outcome = await ask_until_settled(platform, prompt, seed=number, is_paused=lambda: None)
        if outcome.reply is None:
            return  # recorded where it failed; unjudged, not unclear
        verdicts = read_verdicts(outcome.reply.text, task.text, task.places)
    await _in_thread(_store)(task.answer_id, verdicts)


def _store(answer_id: uuid.UUID, verdicts: list[Verdict]) -> None:
    Answer.objects.filter(pk=answer_id).update(verdicts=[verdict.model_dump() for verdict in verdicts])
