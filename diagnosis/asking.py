"""One planned answer: ask within the platform's limits, and ask again where that can help."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import structlog
from django.conf import settings

from diagnosis import metrics
from diagnosis.choices import Reason
from diagnosis.client import Reply, ask
from diagnosis.exceptions import CallFailed, NotWanted
from diagnosis.limits import limits_of
from diagnosis.models import Platform
from errors import retry
from errors.codes import SPECS
from errors.recording import record

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Outcome:
    """How a planned answer ended: with a reply, or with the failure that was the last.

    attempts: calls that were made; milliseconds: how long the last of them took.
    """

    reply: Reply | None
    failure: CallFailed | None
    attempts: int
    milliseconds: int


async def always() -> bool:
    """For calls that nobody else may have made."""
    return True


async def ask_until_settled(
    platform: Platform,
    question: str,
    *,
    seed: int,
    is_paused: Callable[[], Reason | None],
    is_wanted: Callable[[], Awaitable[bool]] = always,
) -> Outcome:
    """Ask up to settings.CALL_ATTEMPTS times. Raises nothing but NotWanted; the run's deadline bounds it.

    seed: the attempt's number is added to it, so that a failing demo call can succeed later.
    is_paused: why the platform must not be called now, if so; is_wanted: whether it is to be called at all. Both are
    asked when the call's turn comes.
    """
    limits, number = limits_of(platform), 0
    limits.retries.count_call()
    last: CallFailed | None = None
    while True:
        outcome = await limits.execute(_attempt_if(is_wanted, platform, question, seed, number, is_paused))
        number += 1
        if outcome.failure is None or not _may_try_again(outcome.failure, number) or not limits.retries.take():
            _record(platform, outcome, last)
            return outcome
        last = outcome.failure
        _record_call(platform, last, number, "retried")
        await asyncio.sleep(seconds_until_next(last, number))


def _may_try_again(failure: CallFailed, attempts: int) -> bool:
    most = min(settings.CALL_ATTEMPTS, SPECS[failure.code].retry.attempts)
    return failure.is_retryable and attempts < most


def seconds_until_next(failure: CallFailed, attempts: int) -> float:
    """Full jitter, but never before the platform's own Retry-After."""
    return retry.seconds_until_next(SPECS[failure.code].retry, attempts, failure.wait_seconds or 0.0)


def _record(platform: Platform, outcome: Outcome, before: CallFailed | None) -> None:
    """The failure that stayed, or the one that a later attempt made good; not that a paused platform was left alone."""
    if outcome.failure and outcome.milliseconds:
        _record_call(platform, outcome.failure, outcome.attempts, "shown")
    elif outcome.reply and before:
        _record_call(platform, before, outcome.attempts, "recovered")


def _record_call(platform: Platform, failure: CallFailed, attempts: int, outcome: str) -> None:
    context = {"reason": failure.reason.value, "attempts": attempts}
    record(failure.code, error=failure, outcome=outcome, platform=platform.pk, place="platform_call", context=context)


async def _attempt_if(is_wanted: Callable[[], Awaitable[bool]], *attempt: Any) -> Outcome:
    if not await is_wanted():
        raise NotWanted
    return await _attempt(*attempt)


async def _attempt(
    platform: Platform, question: str, seed: int, made: int, is_paused: Callable[[], Reason | None]
) -> Outcome:
    pause = is_paused()
    if pause:
        return Outcome(None, CallFailed(pause, "not called: the platform is paused"), made, 0)
    started = time.monotonic()
    reply, failure = None, None
    try:
        reply = await _call(platform, question, seed * 100 + made + 1)
    except CallFailed as error:
        failure = error
    return Outcome(reply, failure, made + 1, int((time.monotonic() - started) * 1000))


async def _call(platform: Platform, question: str, seed: int) -> Reply:
    """One call, counted by its outcome."""
    demo = str(platform.is_demo).lower()
    outcome = Reason.BUG.value
    started = time.monotonic()
    try:
        reply = await ask(platform, question, seed=seed, timeout_seconds=settings.CALL_TIMEOUT_SECONDS)
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
        raise CallFailed(Reason.BUG, type(error).__name__) from error
    finally:
        metrics.calls.labels(platform=platform.pk, outcome=outcome, demo=demo).inc()
        metrics.call_seconds.labels(platform=platform.pk, demo=demo).observe(time.monotonic() - started)
    return reply
