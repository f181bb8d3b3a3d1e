"""Retries of calls: when, after which delay, and how often."""

import time
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser
from django.utils import timezone
from prometheus_client import REGISTRY

from diagnosis.choices import AnswerState, FailureReason
from diagnosis.exceptions import CallFailed
from diagnosis.models import Platform
from diagnosis.platforms.client import ask_platform
from diagnosis.replies import PlatformReply, Usage
from diagnosis.running import calls as calls_module
from diagnosis.running.calls import CallResult, call_with_retries, get_call_retry_delay_seconds
from progress.models import Event
from testing.data.diagnoses import API_KEY_VARIABLE, make_diagnosis, make_platform, run_diagnoses
from testing.fakes.platform import FakePlatform, respond_with_answer, respond_with_error

BUSY = respond_with_error(503)


@pytest.fixture
def platform(fake: FakePlatform) -> Platform:
    return Platform(
        pk="p", model="m", key_variable=API_KEY_VARIABLE, base_url=fake.base_url, requests_per_minute=100_000
    )


async def _call(platform: Platform) -> CallResult:
    return await call_with_retries(platform, "问", seed=1)


async def test_success_at_the_second_attempt_is_valid(fake: FakePlatform, platform: Platform) -> None:
    fake.set_behaviour(BUSY, respond_with_answer("好"))
    result = await _call(platform)
    assert result.reply
    assert (result.reply.text, result.reply.usage, result.failure, result.attempts) == ("好", Usage(1, 1), None, 2)


async def test_attempts_are_capped(fake: FakePlatform, platform: Platform, settings: Any) -> None:
    settings.CALL_ATTEMPTS = 3
    fake.set_behaviour(BUSY)
    result = await _call(platform)
    assert result.failure
    assert (result.failure.reason, result.attempts, fake.count()) == (FailureReason.BUSY, 3, 3)


async def test_last_failure_is_returned(fake: FakePlatform, platform: Platform) -> None:
    fake.set_behaviour(BUSY, respond_with_error(429), respond_with_error(402))
    result = await _call(platform)
    assert result.failure
    assert (result.failure.reason, result.attempts) == (FailureReason.QUOTA, 3)


async def test_permanent_failures_are_not_retried(fake: FakePlatform, platform: Platform) -> None:
    for status in (400, 401, 402, 404, 451):
        fake.set_behaviour(respond_with_error(status))
        assert (await _call(platform)).attempts == 1
    assert fake.count() == 5


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"Retry-After": "0.4"}, {}),
        ({}, {"error": {"message": "please try again after 400ms"}}),
        ({}, [{"error": {"details": [{"@type": "RetryInfo", "retryDelay": "0.4s"}]}}]),
    ],
)
async def test_retry_waits_as_long_as_the_platform_requests(
    fake: FakePlatform, platform: Platform, headers: dict[str, str], body: Any
) -> None:
    fake.set_behaviour(respond_with_error(429, body, headers), respond_with_answer())
    await _call(platform)
    first, second = fake.calls
    assert first.ended_at
    assert (second.started_at - first.started_at).total_seconds() >= 0.4


def test_retry_delay_is_full_jitter_on_top_of_retry_after() -> None:
    def waits(wait_seconds: float | None, attempts: int) -> list[float]:
        failure = CallFailed(FailureReason.RATE, wait_seconds=wait_seconds)
        return [get_call_retry_delay_seconds(failure, attempts) for _ in range(400)]

    for attempts, most in ((1, 0.5), (2, 1.0), (3, 2.0), (99, 20.0)):
        seen = waits(None, attempts)
        assert 0 <= min(seen) < 0.2 * most
        assert 0.8 * most < max(seen) <= most
    assert 30 <= min(waits(30, 1)) <= max(waits(30, 1)) <= 30.5


@pytest.mark.parametrize("value", ["nan", "inf", "-5", "0", "soon", "", "1e999", "Mon, 01 Jan 2001 00:00:00 GMT"])
async def test_invalid_retry_after_is_ignored(fake: FakePlatform, platform: Platform, value: str) -> None:
    fake.set_behaviour(respond_with_error(429, {}, {"Retry-After": value}), respond_with_answer("好"))
    started = time.monotonic()
    assert (await _call(platform)).reply
    assert time.monotonic() - started < 8


async def test_retry_after_may_be_an_http_date(fake: FakePlatform, platform: Platform) -> None:
    moment = timezone.now() + timedelta(seconds=60)
    fake.set_behaviour(respond_with_error(429, {}, {"Retry-After": format_datetime(moment, usegmt=True)}))
    with pytest.raises(CallFailed) as failure:
        await ask_platform(platform, "问", seed=1, timeout_seconds=20)
    assert failure.value.wait_seconds
    assert 30 < failure.value.wait_seconds <= 60


async def test_duration_of_the_last_attempt_is_set_for_failures_too(
    fake: FakePlatform, platform: Platform, settings: Any
) -> None:
    settings.CALL_TIMEOUT_SECONDS, settings.CALL_ATTEMPTS = 0.2, 1
    fake.set_behaviour(respond_with_answer(delay_seconds=30))
    assert (await _call(platform)).milliseconds >= 200
    fake.set_behaviour(respond_with_answer(delay_seconds=0.1))
    assert (await _call(platform)).milliseconds >= 100


async def test_a_paused_platform_is_not_called(fake: FakePlatform, platform: Platform) -> None:
    async def check() -> None:
        raise CallFailed(FailureReason.QUOTA)

    result = await call_with_retries(platform, "问", seed=1, check=check)
    assert result.failure
    assert (result.failure.reason, result.attempts, result.milliseconds) == (FailureReason.QUOTA, 0, 0)
    assert fake.count() == 0


async def test_platform_paused_between_attempts_is_not_called_again(fake: FakePlatform, platform: Platform) -> None:
    async def check() -> None:
        if fake.count():
            raise CallFailed(FailureReason.KEY)

    fake.set_behaviour(BUSY)
    result = await call_with_retries(platform, "问", seed=1, check=check)
    assert result.failure
    assert (result.failure.reason, result.attempts, fake.count()) == (FailureReason.KEY, 1, 1)


async def test_unexpected_exception_becomes_a_bug_failure(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*args: Any, **kwargs: Any) -> PlatformReply:
        raise ZeroDivisionError

    def calls(outcome: str) -> float:
        labels = {"platform": "p", "outcome": outcome, "demo": "false"}
        return REGISTRY.get_sample_value("diagnosis_calls_total", labels) or 0

    monkeypatch.setattr(calls_module, "ask_platform", broken)
    before = calls("bug")
    result = await _call(platform)
    assert result.failure
    assert (result.failure.reason, result.attempts) == (FailureReason.BUG, 1)
    assert result.failure.code.value == "SERVER_ERROR"
    assert calls("bug") == before + 1


async def test_each_attempt_is_counted_by_its_outcome(fake: FakePlatform, platform: Platform) -> None:
    def calls(outcome: str) -> float:
        labels = {"platform": "counted", "outcome": outcome, "demo": "false"}
        return REGISTRY.get_sample_value("diagnosis_calls_total", labels) or 0

    platform.pk = "counted"
    before = [calls(outcome) for outcome in ("busy", "rate", "valid")]
    fake.set_behaviour(BUSY, respond_with_error(429), respond_with_answer())
    await _call(platform)
    assert [calls(outcome) for outcome in ("busy", "rate", "valid")] == [count + 1 for count in before]


async def test_demo_platform_gets_another_seed_for_each_attempt(
    fake: FakePlatform, platform: Platform, settings: Any
) -> None:
    settings.CALL_ATTEMPTS = 3
    platform.is_demo = True
    fake.set_behaviour(BUSY)
    await _call(platform)
    seeds = {call.body["seed"] for call in fake.calls}
    assert len(seeds) == 3
    await call_with_retries(platform, "问", seed=2)
    assert len(seeds | {call.body["seed"] for call in fake.calls}) == 6
    assert {call.key for call in fake.calls} == {"demo"}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("status", "reason", "minutes"),
    [(402, FailureReason.QUOTA, 60), (401, FailureReason.KEY, 10), (404, FailureReason.MODEL, 10)],
)
def test_platform_is_paused_after_a_permanent_failure(
    owner: AbstractUser, fake: FakePlatform, status: int, reason: FailureReason, minutes: int
) -> None:
    fake.set_behaviour(respond_with_error(status))
    platform = make_platform(base_url=fake.base_url, concurrency=1)
    questions = [f"问题 {number}" for number in range(6)]
    second = make_diagnosis(owner, [platform])
    started = timezone.now()
    (diagnosis,) = run_diagnoses(make_diagnosis(owner, [platform], questions=questions))
    assert fake.count() == 1
    assert {(stored.state, stored.reason) for stored in diagnosis.answers.all()} == {(AnswerState.FAILED, reason)}

    platform.refresh_from_db()
    assert platform.pause_reason == reason
    assert platform.paused_until
    pause = platform.paused_until - started
    assert timedelta(minutes=minutes) <= pause <= timedelta(minutes=minutes + 2)
    events = Event.objects.filter(stream_id=diagnosis.stream_id, kind="error")
    assert [event.data["platform"] for event in events] == [platform.pk]

    (second,) = run_diagnoses(second)
    assert fake.count() == 1
    assert second.answers.get().reason == reason

    Platform.objects.update(paused_until=timezone.now() - timedelta(seconds=1))
    fake.set_behaviour(respond_with_answer("好"))
    (third,) = run_diagnoses(make_diagnosis(owner, [platform]))
    assert third.answers.get().state == AnswerState.VALID


@pytest.mark.django_db(transaction=True)
def test_a_rate_limited_or_busy_platform_is_not_paused(owner: AbstractUser, fake: FakePlatform, settings: Any) -> None:
    settings.CALL_ATTEMPTS = 1
    fake.set_behaviour(BUSY, respond_with_error(429))
    platform = make_platform(base_url=fake.base_url)
    run_diagnoses(make_diagnosis(owner, [platform], questions=["甲？", "乙？", "丙？"]))
    platform.refresh_from_db()
    assert (platform.paused_until, fake.count()) == (None, 3)
