"""Concurrency and rate limits of platforms across diagnoses and processes."""

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser

from diagnosis.choices import AnswerState, DiagnosisStatus, FailureReason
from diagnosis.models import Answer, Platform
from diagnosis.platforms.limits import PlatformLimits, get_platform_limits
from diagnosis.running.calls import call_with_retries
from testing.data.diagnoses import API_KEY_VARIABLE, make_diagnosis, make_platform, run_diagnoses
from testing.fakes.platform import Exchange, FakePlatform, hold_response, respond_with_answer
from testing.services import RedisServer, get_load_factor

SIX = [f"问题 {number}" for number in range(6)]


def _unsaved(fake: FakePlatform, pk: str = "p", **columns: Any) -> Platform:
    row = {"model": pk, "key_variable": API_KEY_VARIABLE, "base_url": fake.base_url, "requests_per_minute": 100_000}
    return Platform(pk=pk, **(row | columns))


@pytest.mark.django_db(transaction=True)
def test_concurrent_diagnoses_share_the_concurrency_limit(owner: AbstractUser, fake: FakePlatform) -> None:
    most = {"narrow": 2, "wide": 5}

    async def wait_for_the_others(exchange: Exchange) -> None:
        async with asyncio.timeout(30):
            while fake.max_in_flight[exchange.call.model] < most[exchange.call.model]:
                await asyncio.sleep(0.02)
        await respond_with_answer(delay_seconds=0.1)(exchange)  # one too many would be seen

    fake.set_behaviour(wait_for_the_others)
    narrow = make_platform("narrow", base_url=fake.base_url, concurrency=2)
    wide = make_platform("wide", base_url=fake.base_url, concurrency=5)
    diagnoses = [make_diagnosis(owner, [narrow, wide], questions=SIX) for _ in range(3)]
    assert {ended.status for ended in run_diagnoses(*diagnoses)} == {DiagnosisStatus.COMPLETED}
    assert fake.max_in_flight == most


async def test_hanging_platform_does_not_delay_others(fake: FakePlatform) -> None:
    fake.set_behaviour(hold_response(), model="slow")
    slow = [
        asyncio.ensure_future(call_with_retries(_unsaved(fake, "slow", concurrency=1), text, seed=1)) for text in SIX
    ]
    quick = [call_with_retries(_unsaved(fake, "quick"), text, seed=1) for text in SIX]
    assert all(outcome.reply for outcome in await asyncio.gather(*quick))
    assert not any(task.done() for task in slow)
    fake.release()
    assert all(outcome.reply for outcome in await asyncio.gather(*slow))
    assert fake.max_in_flight["slow"] == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("well_inside_a_minute")
def test_concurrent_diagnoses_share_the_rate_limit(owner: AbstractUser, fake: FakePlatform, settings: Any) -> None:
    settings.DIAGNOSIS_TIMEOUT_SECONDS = 3 * get_load_factor()
    slow = make_platform("slow", base_url=fake.base_url, requests_per_minute=4)
    quick = make_platform("quick", base_url=fake.base_url)
    run_diagnoses(*(make_diagnosis(owner, [slow, quick], questions=SIX[:3]) for _ in range(2)))
    assert (fake.count(model="slow"), fake.count(model="quick")) == (4, 6)
    waiting = Answer.objects.filter(state=AnswerState.FAILED)
    assert [(stored.platform_id, stored.reason) for stored in waiting] == [("slow", FailureReason.DEADLINE)] * 2


async def test_changed_limits_apply_at_once(fake: FakePlatform) -> None:
    before = get_platform_limits(_unsaved(fake, concurrency=1))
    assert get_platform_limits(_unsaved(fake, concurrency=1)) is before
    after = get_platform_limits(_unsaved(fake, concurrency=2))
    assert after is not before
    assert after.configured_limits == (2, 100_000)


@pytest.mark.redis
def test_processes_share_the_rate_limit_through_redis(
    fake: FakePlatform, settings: Any, redis_server: RedisServer
) -> None:
    settings.REDIS_URL = redis_server.url
    platform = _unsaved(fake, requests_per_minute=4)

    async def ask_until(enough: int) -> int:
        """Make three concurrent calls; returns how many are still waiting a second after the first were answered."""
        waiting = {asyncio.ensure_future(call_with_retries(platform, text, seed=1)) for text in SIX[:3]}
        while len(waiting) > 3 - enough:
            _done, waiting = await asyncio.wait(waiting, timeout=30, return_when=asyncio.FIRST_COMPLETED)
        if waiting:
            _done, waiting = await asyncio.wait(waiting, timeout=1)
        for task in waiting:
            task.cancel()
        return len(waiting)

    # Separate event loops share as little as separate processes do.
    assert asyncio.run(ask_until(3)) == 0
    assert asyncio.run(ask_until(1)) == 2
    assert fake.count() == 4


@pytest.mark.redis
async def test_platforms_are_called_while_redis_is_unavailable(
    fake: FakePlatform, settings: Any, redis_server: RedisServer
) -> None:
    settings.REDIS_URL = redis_server.url
    platform = _unsaved(fake)
    changes: list[Callable[[], None]] = [lambda: None, redis_server.stop, redis_server.start]
    for change in changes:
        change()
        assert (await call_with_retries(platform, "问", seed=1)).reply


async def test_call_cancelled_while_waiting_is_closed() -> None:
    limits = PlatformLimits(Platform(pk="p", concurrency=1, requests_per_minute=60))
    first = asyncio.ensure_future(limits.execute(asyncio.sleep(60)))
    call = asyncio.sleep(0)
    waiting = asyncio.ensure_future(limits.execute(call))
    await asyncio.sleep(0)
    for task in (waiting, first):
        task.cancel()
    await asyncio.gather(first, waiting, return_exceptions=True)
    assert inspect.getcoroutinestate(call) == inspect.CORO_CLOSED
