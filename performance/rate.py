"""Rate limits over a sliding window, in memory or, when several processes share the limit, in Redis."""

import asyncio
import random
import time
from collections.abc import Coroutine
from typing import Any, Literal, TypeVar

from limits import RateLimitItemPerSecond
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from limits.errors import StorageError

from performance.exceptions import RateLimitExceeded
from performance.metrics import limit_wait_seconds
from performance.redis_clients import create_async_redis
from performance.redis_outage import redis_outage

T = TypeVar("T")

rate_wait_seconds = limit_wait_seconds.labels("rate")


class RateLimiter:
    """Allow at most `max_requests` calls per `time_window` seconds, for each key separately.

    on_redis_failure: while Redis is unavailable, "open" applies the limit in each process on its own, for limits that
    may be exceeded briefly; "closed" rejects every call, for limits that must never be exceeded.
    """

    def __init__(
        self,
        max_requests: int = 60,
        time_window: int = 60,
        *,
        key: str = "",
        redis_url: str = "",
        on_redis_failure: Literal["open", "closed"] = "open",
    ) -> None:
        if max_requests < 1 or time_window < 1:
            raise ValueError("max_requests and time_window must be at least 1")
        self.key = key
        self.on_redis_failure = on_redis_failure
        self._limit = RateLimitItemPerSecond(max_requests, time_window)
        self._local_window = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._shared_window = self._local_window
        if redis_url:
            client = create_async_redis(redis_url, socket_connect_timeout=1, socket_timeout=1)
            storage = RedisStorage(
                "async+redis://",
                implementation="redispy",
                wrap_exceptions=True,
                connection_pool=client.connection_pool,  # type: ignore[arg-type] # as documented
            )
            self._shared_window = SlidingWindowCounterRateLimiter(storage)

    async def execute(self, coro: Coroutine[Any, Any, T]) -> T:
        """Await `coro` when the window allows another call, and return its result."""
        try:
            await self.wait()
        except BaseException:
            coro.close()
            raise
        return await coro

    async def wait(self) -> None:
        """Wait until the window allows another call, and count it. The caller limits the wait by its own deadline."""
        with rate_wait_seconds.time():
            while seconds := await self._try_acquire(self.key):  # noqa: ASYNC110 - there is no event to wait for
                # Jitter, or all waiting callers would retry at the same moment.
                await asyncio.sleep(max(0.05, min(1.0, seconds)) * random.uniform(0.5, 1.0))

    async def check(self, key: str) -> None:
        """Count a call of a key (a user, an address), or raise RateLimitExceeded with the seconds to wait."""
        seconds = await self._try_acquire(f"{self.key}:{key}")
        if seconds:
            raise RateLimitExceeded(f"{self.key}: too many calls", seconds)

    async def _try_acquire(self, key: str) -> float:
        """Count the call and return 0, or return the seconds after which to try again."""
        try:
            return await self._try_acquire_in(self._shared_window, key)
        except StorageError as error:
            redis_outage.report_failure("rate limits", error.storage_error)
            return 1.0 if self.on_redis_failure == "closed" else await self._try_acquire_in(self._local_window, key)

    async def _try_acquire_in(self, window: SlidingWindowCounterRateLimiter, key: str) -> float:
        if await window.hit(self._limit, key):
            return 0.0
        reset_time = (await window.get_window_stats(self._limit, key)).reset_time
        return max(0.05, reset_time - time.time())
