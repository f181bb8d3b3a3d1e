"""The run: many calls at once, each answer stored the moment it arrives, one deadline over all."""

import asyncio
import uuid
from collections.abc import Callable

import structlog
from django.db import InterfaceError, OperationalError
from django.utils import timezone

from diagnosis import transitions
from diagnosis.asking import ask_until_settled
from diagnosis.choices import Reason, Status
from diagnosis.exceptions import NotWanted, RunOver
from diagnosis.models import Platform
from diagnosis.sentiment import judge_answers
from diagnosis.transitions import PAUSES, PlannedCall, Run
from diagnosis.wanted import WantedCalls
from diagnosis.writing import AnswerWriter, durably
from errors.codes import ErrorCode
from errors.recording import record

log = structlog.get_logger(__name__)

MOST_CRASHES = 3
LEAVE_SECONDS = 5.0


def never() -> bool:
    """Cancelled, it ends at once."""
    return False


async def run_diagnosis(diagnosis_id: uuid.UUID, is_leaving: Callable[[], bool] = never) -> None:
    """Bring a diagnosis to its end. Safe to run again after any crash: stored answers are not asked for again.

    is_leaving: asked when it is cancelled, whether that is because the worker stops. Then no call begins any more, the
    answers of those in flight are waited for, LEAVE_SECONDS at most, and the rest is left to whoever takes it up.
    """
    run = await durably(transitions.begin_run, diagnosis_id)
    if run is None:
        return
    structlog.contextvars.bind_contextvars(request_id=run.request_id, diagnosis=str(diagnosis_id))
    log.info("run_begun", run=run.number, calls=len(run.calls))
    try:
        await _run_until_left(run, is_leaving)
    except* RunOver:
        log.info("run_over", run=run.number)
    except* (OperationalError, InterfaceError):
        raise  # the sweep takes the diagnosis up again
    except* Exception as crash:
        log.exception("run_crashed", run=run.number)
        record(ErrorCode.SERVER_ERROR, error=crash.exceptions[0], context={"attempts": run.number})
        if await durably(transitions.record_crash, diagnosis_id) >= MOST_CRASHES:
            await durably(transitions.end_diagnosis, diagnosis_id, Status.FAILED, code=ErrorCode.SERVER_ERROR)


async def _run_until_left(run: Run, is_leaving: Callable[[], bool]) -> None:
    left = asyncio.Event()
    work = asyncio.create_task(_run_until_end(run, left), name="run")
    try:
        await asyncio.shield(work)
    except asyncio.CancelledError:
        try:
            if is_leaving():
                left.set()
                await asyncio.wait([work], timeout=LEAVE_SECONDS)
        finally:  # also when whoever stops us is in a hurry, and cancels again
            work.cancel()
        await asyncio.wait([work])
        if not work.cancelled() and work.exception():
            log.warning("run_left", run=run.number, error=repr(work.exception()))
        raise


async def _run_until_end(run: Run, left: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(max(0.0, run.seconds_left)):
            await _ask_all(run, left)
    except TimeoutError:
        await durably(transitions.end_diagnosis, run.diagnosis_id, Status.TIMED_OUT, run_number=run.number)
        return
    if left.is_set():
        return
    await durably(transitions.begin_analysis, run)
    await judge_answers(run.diagnosis_id)
    await durably(transitions.end_diagnosis, run.diagnosis_id, run_number=run.number)


async def _ask_all(run: Run, left: asyncio.Event) -> None:
    paused, writer, wanted = _paused_platforms(run), AnswerWriter(run), WantedCalls(run, left)
    async with asyncio.TaskGroup() as group:
        for call in run.calls:
            group.create_task(_ask_one(run, call, paused, writer, wanted))


def _paused_platforms(run: Run) -> dict[str, Reason]:
    """{platform: why} of those that are paused already: asking them would only fail again."""
    now = timezone.now()
    platforms: dict[str, Platform] = {call.platform.pk: call.platform for call in run.calls}
    return {
        pk: Reason(platform.pause_reason or Reason.QUOTA)
        for pk, platform in platforms.items()
        if platform.paused_until and platform.paused_until > now
    }


async def _ask_one(
    run: Run, call: PlannedCall, paused: dict[str, Reason], writer: AnswerWriter, wanted: WantedCalls
) -> None:
    try:
        outcome = await ask_until_settled(
            call.platform,
            call.question,
            seed=call.repeat,
            is_paused=lambda: paused.get(call.platform.pk),
            is_wanted=lambda: wanted.has(call),
        )
    except NotWanted:
        return
    reason = outcome.failure.reason if outcome.failure else None
    if reason in PAUSES and call.platform.pk not in paused:
        paused[call.platform.pk] = reason
        await durably(transitions.pause_platform, run, call.platform, reason)
    await writer.store(call, outcome)
