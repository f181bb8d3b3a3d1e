"""The run: many calls at once, each answer stored the moment it arrives, one deadline over all."""

import asyncio
import uuid
from collections.abc import Callable

import structlog
from django.db import InterfaceError, OperationalError
from django.utils import timezone

from diagnosis.choices import DiagnosisStatus, FailureReason
from diagnosis.exceptions import CallNoLongerNeeded, RunSuperseded
from diagnosis.models import Platform
from diagnosis.running import state_machine
from diagnosis.running.answer_writer import AnswerWriter, run_db_write_with_retry
from diagnosis.running.calls import call_with_retries
from diagnosis.running.pending_calls import PendingCallChecker
from diagnosis.running.sentiment import judge_answers
from diagnosis.running.state_machine import PAUSE_DURATIONS, PlannedCall, Run
from errors.codes import ErrorCode
from errors.recording import record_error

log = structlog.get_logger(__name__)

MAX_CRASHES = 3
SHUTDOWN_GRACE_SECONDS = 5.0


def is_never_shutting_down() -> bool:
    """Cancelled, it ends at once."""
    return False


async def run_diagnosis(diagnosis_id: uuid.UUID, is_shutting_down: Callable[[], bool] = is_never_shutting_down) -> None:
    """Bring a diagnosis to its end. Safe to run again after any crash: stored answers are not asked for again.

    is_leaving: asked when it is cancelled, whether that is because the worker stops. Then no call begins any more, the
    answers of those in flight are awaited for at most SHUTDOWN_GRACE_SECONDS; another worker takes up the rest.
    """
    run = await run_db_write_with_retry(state_machine.begin_run, diagnosis_id)
    if run is None:
        return
    structlog.contextvars.bind_contextvars(request_id=run.request_id, diagnosis=str(diagnosis_id))
    log.info("run_begun", run=run.number, calls=len(run.calls))
    try:
        await _run_until_shutdown(run, is_shutting_down)
    except* RunSuperseded:
        log.info("run_over", run=run.number)
    except* (OperationalError, InterfaceError):
        raise  # the sweep takes the diagnosis up again
    except* Exception as crash:
        log.exception("run_crashed", run=run.number)
        record_error(ErrorCode.SERVER_ERROR, error=crash.exceptions[0], context={"attempts": run.number})
        if await run_db_write_with_retry(state_machine.count_crash, diagnosis_id) >= MAX_CRASHES:
            await run_db_write_with_retry(
                state_machine.end_diagnosis, diagnosis_id, DiagnosisStatus.FAILED, code=ErrorCode.SERVER_ERROR
            )


async def _run_until_shutdown(run: Run, is_shutting_down: Callable[[], bool]) -> None:
    shutdown = asyncio.Event()
    task = asyncio.create_task(_run_to_completion(run, shutdown), name="run")
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        try:
            if is_shutting_down():
                shutdown.set()
                await asyncio.wait([task], timeout=SHUTDOWN_GRACE_SECONDS)
        finally:  # also when whoever stops us is in a hurry, and cancels again
            task.cancel()
        await asyncio.wait([task])
        if not task.cancelled() and task.exception():
            log.warning("run_left", run=run.number, error=repr(task.exception()))
        raise


async def _run_to_completion(run: Run, shutdown: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(max(0.0, run.seconds_left)):
            await _make_all_calls(run, shutdown)
    except TimeoutError:
        await run_db_write_with_retry(
            state_machine.end_diagnosis, run.diagnosis_id, DiagnosisStatus.TIMED_OUT, run_number=run.number
        )
        return
    if shutdown.is_set():
        return
    await run_db_write_with_retry(state_machine.begin_analysis, run)
    await judge_answers(run.diagnosis_id)
    await run_db_write_with_retry(state_machine.end_diagnosis, run.diagnosis_id, run_number=run.number)


async def _make_all_calls(run: Run, shutdown: asyncio.Event) -> None:
    paused, writer, pending_calls = _find_paused_platforms(run), AnswerWriter(run), PendingCallChecker(run, shutdown)
    async with asyncio.TaskGroup() as group:
        for call in run.calls:
            group.create_task(_make_call(run, call, paused, writer, pending_calls))


def _find_paused_platforms(run: Run) -> dict[str, FailureReason]:
    """{platform: why} of those that are paused already: asking them would only fail again."""
    now = timezone.now()
    platforms: dict[str, Platform] = {call.platform.pk: call.platform for call in run.calls}
    return {
        pk: FailureReason(platform.pause_reason or FailureReason.QUOTA)
        for pk, platform in platforms.items()
        if platform.paused_until and platform.paused_until > now
    }


async def _make_call(
    run: Run,
    call: PlannedCall,
    paused: dict[str, FailureReason],
    writer: AnswerWriter,
    pending_calls: PendingCallChecker,
) -> None:
    try:
        result = await call_with_retries(
            call.platform,
            call.question,
            seed=call.repeat,
            get_pause_reason=lambda: paused.get(call.platform.pk),
            is_still_needed=lambda: pending_calls.is_pending(call),
        )
    except CallNoLongerNeeded:
        return
    reason = result.failure.reason if result.failure else None
    if reason in PAUSE_DURATIONS and call.platform.pk not in paused:
        paused[call.platform.pk] = reason
        await run_db_write_with_retry(state_machine.pause_platform, run, call.platform, reason)
    await writer.store(call, result)
