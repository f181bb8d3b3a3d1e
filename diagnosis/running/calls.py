"""Call a platform when it is admitted, and again where that can help."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

import structlog
from django.conf import settings

from diagnosis import metrics
from diagnosis.choices import FailureReason
from diagnosis.exceptions import CallFailed, CallRefused
from diagnosis.models import Platform
from diagnosis.platforms.client import CallProgress, PlatformCall
from diagnosis.platforms.limits import get_platform_limits, get_row_limits
from diagnosis.replies import PlatformReply
from diagnosis.running.admission import Admission, AdmittedCall, Call
from diagnosis.running.results import CallResult
from diagnosis.spending.pricing import get_usage
from errors import retry
from errors.codes import ERROR_SPECS
from errors.recording import record_error

log = structlog.get_logger(__name__)


async def call_with_retries(
    admission: Admission,
    call: Call,
    finish: Callable[[CallResult], Awaitable[None]],
    *,
    deadline: float,
    get_progress: Callable[[], CallProgress] = CallProgress,
    save_progress: Callable[[CallProgress], Awaitable[None]] | None = None,
) -> None:
    """Make the call, retry it where that can help, and pass the result to `finish` before its slot is free again.

    deadline: by the clock of the event loop. Until then a call that the platform refused for its rate is repeated;
    other failures are retried up to settings.CALL_ATTEMPTS times. get_progress: the steps of an earlier run.
    save_progress: called before each further step. Raises CallNoLongerNeeded, and what the callbacks raise.
    """
    get_platform_limits(call.platform_id).retry_budget.record_call()
    attempts, failures = 0, list[CallFailed]()
    steps: PlatformCall | None = None
    while True:
        try:
            async with admission.admit(call) as admitted:
                steps = steps or PlatformCall(admitted.platform, call.text, get_progress())
                result = await _attempt(admission, admitted, steps, call.seed, attempts)
                attempts = result.attempts
                if result.failure:
                    failures.append(result.failure)
                if not result.reply and not result.failure:
                    if save_progress:
                        await save_progress(steps.progress)
                    continue  # the protocol needs another request
                delay = await _get_retry_delay_seconds(admitted, failures, deadline) if result.failure else None
                if delay is None:
                    _record_final_result(admitted.platform, result, failures)
                    await finish(result)
                    return
        except CallRefused as refusal:
            await finish(CallResult(None, refusal, attempts, 0))
            return
        _record_call_failure(admitted.platform, failures[-1], attempts, "retried")
        await asyncio.sleep(delay)


async def call_once(admission: Admission, call: Call, *, timeout_seconds: float) -> PlatformReply:
    """Make a call without retries. Raises CallRefused if it must not be made, CallFailed if it gave no reply."""
    steps: PlatformCall | None = None
    while True:
        async with admission.admit(call) as admitted:
            steps = steps or PlatformCall(admitted.platform, call.text)
            reply = await _take_step(admission, admitted, steps, call.seed, timeout_seconds)
            if reply:
                return reply


async def _attempt(
    admission: Admission, admitted: AdmittedCall, steps: PlatformCall, seed: int, attempts: int
) -> CallResult:
    """Make one request and count it by its outcome. The result has neither reply nor failure if another must follow."""
    platform, reply, failure = admitted.platform, None, None
    demo = metrics.get_demo_label_value(is_demo=platform.is_demo)
    outcome = "cancelled"
    started = time.monotonic()
    try:
        timeout_seconds = platform.call_timeout_seconds
        reply = await _take_step(admission, admitted, steps, seed * 100 + attempts + 1, timeout_seconds)
        outcome = "valid"
    except CallFailed as failed:
        failure, outcome = failed, failed.reason.value
        log.warning("call_failed", platform=platform.pk, reason=outcome, detail=failed.detail)
    except Exception as error:
        outcome = FailureReason.BUG.value
        log.exception("call_crashed", platform=platform.pk)
        failure = CallFailed(FailureReason.BUG, type(error).__name__)
    finally:
        metrics.platform_calls.labels(platform=platform.pk, outcome=outcome, demo=demo).inc()
        metrics.platform_call_seconds.labels(platform=platform.pk, demo=demo).observe(time.monotonic() - started)
    return CallResult(reply, failure, attempts + 1, max(1, int((time.monotonic() - started) * 1000)))


async def _take_step(
    admission: Admission, admitted: AdmittedCall, steps: PlatformCall, seed: int, timeout_seconds: float
) -> PlatformReply | None:
    """Make one request, settle it, and adapt the platform's limits to its outcome."""
    steps.platform = admitted.platform
    row_limits = get_row_limits(admitted.platform)
    try:
        reply = await steps.take_step(seed=seed, timeout_seconds=timeout_seconds)
    except CallFailed as failure:
        admission.settle(admitted, get_usage(failure))
        if failure.is_refused_for_rate:
            await admitted.limits.report_refusal(admitted.slot, row_limits, failure.wait_seconds)
        raise
    admission.settle(admitted, steps.usage)
    await admitted.limits.report_success(admitted.slot, row_limits)
    return reply


async def _get_retry_delay_seconds(
    admitted: AdmittedCall, failures: Sequence[CallFailed], deadline: float
) -> float | None:
    """Return after how many seconds to call again; None if not."""
    failure, limits = failures[-1], admitted.limits
    if not failure.is_retryable:
        return None
    if failure.is_refused_for_rate:
        # The cool-down of the platform, which `admit` waits for, bounds these; they do not count as attempts.
        cool_down = await limits.get_cool_down_seconds()
        seconds_left = deadline - asyncio.get_running_loop().time()
        return 0.0 if cool_down + admitted.platform.typical_seconds < seconds_left else None
    attempts = sum(not earlier.is_refused_for_rate for earlier in failures)
    max_attempts = min(settings.CALL_ATTEMPTS, ERROR_SPECS[failure.code].retry.attempts)
    if attempts >= max_attempts or not limits.retry_budget.try_acquire():
        return None
    return retry.get_backoff_seconds(ERROR_SPECS[failure.code].retry, attempts)


def _record_final_result(platform: Platform, result: CallResult, failures: Sequence[CallFailed]) -> None:
    if failures:
        outcome = "shown" if result.failure else "recovered"
        _record_call_failure(platform, failures[-1], result.attempts, outcome)


def _record_call_failure(platform: Platform, failure: CallFailed, attempts: int, outcome: str) -> None:
    context = {"reason": failure.reason.value, "attempts": attempts}
    record_error(
        failure.code, error=failure, outcome=outcome, platform=platform.pk, place="platform_call", context=context
    )
