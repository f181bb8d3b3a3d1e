"""The fake is what it says it is: asked through the same client that the product uses."""

import asyncio

import pytest

from diagnosis.exceptions import CallFailed
from diagnosis.models import Platform
from diagnosis.platforms.transport import PlatformRequest, send
from testing.data.calls import ask_platform
from testing.data.diagnoses import API_KEY_VARIABLE
from testing.fakes import platform as fake_platform
from testing.fakes.platform import Behaviour, FakePlatform
from testing.services import wait_until


@pytest.fixture
def platform(fake: FakePlatform, monkeypatch: pytest.MonkeyPatch) -> Platform:
    monkeypatch.setenv(API_KEY_VARIABLE, "sk-1")
    return Platform(pk="p", model="m", key_variable=API_KEY_VARIABLE, base_url=fake.base_url)


async def _ask(platform: Platform, question: str = "问", *, timeout_seconds: float = 30) -> str:
    return (await ask_platform(platform, question, seed=1, timeout_seconds=timeout_seconds)).text


async def test_it_answers_and_remembers_what_was_asked(fake: FakePlatform, platform: Platform) -> None:
    for question in ("甲", "甲", "乙"):
        await _ask(platform, question)
    assert fake.count_by_question() == {("m", "甲"): 2, ("m", "乙"): 1}
    assert fake.count(key="sk-1") == 3
    assert fake.count(key="sk-2") == 0
    assert {call.outcome for call in fake.calls} == {"answered"}
    assert fake.max_in_flight["m"] == 1


async def test_a_plan_is_followed_step_by_step_and_its_last_step_stays(fake: FakePlatform, platform: Platform) -> None:
    fake.set_behaviour(fake_platform.respond_with_error(503), fake_platform.respond_with_answer("好"), model="m")
    with pytest.raises(CallFailed, match="503"):
        await _ask(platform)
    for _ in range(2):
        assert await _ask(platform) == "好"


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (fake_platform.respond_with_error(402, {"error": {"message": "x"}}), "quota"),
        (fake_platform.respond_with_invalid_json(), "unreadable"),
        (fake_platform.reset_connection(), "connection"),
        (fake_platform.respond_with_truncated_body(), "connection"),
        (fake_platform.hold_response(), "timeout"),
    ],
)
async def test_it_fails_as_it_is_told(
    fake: FakePlatform, platform: Platform, behaviour: Behaviour, reason: str
) -> None:
    fake.set_behaviour(behaviour)
    with pytest.raises(CallFailed) as failure:
        await _ask(platform, timeout_seconds=0.5 if reason == "timeout" else 30)
    assert failure.value.reason == reason


async def test_what_asks_for_another_path_is_no_call(fake: FakePlatform) -> None:
    response = await send(PlatformRequest("GET", f"{fake.base_url}/models", {}, b""), timeout_seconds=30)
    assert response.status == 404
    assert (fake.count(), fake.in_flight.total(), set(fake.in_flight.values())) == (0, 0, set())


async def test_a_caller_that_leaves_is_seen_to_leave(fake: FakePlatform, platform: Platform) -> None:
    fake.set_behaviour(fake_platform.hold_response())
    with pytest.raises(CallFailed):
        await _ask(platform, timeout_seconds=0.5)
    await asyncio.to_thread(wait_until, lambda: fake.calls[0].outcome == "dropped", "the call to be dropped")
    assert fake.in_flight["m"] == 0
