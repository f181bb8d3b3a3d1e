"""Limits of each platform, shared by all diagnoses of this process; with Redis, of all processes."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from django.conf import settings

from diagnosis.models import Platform
from errors.retry import RetryBudget
from performance.concurrency import ConcurrencyController
from performance.rate import RateLimiter

T = TypeVar("T")


class PlatformLimits:
    """Concurrency limit, rate limit and retry budget of a platform."""

    def __init__(self, platform: Platform) -> None:
        self.configured_limits = (platform.concurrency, platform.requests_per_minute)
        self.retry_budget = RetryBudget()
        name, redis_url = f"platform:{platform.pk}", settings.REDIS_URL
        self._concurrency = ConcurrencyController(platform.concurrency, name=name, redis_url=redis_url)
        self._rate = RateLimiter(platform.requests_per_minute, 60, key=name, redis_url=redis_url)

    async def execute(self, call: Coroutine[Any, Any, T]) -> T:
        """Await the call once both limits allow it."""
        try:
            return await self._concurrency.execute(self._rate.execute(call), task_name="platform_call")
        finally:
            call.close()  # it may never have been awaited


_limits_by_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, PlatformLimits]] = WeakKeyDictionary()


def get_platform_limits(platform: Platform) -> PlatformLimits:
    """Return the platform's limits in this event loop; new ones after an operator has changed its settings."""
    loop_limits = _limits_by_loop.setdefault(asyncio.get_running_loop(), {})
    limits = loop_limits.get(platform.pk)
    if limits is None or limits.configured_limits != (platform.concurrency, platform.requests_per_minute):
        limits = loop_limits[platform.pk] = PlatformLimits(platform)
    return limits
