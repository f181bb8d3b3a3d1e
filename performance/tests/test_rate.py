"""Rate limits: the window, waiting, and behaviour without Redis."""

import asyncio
from typing import Any

import pytest

from performance.exceptions import RateLimitExceeded
from performance.rate import RateLimiter
from testing.services import RedisServer


async def test_execute_returns_the_result() -> None:
    limiter = RateLimiter(max_requests=60, time_window=60)
    assert await limiter.execute(asyncio.sleep(0, "done")) == "done"


@pytest.mark.usefixtures("well_inside_a_minute")
async def test_a_rejection_carries_the_time_to_wait_and_affects_one_key_only() -> None:
    limiter = RateLimiter(2, 60, key="calls")
    await limiter.check("user-1")
    await limiter.check("user-1")
    with pytest.raises(RateLimitExceeded) as rejection:
        await limiter.check("user-1")
    assert 0 < rejection.value.retry_after_seconds <= 120  # a sliding counter spans two windows
    await limiter.check("user-2")


async def test_waiting_calls_run_when_the_window_has_moved() -> None:
    limiter = RateLimiter(2, 1)
    await asyncio.wait_for(asyncio.gather(*(limiter.execute(asyncio.sleep(0)) for _ in range(4))), 30)


@pytest.mark.usefixtures("well_inside_a_minute")
async def test_a_cancelled_wait_closes_the_coroutine() -> None:
    limiter = RateLimiter(1, 60)
    await limiter.wait()
    coroutine: Any = asyncio.sleep(0)
    waiting = asyncio.create_task(limiter.execute(coroutine))
    await asyncio.sleep(0.01)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert coroutine.cr_frame is None


@pytest.mark.redis
async def test_processes_share_a_window(redis_server: RedisServer) -> None:
    first, second = (RateLimiter(3, 60, key="shared", redis_url=redis_server.url) for _ in range(2))
    for limiter in (first, second, first):
        await limiter.check("user")
    with pytest.raises(RateLimitExceeded):
        await second.check("user")


@pytest.mark.redis
async def test_without_redis_an_open_limit_applies_per_process_and_a_closed_limit_rejects_all(
    redis_server: RedisServer,
) -> None:
    open_limit = RateLimiter(2, 60, key="open", redis_url=redis_server.url)
    closed_limit = RateLimiter(2, 60, key="closed", redis_url=redis_server.url, on_redis_failure="closed")
    redis_server.stop()
    await open_limit.check("user")
    await open_limit.check("user")
    for limit in (open_limit, closed_limit):
        with pytest.raises(RateLimitExceeded):
            await limit.check("user")


def test_limits_below_one_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        RateLimiter(0, 60)
