"""Concurrency and rate limits of platforms across diagnoses and processes, and their changes while calls wait."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser

from diagnosis.choices import AnswerState, DiagnosisStatus, FailureReason
from diagnosis.models import Answer, Platform
from diagnosis.platforms.limits import LoweredLimits, load_lowered_limits
from diagnosis.running.admission import forget_platform
from testing.data.calls import call_platform
from testing.data.diagnoses import make_diagnosis, make_platform, run_diagnoses
from testing.fakes.platform import Exchange, FakePlatform, hold_response, respond_with_answer, respond_with_error
from testing.services import RedisServer, get_load_factor

pytestmark = pytest.mark.django_db(transaction=True)

SIX = [f"问题 {number}" for number in range(6)]


def test_concurrent_diagnoses_share_the_concurrency_limit(
    owner: AbstractUser, fake: FakePlatform, settings: Any
) -> None:
    settings.PLATFORM_SHARE_PER_OWNER = 1
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


def test_hanging_platform_does_not_delay_others(fake: FakePlatform) -> None:
    fake.set_behaviour(hold_response(), model="slow")
    slow_platform = make_platform("slow", base_url=fake.base_url, concurrency=1)
    quick_platform = make_platform("quick", base_url=fake.base_url)

    async def call_both() -> None:
        slow = [asyncio.create_task(call_platform(slow_platform, text)) for text in SIX]
        quick = [call_platform(quick_platform, text) for text in SIX]
        assert all(result.reply for result in await asyncio.gather(*quick))
        assert not any(task.done() for task in slow)
        fake.release()
        assert all(result.reply for result in await asyncio.gather(*slow))

    asyncio.run(call_both())
    assert fake.max_in_flight["slow"] == 1


def test_concurrent_diagnoses_share_the_rate_limit(owner: AbstractUser, fake: FakePlatform, settings: Any) -> None:
    settings.DIAGNOSIS_TIMEOUT_SECONDS, settings.PLATFORM_SHARE_PER_OWNER = 3 * get_load_factor(), 1
    slow = make_platform("slow", base_url=fake.base_url, requests_per_minute=4)
    quick = make_platform("quick", base_url=fake.base_url)
    run_diagnoses(*(make_diagnosis(owner, [slow, quick], questions=SIX[:3]) for _ in range(2)))
    assert (fake.count(model="slow"), fake.count(model="quick")) == (4, 6)
    waiting = Answer.objects.filter(state=AnswerState.FAILED)
    assert [(stored.platform_id, stored.reason) for stored in waiting] == [("slow", FailureReason.DEADLINE)] * 2


@pytest.mark.parametrize(("column", "before", "after"), [("concurrency", 1, 3), ("requests_per_minute", 1, 3)])
def test_a_raised_limit_applies_to_waiting_calls(fake: FakePlatform, column: str, before: int, after: int) -> None:
    fake.set_behaviour(hold_response())
    platform = make_platform(base_url=fake.base_url)
    Platform.objects.update(**{column: before})

    async def call_and_raise() -> None:
        calls = [asyncio.create_task(call_platform(platform, text)) for text in SIX]
        await asyncio.to_thread(fake.wait_for_calls, before)
        await Platform.objects.aupdate(**{column: after})
        await asyncio.to_thread(fake.wait_for_calls, after, seconds=10)
        await asyncio.sleep(0.3)  # one too many would be seen
        assert fake.count() == after
        for call in calls:
            call.cancel()
        await asyncio.wait(calls)

    asyncio.run(call_and_raise())


def test_runs_with_an_old_and_a_new_limit_use_the_newest(owner: AbstractUser, fake: FakePlatform) -> None:
    platform = make_platform(base_url=fake.base_url, concurrency=5)
    fake.set_behaviour(hold_response())

    async def run_both() -> None:
        calls = [asyncio.create_task(call_platform(platform, text)) for text in SIX]
        await asyncio.to_thread(fake.wait_for_calls, 5)
        await Platform.objects.aupdate(concurrency=2)
        forget_platform(platform.pk)  # or the edit would apply a quarter of a second later
        fake.set_behaviour(respond_with_answer(delay_seconds=0.1))
        fake.max_in_flight.clear()
        fake.release()
        edited = await Platform.objects.aget()
        calls += [asyncio.create_task(call_platform(row, text)) for row in (platform, edited) for text in SIX]
        assert all(result.reply for result in await asyncio.gather(*calls))

    asyncio.run(run_both())
    later = sorted(call.started_at for call in fake.calls[5:])
    assert len(later) == 13
    ends = [call.ended_at for call in fake.calls]
    for call in fake.calls[5:]:
        open_calls = [
            other
            for other, ended_at in zip(fake.calls, ends, strict=True)
            if ended_at and other.started_at <= call.started_at < ended_at
        ]
        assert len(open_calls) <= 2


@pytest.mark.redis
@pytest.mark.parametrize("uses_redis", [False, True])
def test_a_refusal_for_rate_holds_every_call_and_all_answers_arrive(
    fake: FakePlatform, settings: Any, redis_server: RedisServer, uses_redis: bool
) -> None:
    settings.REDIS_URL = redis_server.url if uses_redis else ""
    accepted: list[float] = []

    async def handle_ten_per_second(exchange: Exchange) -> None:
        now = asyncio.get_running_loop().time()
        if sum(at > now - 1 for at in accepted) >= 10:
            await respond_with_error(429, {}, {"Retry-After": "1"})(exchange)
        else:
            accepted.append(now)
            await respond_with_answer(delay_seconds=0.02)(exchange)

    fake.set_behaviour(handle_ten_per_second)
    platform = make_platform(base_url=fake.base_url, concurrency=10)

    async def call_all() -> list[bool]:
        results = await asyncio.gather(*(call_platform(platform, f"问 {n}", seconds=600) for n in range(40)))
        return [result.reply is not None for result in results]

    assert all(asyncio.run(call_all()))
    assert fake.count() <= 40 + 14


@pytest.mark.redis
@pytest.mark.parametrize("uses_redis", [False, True])
def test_lowered_limits_can_be_shown(
    fake: FakePlatform, settings: Any, redis_server: RedisServer, uses_redis: bool
) -> None:
    settings.REDIS_URL = redis_server.url if uses_redis else ""
    fake.set_behaviour(respond_with_error(429, {}, {"Retry-After": "50"}))
    platform = make_platform(base_url=fake.base_url, concurrency=8)

    async def be_refused() -> LoweredLimits | None:
        assert load_lowered_limits(platform) is None
        assert (await call_platform(platform, seconds=20)).failure
        return load_lowered_limits(platform)

    lowered = asyncio.run(be_refused())
    assert lowered
    assert lowered.max_concurrent == 4
    assert 40 < lowered.cool_down_seconds <= 50


@pytest.mark.redis
def test_processes_share_the_rate_limit_through_redis(
    fake: FakePlatform, settings: Any, redis_server: RedisServer
) -> None:
    settings.REDIS_URL = redis_server.url
    platform = make_platform(base_url=fake.base_url, requests_per_minute=4)

    async def ask_until(enough: int) -> int:
        """Make three concurrent calls; returns how many are still waiting a second after the first were answered."""
        waiting = {asyncio.ensure_future(call_platform(platform, text)) for text in SIX[:3]}
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
def test_platforms_are_called_while_redis_is_unavailable(
    fake: FakePlatform, settings: Any, redis_server: RedisServer
) -> None:
    settings.REDIS_URL = redis_server.url
    platform = make_platform(base_url=fake.base_url)

    async def call_in_each_state() -> None:
        changes: list[Callable[[], None]] = [lambda: None, redis_server.stop, redis_server.start]
        for change in changes:
            change()
            assert (await call_platform(platform)).reply

    asyncio.run(call_in_each_state())
