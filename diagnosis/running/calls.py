"""One planned answer: ask within the platform's limits, and ask again where that can help."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import structlog
from django.conf import settings

from diagnosis import metrics
from diagnosis.choices import FailureReason
from diagnosis.exceptions import CallFailed, CallNoLongerNeeded
from diagnosis.models import Platform
from diagnosis.platforms.limits import get_platform_limits
from diagnosis.platforms.openai_client import PlatformReply, ask_platform
from errors import retry
from errors.codes import ERROR_SPECS
from errors.recording import record_error

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class CallResult:
    """How a planned answer ended: with a reply, or with the failure that was the last.

    attempts: calls that were made; milliseconds: how long the last of them took.
    """

    reply: PlatformReply | None
    failure: CallFailed | None
    attempts: int
    milliseconds: int


async def is_always_needed() -> bool:
    """For calls that nobody else may have made."""
    return True


async def call_with_retries(
    platform: Platform,
    question: str,
    *,
    seed: int,
    get_pause_reason: Callable[[], FailureReason | None],
    is_still_needed: Callable[[], Awaitable[bool]] = is_always_needed,
) -> CallResult:
    """Ask up to settings.CALL_ATTEMPTS times. Raises nothing but CallNoLongerNeeded; the run's deadline bounds it.

    seed: the attempt's number is added to it, so that a failing demo call can succeed later.
    is_paused: why the platform must not be called now, if so; is_tracked: whether it is to be called at all. Both are
    asked when the call's turn comes.
    """
    limits, attempts = get_platform_limits(platform), 0
    limits.retry_budget.record_call()
    last_failure: CallFailed | None = None
    while True:
        result = await limits.execute(
            _attempt_if_needed(is_still_needed, platform, question, seed, attempts, get_pause_reason)
        )
        attempts += 1
        if result.failure is None or not _can_retry(result.failure, attempts) or not limits.retry_budget.try_acquire():
            _record_final_failure(platform, result, last_failure)
            return result
        last_failure = result.failure
        _record_call_failure(platform, last_failure, attempts, "retried")
        await asyncio.sleep(get_call_retry_delay_seconds(last_failure, attempts))


def _can_retry(failure: CallFailed, attempts: int) -> bool:
    max_attempts = min(settings.CALL_ATTEMPTS, ERROR_SPECS[failure.code].retry.attempts)
    return failure.is_retryable and attempts < max_attempts


def get_call_retry_delay_seconds(failure: CallFailed, attempts: int) -> float:
    """Full jitter, but never before the platform's own Retry-After."""
    return retry.get_backoff_seconds(ERROR_SPECS[failure.code].retry, attempts, failure.wait_seconds or 0.0)


def _record_final_failure(platform: Platform, result: CallResult, earlier_failure: CallFailed | None) -> None:
    """The failure that stayed, or the one that a later attempt made good; not that a paused platform was left alone."""
    if result.failure and result.milliseconds:
        _record_call_failure(platform, result.failure, result.attempts, "shown")
    elif result.reply and earlier_failure:
        _record_call_failure(platform, earlier_failure, result.attempts, "recovered")


def _record_call_failure(platform: Platform, failure: CallFailed, attempts: int, outcome: str) -> None:
    context = {"reason": failure.reason.value, "attempts": attempts}
    record_error(
        failure.code, error=failure, outcome=outcome, platform=platform.pk, place="platform_call", context=context
    )


async def _attempt_if_needed(is_still_needed: Callable[[], Awaitable[bool]], *attempt_args: Any) -> CallResult:
    if not await is_still_needed():
        raise CallNoLongerNeeded
    return await _attempt(*attempt_args)


async def _attempt(
    platform: Platform, question: str, seed: int, attempts: int, get_pause_reason: Callable[[], FailureReason | None]
) -> CallResult:
    pause_reason = get_pause_reason()
    if pause_reason:
        return CallResult(None, CallFailed(pause_reason, "not called: the platform is paused"), attempts, 0)
    started = time.monotonic()
    reply, failure = None, None
    try:
        reply = await _call_platform(platform, question, seed * 100 + attempts + 1)
    except CallFailed as error:
        failure = error
    return CallResult(reply, failure, attempts + 1, int((time.monotonic() - started) * 1000))


async def _call_platform(platform: Platform, question: str, seed: int) -> PlatformReply:
    """One call, counted by its outcome."""
    demo = str(platform.is_demo).lower()
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
