"""How much at once: the bound, the refusal, the statistics, and places that processes share."""

import asyncio
from typing import Any

import pytest

from performance.concurrency import ConcurrencyController
from performance.exceptions import ConcurrencyLimitExceeded
from testing.contention import run_contention
from testing.services import RedisServer


async def fail() -> None:
    raise ConnectionError


async def test_the_seeds_own_call_works() -> None:
    async def diagnose() -> str:
        return "done"

    controller = ConcurrencyController(max_concurrent=10)
    assert await controller.execute(diagnose(), task_name="diagnosis") == "done"


async def test_never_more_at_once_than_allowed_and_all_get_their_turn_in_order() -> None:
    controller, active, most, order = ConcurrencyController(3), 0, 0, []

    async def work(number: int) -> None:
        nonlocal active, most
        active += 1
        most = max(most, active)
        order.append(number)
        await asyncio.sleep(0)
        active -= 1

    await asyncio.gather(*(controller.execute(work(number)) for number in range(20)))
    assert (most, order) == (3, list(range(20)))


async def test_success_is_unknown_until_something_has_ended() -> None:
    controller = ConcurrencyController(1)
    assert controller.statistics.success_rate is None
    await controller.execute(asyncio.sleep(0))
    with pytest.raises(ConnectionError):
        await controller.execute(fail())
    assert (controller.statistics.done, controller.statistics.failed) == (1, 1)
    assert controller.statistics.success_rate == 0.5


async def test_who_finds_too_many_waiting_is_refused_with_how_long_to_wait() -> None:
    controller, release = ConcurrencyController(1, max_waiting=2), asyncio.Event()
    running = [asyncio.create_task(controller.execute(release.wait())) for _ in range(3)]
    await asyncio.sleep(0)
    assert (controller.statistics.active, controller.statistics.waiting) == (1, 2)
    coroutine: Any = asyncio.sleep(0)
    with pytest.raises(ConcurrencyLimitExceeded) as refusal:
        await controller.execute(coroutine)
    assert refusal.value.retry_after_seconds >= 1
    assert coroutine.cr_frame is None  # closed: nobody is left with a coroutine that was never awaited
    release.set()
    await asyncio.gather(*running)
    assert controller.statistics.rejected == 1


async def test_a_cancelled_wait_takes_no_place_and_leaves_no_coroutine() -> None:
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
async def test_processes_share_their_places_and_those_of_a_killed_one_come_back(redis_server: RedisServer) -> None:
    found = await asyncio.to_thread(run_contention, redis_server.url, processes=4, tasks=50, slots=5, kills=2)
    assert found.max_concurrent <= 5
    assert found.completed_tasks >= 2 * 50


@pytest.mark.redis
async def test_without_redis_each_process_keeps_to_the_bound_by_itself(redis_server: RedisServer) -> None:
    controller = ConcurrencyController(2, name="mine", redis_url=redis_server.url)
    await controller.execute(asyncio.sleep(0))
    redis_server.stop()
    await asyncio.gather(*(controller.execute(asyncio.sleep(0)) for _ in range(5)))
    assert controller.statistics.done == 6


def test_a_bound_of_nothing_is_no_bound() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        ConcurrencyController(0)
