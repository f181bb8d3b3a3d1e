"""What each platform bears, across all diagnoses of this process, and with Redis of all processes."""

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
    """At most `concurrency` calls at once and `requests_per_minute` a minute, and few retries when much fails."""

    def __init__(self, platform: Platform) -> None:
        self.configured_limits = (platform.concurrency, platform.requests_per_minute)
        self.retry_budget = RetryBudget()
        name, redis_url = f"platform:{platform.pk}", settings.REDIS_URL
        self._concurrency = ConcurrencyController(platform.concurrency, name=name, redis_url=redis_url)
        self._rate = RateLimiter(platform.requests_per_minute, 60, key=name, redis_url=redis_url)

    async def execute(self, call: Coroutine[Any, Any, T]) -> T:
        """Await the call when the platform has room for it."""
        try:
            return await self._concurrency.execute(self._rate.execute(call), task_name="platform_call")
        finally:
            call.close()  # its turn may never have come


_limits_by_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, PlatformLimits]] = WeakKeyDictionary()


def get_platform_limits(platform: Platform) -> PlatformLimits:
    """The platform's limits in this event loop; made anew when an operator has changed its numbers."""
    loop_limits = _limits_by_loop.setdefault(asyncio.get_running_loop(), {})
    limits = loop_limits.get(platform.pk)
    if limits is None or limits.configured_limits != (platform.concurrency, platform.requests_per_minute):
        limits = loop_limits[platform.pk] = PlatformLimits(platform)
    return limits
