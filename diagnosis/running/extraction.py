"""Let the judge platform extract the brands of a run's answers, bounded in calls and time."""

import asyncio
import contextlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from django.conf import settings

from diagnosis.analysis.columns import build_brand_spellings, compute_analysis_columns
from diagnosis.analysis.extraction import build_extraction
from diagnosis.analysis.judge_prompt import build_judge_prompt, looks_like_prompt_injection
from diagnosis.analysis.mentions import BrandSpellings
from diagnosis.choices import AnswerState, CallPurpose
from diagnosis.clock import get_database_time
from diagnosis.exceptions import CallNoLongerNeeded
from diagnosis.models import Answer, Diagnosis, Platform
from diagnosis.running.admission import Admission, Call
from diagnosis.running.calls import call_with_retries
from diagnosis.running.db import run_db_write_with_retry, run_in_db_thread
from diagnosis.running.results import CallResult
from diagnosis.running.state_machine import Run
from errors.codes import ErrorCode
from errors.recording import record_error

log = structlog.get_logger(__name__)

DEADLINE_MARGIN_SECONDS = 2.0  # left for the end of the run, before its deadline


@dataclass(frozen=True)
class _JudgeTask:
    """A text to extract from, the question, and the answers that have this text."""

    question: str
    text: str
    answer_ids: list[uuid.UUID]


@dataclass(frozen=True)
class _JudgeWork:
    """The judge (None if it is not available), the names of the diagnosis, the texts, and the time limit."""

    platform: Platform | None
    brands: Sequence[BrandSpellings]
    tasks: Sequence[_JudgeTask]
    timeout_seconds: float


async def extract_from_answers(run: Run, admission: Admission) -> None:
    """Extract from the answers of a run's diagnosis that have no extraction yet. Raises only CancelledError.

    Does nothing without settings.JUDGE_PLATFORM. Answers beyond the time limit or settings.JUDGE_CALLS stay without
    extraction; the report states how many were judged.
    """
    if not settings.JUDGE_PLATFORM:
        return
    diagnosis_id = run.diagnosis_id
    try:
        work = await run_in_db_thread(_load_work, diagnosis_id)
        if work.platform is None:
            log.warning("judge_missing", platform=settings.JUDGE_PLATFORM)
            return
        deadline = asyncio.get_running_loop().time() + work.timeout_seconds
        async with asyncio.timeout_at(deadline), asyncio.TaskGroup() as group:
            for number, task in enumerate(work.tasks):
                group.create_task(_extract(admission, work, task, number, deadline))
    except TimeoutError:
        log.warning("judging_timed_out", diagnosis=str(diagnosis_id))
    except Exception as error:
        log.exception("judging_failed", diagnosis=str(diagnosis_id))
        record_error(ErrorCode.SERVER_ERROR, error=error, diagnosis_id=diagnosis_id, place="judging")


def _load_work(diagnosis_id: uuid.UUID) -> _JudgeWork:
    platform = Platform.objects.enabled().filter(pk=settings.JUDGE_PLATFORM).first()
    diagnosis = Diagnosis.objects.get(pk=diagnosis_id)
    remaining_seconds = (diagnosis.deadline_at - get_database_time()).total_seconds() if diagnosis.deadline_at else 0.0
    seconds = max(0.0, min(settings.JUDGE_SECONDS, remaining_seconds - DEADLINE_MARGIN_SECONDS))
    # By repeat first, so that a small budget still covers every question and platform.
    valid = diagnosis.answers.filter(state=AnswerState.VALID, is_truncated=False).order_by(
        "repeat", "question__position", "pk"
    )
    judged = valid.filter(extraction__isnull=False).values("question", "text").distinct().count()
    tasks: dict[tuple[uuid.UUID, str], _JudgeTask] = {}  # equal answers to a question need one call
    for answer in valid.filter(extraction__isnull=True).select_related("question"):
        if answer.is_without_requested_search:
            continue  # in no rate
        if looks_like_prompt_injection(answer.text):
            log.warning("prompt_injection_suspected", answer=str(answer.pk))
            continue
        task = _JudgeTask(answer.question.text, answer.text, [])
        tasks.setdefault((answer.question_id, answer.text), task).answer_ids.append(answer.pk)
    allowed = list(tasks.values())[: max(0, settings.JUDGE_CALLS - judged)]
    return _JudgeWork(platform, build_brand_spellings(diagnosis.brands.all()), allowed, seconds)


async def _extract(admission: Admission, work: _JudgeWork, task: _JudgeTask, seed: int, deadline: float) -> None:
    async def finish(result: CallResult) -> None:
        if result.reply is not None:  # a failed call is recorded; its answers stay without extraction
            await run_db_write_with_retry(_store, task, list(work.brands), result.reply.text)

    assert work.platform
    names = list(dict.fromkeys(spelling for brand in work.brands for spelling in brand.spellings))
    prompt = build_judge_prompt(task.text, names)
    call = Call(work.platform.pk, CallPurpose.JUDGE, prompt, seed=seed, answer_id=task.answer_ids[0])
    with contextlib.suppress(CallNoLongerNeeded):
        await call_with_retries(admission, call, finish, deadline=deadline)


def _store(task: _JudgeTask, brands: list[BrandSpellings], reply: str) -> None:
    extraction = build_extraction(reply, task.text)
    columns = compute_analysis_columns(task.text, brands, task.question, extraction)
    Answer.objects.filter(pk__in=task.answer_ids).update(extraction=extraction, **columns)
