"""Call a platform within its limits, and retry where retrying can help."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog
from django.conf import settings

from diagnosis import metrics
from diagnosis.choices import FailureReason
from diagnosis.exceptions import CallFailed
from diagnosis.models import Platform
from diagnosis.platforms.client import ask_platform
from diagnosis.platforms.limits import get_platform_limits
from diagnosis.replies import PlatformReply
from errors import retry
from errors.codes import ERROR_SPECS
from errors.recording import record_error

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class CallResult:
    """Result of a call with its retries: the reply, or the last failure.

    attempts: number of attempts; milliseconds: duration of the last one, 0 if the platform was not called.
    """

    reply: PlatformReply | None
    failure: CallFailed | None
    attempts: int
    milliseconds: int


async def call_with_retries(
    platform: Platform, question: str, *, seed: int, check: Callable[[], Awaitable[None]] | None = None
) -> CallResult:
    """Call the platform up to settings.CALL_ATTEMPTS times. Only exceptions of `check` are raised; sets no deadline.

    seed: combined with the number of the attempt, so that a retried demo call can succeed.
    check: awaited before each attempt, when the platform has a free slot; CallFailed becomes the attempt's failure.
    """
    limits = get_platform_limits(platform)
    limits.retry_budget.record_call()
    attempts = 0
    earlier_failure: CallFailed | None = None
    while True:
        result = await limits.execute(_attempt(platform, question, seed, attempts, check))
        attempts += 1
        failure = result.failure
        if failure is None or not failure.is_retryable:
            break
        max_attempts = min(settings.CALL_ATTEMPTS, ERROR_SPECS[failure.code].retry.attempts)
        if attempts >= max_attempts or not limits.retry_budget.try_acquire():
            break
        _record_call_failure(platform, failure, attempts, "retried")
        earlier_failure = failure
        await asyncio.sleep(get_call_retry_delay_seconds(failure, attempts))
    if failure and result.milliseconds:  # a paused platform that was not called is no failed call
        _record_call_failure(platform, failure, result.attempts, "shown")
    elif result.reply and earlier_failure:
        _record_call_failure(platform, earlier_failure, result.attempts, "recovered")
    return result


def get_call_retry_delay_seconds(failure: CallFailed, attempts: int) -> float:
    """Return the delay before the next attempt: full jitter on top of the platform's own Retry-After."""
    return retry.get_backoff_seconds(ERROR_SPECS[failure.code].retry, attempts, failure.wait_seconds or 0.0)


def _record_call_failure(platform: Platform, failure: CallFailed, attempts: int, outcome: str) -> None:
    context = {"reason": failure.reason.value, "attempts": attempts}
    record_error(
        failure.code, error=failure, outcome=outcome, platform=platform.pk, place="platform_call", context=context
    )


async def _attempt(
    platform: Platform, question: str, seed: int, attempts: int, check: Callable[[], Awaitable[None]] | None
) -> CallResult:
    try:
        if check:
            await check()
    except CallFailed as failure:
        return CallResult(None, failure, attempts, 0)
    started = time.monotonic()
    reply, failed = None, None
    try:
        reply = await _call_platform(platform, question, seed * 100 + attempts + 1)
    except CallFailed as failure:
        failed = failure
    return CallResult(reply, failed, attempts + 1, int((time.monotonic() - started) * 1000))


async def _call_platform(platform: Platform, question: str, seed: int) -> PlatformReply:
    """Make one call and count it by its outcome. Raises only CallFailed and CancelledError."""
    demo = metrics.get_demo_label_value(is_demo=platform.is_demo)
    outcome = FailureReason.BUG.value
    started = time.monotonic()
    try:
        reply = await ask_platform(platform, question, seed=seed, timeout_seconds=settings.CALL_TIMEOUT_SECONDS)
        outcome = "valid"
    except CallFailed as failure:
        outcome = failure.reason.value
        log.warning("call_failed", platform=platform.pk, reason=outcome, detail=failure.detail)
        raise
    except asyncio.CancelledError:
        outcome = "cancelled"
        raise
    except Exception as error:
        log.exception("call_crashed", platform=platform.pk)
        raise CallFailed(FailureReason.BUG, type(error).__name__) from error
    finally:
        metrics.platform_calls.labels(platform=platform.pk, outcome=outcome, demo=demo).inc()
        metrics.platform_call_seconds.labels(platform=platform.pk, demo=demo).observe(time.monotonic() - started)
    return reply
