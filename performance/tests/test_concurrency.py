"""Concurrency limits: order, rejection, statistics, and slots shared by processes."""

import asyncio
from typing import Any

import pytest

from performance.concurrency import ConcurrencyController
from performance.exceptions import ConcurrencyLimitExceeded
from testing.services import RedisServer
from testing.workers.contention import run_contention


async def fail() -> None:
    raise ConnectionError


async def test_execute_returns_the_result() -> None:
    async def diagnose() -> str:
        return "done"

    controller = ConcurrencyController(max_concurrent=10)
    assert await controller.execute(diagnose(), task_name="diagnosis") == "done"


async def test_tasks_run_in_order_within_the_limit() -> None:
    controller, active, max_active, order = ConcurrencyController(3), 0, 0, []

    async def work(number: int) -> None:
        nonlocal active, max_active
        active += 1
        max_active = max(max_active, active)
        order.append(number)
        await asyncio.sleep(0)
        active -= 1

    await asyncio.gather(*(controller.execute(work(number)) for number in range(20)))
    assert (max_active, order) == (3, list(range(20)))


async def test_success_rate_is_none_until_a_task_has_ended() -> None:
    controller = ConcurrencyController(1)
    assert controller.statistics.success_rate is None
    await controller.execute(asyncio.sleep(0))
    with pytest.raises(ConnectionError):
        await controller.execute(fail())
    assert (controller.statistics.done, controller.statistics.failed) == (1, 1)
    assert controller.statistics.success_rate == 0.5


async def test_tasks_above_the_waiting_limit_are_rejected_with_the_time_to_wait() -> None:
    controller, release = ConcurrencyController(1, max_waiting=2), asyncio.Event()
    running = [asyncio.create_task(controller.execute(release.wait())) for _ in range(3)]
    await asyncio.sleep(0)
    assert (controller.statistics.active, controller.statistics.waiting) == (1, 2)
    coroutine: Any = asyncio.sleep(0)
    with pytest.raises(ConcurrencyLimitExceeded) as rejection:
        await controller.execute(coroutine)
    assert rejection.value.retry_after_seconds >= 1
    assert coroutine.cr_frame is None  # closed, so there is no warning about a coroutine never awaited
    release.set()
    await asyncio.gather(*running)
    assert controller.statistics.rejected == 1


async def test_a_cancelled_wait_takes_no_slot_and_closes_the_coroutine() -> None:
    controller, release = ConcurrencyController(1), asyncio.Event()
    first = asyncio.create_task(controller.execute(release.wait()))
    coroutine: Any = asyncio.sleep(0)
    waiting = asyncio.create_task(controller.execute(coroutine))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert coroutine.cr_frame is None
    release.set()
    await first
    await asyncio.wait_for(controller.execute(asyncio.sleep(0)), 5)


@pytest.mark.redis
async def test_processes_share_slots_and_slots_of_killed_processes_become_free(redis_server: RedisServer) -> None:
    result = await asyncio.to_thread(run_contention, redis_server.url, processes=4, tasks=50, slots=5, kills=2)
    assert result.max_concurrent <= 5
    assert result.completed_tasks >= 2 * 50


@pytest.mark.redis
async def test_the_limit_applies_per_process_without_redis(redis_server: RedisServer) -> None:
    controller = ConcurrencyController(2, name="test", redis_url=redis_server.url)
    await controller.execute(asyncio.sleep(0))
    redis_server.stop()
    await asyncio.gather(*(controller.execute(asyncio.sleep(0)) for _ in range(5)))
    assert controller.statistics.done == 6


def test_a_limit_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        ConcurrencyController(0)
