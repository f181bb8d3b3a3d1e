"""Let the judge platform rate the sentiment of a run's answers, bounded in calls and time."""

import asyncio
import uuid
from dataclasses import dataclass

import structlog
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
from diagnosis.running.db import run_in_db_thread
from errors.codes import ErrorCode
from errors.recording import record_error

log = structlog.get_logger(__name__)

DEADLINE_MARGIN_SECONDS = 2.0  # left for the end of the run, before its deadline


@dataclass(frozen=True)
class _JudgeTask:
    """An answer that mentions brands. mentions_by_brand: (start, end) of each mention."""

    answer_id: uuid.UUID
    text: str
    mentions_by_brand: dict[str, list[tuple[int, int]]]


async def judge_answers(diagnosis_id: uuid.UUID) -> None:
    """Judge the answers of a diagnosis that have no verdicts yet. Raises only CancelledError.

    Does nothing without settings.JUDGE_PLATFORM. Answers beyond the time limit or settings.JUDGE_CALLS stay without
    verdicts; the report states how many were judged.
    """
    if not settings.JUDGE_PLATFORM:
        return
    try:
        platform, tasks, timeout_seconds = await run_in_db_thread(_load_judge_tasks, diagnosis_id)
        if platform is None:
            log.warning("judge_missing", platform=settings.JUDGE_PLATFORM)
            return
        async with asyncio.timeout(timeout_seconds), asyncio.TaskGroup() as group:
            for number, task in enumerate(tasks):
                group.create_task(_judge_answer(platform, task, number))
    except TimeoutError:
        log.warning("judging_timed_out", diagnosis=str(diagnosis_id))
    except Exception as error:
        log.exception("judging_failed", diagnosis=str(diagnosis_id))
        record_error(ErrorCode.SERVER_ERROR, error=error, diagnosis_id=diagnosis_id, place="judging")


def _load_judge_tasks(diagnosis_id: uuid.UUID) -> tuple[Platform | None, list[_JudgeTask], float]:
    """Return the judge, the answers to judge, and the time limit in seconds."""
    platform = Platform.objects.enabled().filter(pk=settings.JUDGE_PLATFORM).first()
    diagnosis = Diagnosis.objects.get(pk=diagnosis_id)
    remaining_seconds = (diagnosis.deadline_at - get_database_time()).total_seconds() if diagnosis.deadline_at else 0.0
    seconds = max(0.0, min(settings.JUDGE_SECONDS, remaining_seconds - DEADLINE_MARGIN_SECONDS))
    # By repeat first, so that a small budget still covers every question and platform.
    valid = diagnosis.answers.filter(state=AnswerState.VALID).order_by("repeat", "question__position", "pk")
    judged = valid.filter(verdicts__isnull=False).count()
    tasks = []
    for answer in valid.filter(verdicts__isnull=True):
        mentions_by_brand: dict[str, list[tuple[int, int]]] = {}
        for brand, start, end, *state in answer.mentions:
            if state != [MENTION_UNCERTAIN]:
                mentions_by_brand.setdefault(brand, []).append((start, end))
        if mentions_by_brand:
            tasks.append(_JudgeTask(answer.pk, answer.text, mentions_by_brand))
    return platform, tasks[: max(0, settings.JUDGE_CALLS - judged)], seconds


async def _judge_answer(platform: Platform, task: _JudgeTask, seed: int) -> None:
    if looks_like_prompt_injection(task.text):
        log.warning("prompt_injection_suspected", answer=str(task.answer_id))
        verdicts = [SentimentVerdict(brand=brand, sentiment="unclear") for brand in task.mentions_by_brand]
    else:
        prompt = build_judge_prompt(task.text, list(task.mentions_by_brand))
        result = await call_with_retries(platform, prompt, seed=seed)
        if result.reply is None:
            return  # the failed call is recorded; the answer stays without verdicts
        verdicts = parse_verdicts(result.reply.text, task.text, task.mentions_by_brand)
    update = Answer.objects.filter(pk=task.answer_id).update
    await run_in_db_thread(update, verdicts=[verdict.model_dump() for verdict in verdicts])
