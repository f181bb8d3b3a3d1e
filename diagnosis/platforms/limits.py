"""Limits of each platform, shared by all diagnoses of this process; with Redis, of all processes."""

import asyncio
import time
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from django.conf import settings

from diagnosis.models import Platform
from errors.retry import RetryBudget
from performance.call_limits import CallLimits, Limits, load_shared_adaptation


class PlatformLimits(CallLimits):
    """Limits and retry budget of a platform. The numbers are those of the row that each decision passes."""

    def __init__(self, platform_id: str) -> None:
        super().__init__(get_limits_name(platform_id), settings.REDIS_URL)
        self.retry_budget = RetryBudget()


def get_limits_name(platform_id: str) -> str:
    """Return the name under which processes share the limits of a platform."""
    return f"platform:{platform_id}"


def get_row_limits(platform: Platform) -> Limits:
    """Return the limits of a platform's row, with the share that the calls of one account may take."""
    return Limits(platform.concurrency, platform.requests_per_minute, settings.PLATFORM_SHARE_PER_OWNER)


def get_owner_limits(platform: Platform) -> Limits:
    """Return what the calls of one account may take of a platform's limits."""
    limits = get_row_limits(platform)
    return Limits(limits.get_group_maximum(limits.max_concurrent), limits.get_group_maximum(limits.max_per_minute))


_limits_by_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, PlatformLimits]] = WeakKeyDictionary()


def get_platform_limits(platform_id: str) -> PlatformLimits:
    """Return the limits of a platform in this event loop."""
    loop = asyncio.get_running_loop()
    if loop not in _limits_by_loop:
        for other in [other for other in _limits_by_loop if other.is_closed()]:  # limits refer to their loop
            _limits_by_loop.pop(other, None)
    loop_limits = _limits_by_loop.setdefault(loop, {})
    if platform_id not in loop_limits:
        loop_limits[platform_id] = PlatformLimits(platform_id)
    return loop_limits[platform_id]


@dataclass(frozen=True)
class LoweredLimits:
    """Limits of a platform that refused calls. cool_down_seconds: for which no call begins."""

    max_concurrent: int
    calls_per_minute: float
    cool_down_seconds: float


def load_lowered_limits(platform: Platform) -> LoweredLimits | None:
    """Return the present limits if they are below those of the row: of all processes, or without Redis of this one.

    Raises one of REDIS_UNAVAILABLE_ERRORS.
    """
    if settings.REDIS_URL:
        now, adaptation = time.time(), load_shared_adaptation(get_limits_name(platform.pk), settings.REDIS_URL)
    else:
        now = time.monotonic()
        open_loops = [limits for loop, limits in list(_limits_by_loop.items()) if not loop.is_closed()]
        loops = [limits[platform.pk] for limits in open_loops if platform.pk in limits]
        adaptations = [limits.local_adaptation for limits in loops if limits.local_adaptation]
        adaptation = min(adaptations, key=lambda one: one.concurrency, default=None)
    if adaptation is None:
        return None
    return LoweredLimits(
        min(int(adaptation.concurrency), platform.concurrency),
        60 * adaptation.calls_per_second,
        max(0.0, adaptation.until - now),
    )
