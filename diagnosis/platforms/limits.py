"""Limits of each platform, shared by all diagnoses of this process; with Redis, of all processes."""

import asyncio
from weakref import WeakKeyDictionary

from django.conf import settings

from diagnosis.models import Platform
from errors.retry import RetryBudget
from performance.call_limits import CallLimits, Limits


class PlatformLimits(CallLimits):
    """Limits and retry budget of a platform. The numbers are those of the row that each decision passes."""

    def __init__(self, platform_id: str) -> None:
        super().__init__(get_limits_name(platform_id), settings.REDIS_URL)
        self.retry_budget = RetryBudget()


def get_limits_name(platform_id: str) -> str:
    """Return the name under which processes share the limits of a platform."""
    return f"platform:{platform_id}"


def get_row_limits(platform: Platform) -> Limits:
    """Return the limits of a platform's row."""
    return Limits(platform.concurrency, platform.requests_per_minute)


_limits_by_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, PlatformLimits]] = WeakKeyDictionary()


def get_platform_limits(platform_id: str) -> PlatformLimits:
    """Return the limits of a platform in this event loop."""
    loop_limits = _limits_by_loop.setdefault(asyncio.get_running_loop(), {})
    if platform_id not in loop_limits:
        loop_limits[platform_id] = PlatformLimits(platform_id)
    return loop_limits[platform_id]
