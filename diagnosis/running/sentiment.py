"""Let the judge read the answers of a run: bounded in calls and time, and its failures are nobody else's."""

import asyncio
import uuid
from dataclasses import dataclass
from typing import Any

import structlog
from channels.db import database_sync_to_async
from django.conf import settings

from diagnosis.analysis.columns import MENTION_UNCERTAIN
from diagnosis.analysis.judge_prompt import (
    SentimentVerdict,
    build_judge_prompt,
    looks_like_prompt_injection,
    parse_verdicts,
)
from diagnosis.choices import AnswerState
from diagnosis.clock import get_database_time
from diagnosis.models import Answer, Diagnosis, Platform
from diagnosis.running.calls import call_with_retries
from errors.codes import ErrorCode
from errors.recording import record_error

log = structlog.get_logger(__name__)

DEADLINE_MARGIN_SECONDS = 2.0  # for the end of the run, before its deadline


@dataclass(frozen=True)
class _JudgeTask:
    """An answer that names brands: {brand: its mentions}."""

    answer_id: uuid.UUID
    text: str
    mentions_by_brand: dict[str, list[tuple[int, int]]]


async def judge_answers(diagnosis_id: uuid.UUID) -> None:
    """Judge the answers of a diagnosis that were not judged yet. Raises nothing but cancellation.

    Without settings.JUDGE_PLATFORM nothing happens; what is not judged in time or within settings.JUDGE_CALLS stays
    unjudged, and the report says how many were.
    """
    if not settings.JUDGE_PLATFORM:
        return
    try:
        await _judge_pending_answers(diagnosis_id)
    except TimeoutError:
        log.warning("judging_out_of_time", diagnosis=str(diagnosis_id))
    except Exception as error:
        log.exception("judging_failed", diagnosis=str(diagnosis_id))
        record_error(ErrorCode.SERVER_ERROR, error=error, diagnosis_id=diagnosis_id, place="judging")


async def _judge_pending_answers(diagnosis_id: uuid.UUID) -> None:
    platform, tasks, timeout_seconds = await _run_in_db_thread(_load_judge_tasks)(diagnosis_id)
    if platform is None:
        log.warning("judge_missing", platform=settings.JUDGE_PLATFORM)
        return
    async with asyncio.timeout(timeout_seconds):
        async with asyncio.TaskGroup() as group:
            for number, task in enumerate(tasks):
                group.create_task(_judge_answer(platform, task, number))


def _run_in_db_thread(function: Any) -> Any:
    return database_sync_to_async(function, thread_sensitive=False)


def _load_judge_tasks(diagnosis_id: uuid.UUID) -> tuple[Platform | None, list[_JudgeTask], float]:
    """The judge, what it is to read, and the seconds that it has."""
    platform = Platform.objects.filter(pk=settings.JUDGE_PLATFORM, is_enabled=True).first()
    diagnosis = Diagnosis.objects.get(pk=diagnosis_id)
    remaining_seconds = (diagnosis.deadline_at - get_database_time()).total_seconds() if diagnosis.deadline_at else 0.0
    seconds = max(0.0, min(settings.JUDGE_SECONDS, remaining_seconds - DEADLINE_MARGIN_SECONDS))
    # By repeat first: a budget that is too small still reads something of every question and platform.
    valid = diagnosis.answers.filter(state=AnswerState.VALID).order_by("repeat", "question__position", "pk")
    judged = valid.filter(verdicts__isnull=False).count()
    tasks = [_build_task(answer) for answer in valid.filter(verdicts__isnull=True)]
    return (
        platform,
        [task for task in tasks if task.mentions_by_brand][: max(0, settings.JUDGE_CALLS - judged)],
        seconds,
    )


def _build_task(answer: Answer) -> _JudgeTask:
    mentions_by_brand: dict[str, list[tuple[int, int]]] = {}
    for brand, start, end, *state in answer.mentions:
        if state != [MENTION_UNCERTAIN]:
            mentions_by_brand.setdefault(brand, []).append((start, end))
    return _JudgeTask(answer.pk, answer.text, mentions_by_brand)


async def _judge_answer(platform: Platform, task: _JudgeTask, seed: int) -> None:
    if looks_like_prompt_injection(task.text):
        log.warning("answer_talks_to_the_judge", answer=str(task.answer_id))
        verdicts = [SentimentVerdict(brand=brand, sentiment="unclear") for brand in task.mentions_by_brand]
    else:
        prompt = build_judge_prompt(task.text, list(task.mentions_by_brand))
        outcome = await call_with_retries(platform, prompt, seed=seed, get_pause_reason=lambda: None)
        if outcome.reply is None:
            return  # recorded where it failed; unjudged, not unclear
        verdicts = parse_verdicts(outcome.reply.text, task.text, task.mentions_by_brand)
    await _run_in_db_thread(_save_verdicts)(task.answer_id, verdicts)


def _save_verdicts(answer_id: uuid.UUID, verdicts: list[SentimentVerdict]) -> None:
    Answer.objects.filter(pk=answer_id).update(verdicts=[verdict.model_dump() for verdict in verdicts])
