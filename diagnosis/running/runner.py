"""Run a diagnosis: make its pending calls concurrently, store each answer as it arrives, then finish."""

import asyncio
import contextlib
import uuid
from collections.abc import Awaitable, Callable
from functools import partial

import structlog
from django.db import InterfaceError, OperationalError

from diagnosis.choices import CallPurpose, DiagnosisStatus
from diagnosis.exceptions import CallNoLongerNeeded, RunSuperseded
from diagnosis.platforms.client import CallProgress
from diagnosis.platforms.errors import PAUSE_DURATIONS
from diagnosis.running import state_machine
from diagnosis.running.admission import Admission, Call, forget_platform
from diagnosis.running.answer_writer import AnswerWriter
from diagnosis.running.batching import Batch
from diagnosis.running.calls import call_with_retries
from diagnosis.running.db import finish_despite_cancel, run_db_write_with_retry
from diagnosis.running.extraction import extract_from_answers
from diagnosis.running.partial_replies import read_partial_reply, save_partial_replies
from diagnosis.running.results import CallResult
from diagnosis.running.state_machine import PlannedCall, Run
from errors.codes import ErrorCode
from errors.recording import record_error

log = structlog.get_logger(__name__)

MAX_CRASHES = 3
SHUTDOWN_GRACE_SECONDS = 5.0


async def run_diagnosis(diagnosis_id: uuid.UUID, is_shutting_down: Callable[[], bool] | None = None) -> None:
    """Run a diagnosis to its end. Safe to run again after any crash: stored answers are not asked for again.

    is_shutting_down: on cancellation, tells whether the worker is stopping. If so, no new call begins and the calls in
    flight get SHUTDOWN_GRACE_SECONDS to finish; another worker makes the rest. Otherwise they are cancelled at once.
    """
    run = await run_db_write_with_retry(state_machine.begin_run, diagnosis_id)
    if run is None:
        return
    structlog.contextvars.bind_contextvars(request_id=run.request_id, diagnosis=str(diagnosis_id))
    log.info("run_begun", run=run.number, calls=len(run.calls))
    try:
        await _run_until_cancelled(run, is_shutting_down)
    except* RunSuperseded:
        log.info("run_superseded", run=run.number)
    except* (OperationalError, InterfaceError):
        raise  # the sweep will enqueue the diagnosis again
    except* Exception as crash:
        log.exception("run_crashed", run=run.number)
        record_error(ErrorCode.SERVER_ERROR, error=crash.exceptions[0], context={"attempts": run.number})
        if await run_db_write_with_retry(state_machine.count_crash, diagnosis_id) >= MAX_CRASHES:
            await run_db_write_with_retry(
                state_machine.end_diagnosis, diagnosis_id, DiagnosisStatus.FAILED, code=ErrorCode.SERVER_ERROR
            )


async def _run_until_cancelled(run: Run, is_shutting_down: Callable[[], bool] | None) -> None:
    shutdown = asyncio.Event()
    task = asyncio.create_task(_run_to_completion(run, shutdown), name="run")
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        try:
            if is_shutting_down and is_shutting_down():
                shutdown.set()
                await asyncio.wait([task], timeout=SHUTDOWN_GRACE_SECONDS)
        finally:  # also when a second cancellation ends the wait
            task.cancel()
        await asyncio.wait([task])
        if not task.cancelled() and task.exception():
            log.warning("run_interrupted", run=run.number, error=repr(task.exception()))
        raise


async def _run_to_completion(run: Run, shutdown: asyncio.Event) -> None:
    admission = Admission(run, shutdown)
    try:
        await _ask_and_finish(run, admission, shutdown)
    finally:
        await admission.flush()


async def _ask_and_finish(run: Run, admission: Admission, shutdown: asyncio.Event) -> None:
    deadline = asyncio.get_running_loop().time() + run.seconds_left
    writer, steps_writer = AnswerWriter(run), Batch(partial(save_partial_replies, run.number))
    paused = set[str]()  # platforms that this run paused
    try:
        async with asyncio.timeout_at(deadline), asyncio.TaskGroup() as group:
            for call in run.calls:
                finish = partial(_finish_call, run, call, writer, paused)
                group.create_task(_make_call(admission, call, finish, steps_writer, deadline))
    except TimeoutError:
        await run_db_write_with_retry(
            state_machine.end_diagnosis, run.diagnosis_id, DiagnosisStatus.TIMED_OUT, run_number=run.number
        )
        return
    if shutdown.is_set():
        return
    await run_db_write_with_retry(state_machine.begin_analysis, run)
    await extract_from_answers(run, admission)
    await admission.flush()  # the report shows the actual cost
    await run_db_write_with_retry(state_machine.end_diagnosis, run.diagnosis_id, run_number=run.number)


async def _make_call(
    admission: Admission,
    planned: PlannedCall,
    finish: Callable[[CallResult], Awaitable[None]],
    steps_writer: Batch[tuple[uuid.UUID, CallProgress], None],
    deadline: float,
) -> None:
    def get_progress() -> CallProgress:
        return read_partial_reply(planned.partial_reply) if planned.partial_reply else CallProgress()

    async def save_progress(progress: CallProgress) -> None:
        # Finished even if the worker loses its database and cancels the run: the step has been paid for.
        saving = steps_writer.submit((planned.answer_id, progress))
        await finish_despite_cancel(asyncio.create_task(saving))

    call = Call(
        planned.platform.pk,
        CallPurpose.ANSWER,
        planned.question,
        seed=planned.repeat,
        answer_id=planned.answer_id,
    )
    with contextlib.suppress(CallNoLongerNeeded):
        await call_with_retries(
            admission, call, finish, deadline=deadline, get_progress=get_progress, save_progress=save_progress
        )


async def _finish_call(run: Run, call: PlannedCall, writer: AnswerWriter, paused: set[str], result: CallResult) -> None:
    """Pause the platform after a failure that retrying cannot fix, and store the answer."""
    reason, platform = result.failure.reason if result.failure else None, call.platform
    was_called = result.milliseconds > 0
    if was_called and reason in PAUSE_DURATIONS and platform.pk not in paused:
        paused.add(platform.pk)
        await run_db_write_with_retry(state_machine.pause_platform, run, platform, reason)
        forget_platform(platform.pk)
    await writer.store(call, result)
