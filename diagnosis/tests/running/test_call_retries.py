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
from diagnosis.platforms.client import PlatformCall
from diagnosis.replies import PlatformReply, Usage
from progress.models import Event
from testing.data.calls import ask_platform, call_platform
from testing.data.diagnoses import make_diagnosis, make_platform, run_diagnoses
from testing.fakes.platform import FakePlatform, respond_with_answer, respond_with_error

pytestmark = pytest.mark.django_db(transaction=True)

BUSY = respond_with_error(503)


@pytest.fixture
def platform(db: None, fake: FakePlatform) -> Platform:
    return make_platform("p", base_url=fake.base_url, model="m", typical_seconds=0.1)


async def test_success_at_the_second_attempt_is_valid(fake: FakePlatform, platform: Platform) -> None:
    fake.set_behaviour(BUSY, respond_with_answer("好"))
    result = await call_platform(platform)
    assert result.reply
    assert (result.reply.text, result.reply.usage, result.failure, result.attempts) == ("好", Usage(1, 1), None, 2)


async def test_attempts_are_capped(fake: FakePlatform, platform: Platform, settings: Any) -> None:
    settings.CALL_ATTEMPTS = 3
    fake.set_behaviour(BUSY)
    result = await call_platform(platform)
    assert result.failure
    assert (result.failure.reason, result.attempts, fake.count()) == (FailureReason.BUSY, 3, 3)


async def test_last_failure_is_returned(fake: FakePlatform, platform: Platform) -> None:
    fake.set_behaviour(BUSY, respond_with_error(429), respond_with_error(402))
    result = await call_platform(platform)
    assert result.failure
    assert (result.failure.reason, result.attempts) == (FailureReason.QUOTA, 3)


async def test_permanent_failures_are_not_retried(fake: FakePlatform, platform: Platform) -> None:
    for status in (400, 401, 402, 404, 451):
        fake.set_behaviour(respond_with_error(status))
        assert (await call_platform(platform)).attempts == 1
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
    await call_platform(platform)
    first, second = fake.calls
    assert first.ended_at
    assert (second.started_at - first.started_at).total_seconds() >= 0.4


@pytest.mark.parametrize("value", ["nan", "inf", "-5", "0", "soon", "", "1e999", "Mon, 01 Jan 2001 00:00:00 GMT"])
async def test_invalid_retry_after_is_ignored(fake: FakePlatform, platform: Platform, value: str) -> None:
    fake.set_behaviour(respond_with_error(429, {}, {"Retry-After": value}), respond_with_answer("好"))
    started = time.monotonic()
    assert (await call_platform(platform)).reply
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
    assert (await call_platform(platform)).milliseconds >= 200
    fake.set_behaviour(respond_with_answer(delay_seconds=0.1))
    assert (await call_platform(platform)).milliseconds >= 100


async def test_unexpected_exception_becomes_a_bug_failure(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*args: Any, **kwargs: Any) -> PlatformReply:
        raise ZeroDivisionError

    def calls(outcome: str) -> float:
        labels = {"platform": "p", "outcome": outcome, "demo": "false"}
        return REGISTRY.get_sample_value("diagnosis_calls_total", labels) or 0

    monkeypatch.setattr(PlatformCall, "take_step", broken)
    before = calls("bug")
    result = await call_platform(platform)
    assert result.failure
    assert (result.failure.reason, result.attempts) == (FailureReason.BUG, 1)
    assert result.failure.code.value == "SERVER_ERROR"
    assert calls("bug") == before + 1


async def test_each_attempt_is_counted_by_its_outcome(fake: FakePlatform, platform: Platform) -> None:
    def calls(outcome: str) -> float:
        labels = {"platform": "p", "outcome": outcome, "demo": "false"}
        return REGISTRY.get_sample_value("diagnosis_calls_total", labels) or 0

    before = [calls(outcome) for outcome in ("busy", "rate", "valid")]
    fake.set_behaviour(BUSY, respond_with_error(429), respond_with_answer())
    await call_platform(platform)
    assert [calls(outcome) for outcome in ("busy", "rate", "valid")] == [count + 1 for count in before]


async def test_demo_platform_gets_another_seed_for_each_attempt(
    fake: FakePlatform, platform: Platform, settings: Any
) -> None:
    settings.CALL_ATTEMPTS = 3
    await Platform.objects.aupdate(is_demo=True)
    fake.set_behaviour(BUSY)
    await call_platform(platform)
    seeds = {call.body["seed"] for call in fake.calls}
    assert len(seeds) == 3
    await call_platform(platform, seed=2)
    assert len(seeds | {call.body["seed"] for call in fake.calls}) == 6
    assert {call.key for call in fake.calls} == {"demo"}


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


def test_a_rate_limited_or_busy_platform_is_not_paused(owner: AbstractUser, fake: FakePlatform, settings: Any) -> None:
    settings.CALL_ATTEMPTS = 1
    fake.set_behaviour(BUSY, respond_with_error(429), respond_with_answer())
    platform = make_platform(base_url=fake.base_url)
    run_diagnoses(make_diagnosis(owner, [platform], questions=["甲？", "乙？", "丙？"]))
    platform.refresh_from_db()
    assert (platform.paused_until, fake.count()) == (None, 4)


async def test_a_refusal_for_rate_is_repeated_until_the_deadline_and_not_counted_as_an_attempt(
    fake: FakePlatform, platform: Platform, settings: Any
) -> None:
    settings.CALL_ATTEMPTS = 1
    refusals = [
        respond_with_error(429, {}, {"Retry-After": "0.01"}),
        respond_with_error(503, {}, {"Retry-After": "0.01"}),
    ]
    fake.set_behaviour(*refusals, respond_with_answer("好"))
    result = await call_platform(platform)
    assert result.reply
    assert (result.reply.text, result.attempts) == ("好", 3)


async def test_a_refusal_whose_wait_passes_the_deadline_is_final(fake: FakePlatform, platform: Platform) -> None:
    fake.set_behaviour(respond_with_error(429, {}, {"Retry-After": "100"}))
    result = await call_platform(platform, seconds=50)
    assert result.failure
    assert (result.failure.reason, result.attempts, fake.count()) == (FailureReason.RATE, 1, 1)
