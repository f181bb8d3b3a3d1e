"""The fake is what it says it is: asked through the same client that the product uses."""

from collections.abc import AsyncIterator

import openai
import pytest

from testing.fakes import platform
from testing.fakes.platform import Behaviour, FakePlatform
from testing.services import wait_until


@pytest.fixture
async def client(fake: FakePlatform) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(api_key="sk-1", base_url=fake.base_url, max_retries=0, timeout=30) as client:
        yield client


async def _ask(client: openai.AsyncOpenAI, question: str = "问") -> str | None:
    completion = await client.chat.completions.create(model="m", messages=[{"role": "user", "content": question}])
    return completion.choices[0].message.content


async def test_it_answers_and_remembers_what_was_asked(fake: FakePlatform, client: openai.AsyncOpenAI) -> None:
    for question in ("甲", "甲", "乙"):
        await _ask(client, question)
    assert fake.count_by_question() == {("m", "甲"): 2, ("m", "乙"): 1}
    assert fake.count(key="sk-1") == 3
    assert fake.count(key="sk-2") == 0
    assert {call.outcome for call in fake.calls} == {"answered"}
    assert fake.max_in_flight["m"] == 1


async def test_a_plan_is_followed_step_by_step_and_its_last_step_stays(
    fake: FakePlatform, client: openai.AsyncOpenAI
) -> None:
    fake.set_behaviour(platform.respond_with_error(503), platform.respond_with_answer("好"), model="m")
    with pytest.raises(openai.InternalServerError):
        await _ask(client)
    for _ in range(2):
        assert await _ask(client) == "好"


@pytest.mark.parametrize(
    ("behaviour", "raises"),
    [
        (platform.respond_with_error(402, {"error": {"message": "x"}}), openai.APIStatusError),
        (platform.respond_with_invalid_json(), ValueError),
        (platform.reset_connection(), openai.APIConnectionError),
        (platform.respond_with_truncated_body(), openai.APIConnectionError),
        (platform.hold_response(), openai.APITimeoutError),
    ],
)
async def test_it_fails_as_it_is_told(
    fake: FakePlatform, client: openai.AsyncOpenAI, behaviour: Behaviour, raises: type[Exception]
) -> None:
    fake.set_behaviour(behaviour)
    with pytest.raises(raises):
        await _ask(client.with_options(timeout=0.5) if raises is openai.APITimeoutError else client)


async def test_what_asks_for_another_path_is_no_call(fake: FakePlatform, client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.NotFoundError):
        await client.models.list()
    assert (fake.count(), fake.in_flight.total(), set(fake.in_flight.values())) == (0, 0, set())


async def test_a_caller_that_leaves_is_seen_to_leave(fake: FakePlatform, client: openai.AsyncOpenAI) -> None:
    fake.set_behaviour(platform.hold_response())
    with pytest.raises(openai.APITimeoutError):
        await _ask(client.with_options(timeout=0.5))
    wait_until(lambda: fake.calls[0].outcome == "dropped", "the call to be dropped")
    assert fake.in_flight["m"] == 0
