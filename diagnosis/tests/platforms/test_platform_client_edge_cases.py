"""Failed calls, unusable replies, and cleaning of replies."""

import asyncio
import contextlib
import json
import socket
import time
from collections.abc import Mapping
from typing import Any

import pytest

from diagnosis.choices import FailureReason
from diagnosis.exceptions import CallFailed
from diagnosis.models import Platform
from diagnosis.platforms import transport
from diagnosis.replies import MAX_ANSWER_CHARACTERS, PlatformReply, Usage
from testing.data.calls import ask_platform
from testing.data.diagnoses import API_KEY_VARIABLE, TEST_API_KEY
from testing.fakes import platform as fake_platform
from testing.fakes.platform import Behaviour, Exchange, FakePlatform, build_completion, respond_with
from testing.services import find_free_port

# The session is one per event loop: these tests share a loop.
in_one_loop = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def platform(fake: FakePlatform) -> Platform:
    return Platform(pk="p", model="m", key_variable=API_KEY_VARIABLE, base_url=fake.base_url)


async def _ask(platform: Platform, *, timeout_seconds: float = 20) -> PlatformReply:
    return await ask_platform(platform, "哪个手冲壶好？", seed=1, timeout_seconds=timeout_seconds)


async def _failure(platform: Platform, *, timeout_seconds: float = 20) -> CallFailed:
    with pytest.raises(CallFailed) as failure:
        await _ask(platform, timeout_seconds=timeout_seconds)
    return failure.value


def _with_choice(**choice: Any) -> dict[str, Any]:
    whole = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "好"}} | choice
    return build_completion("好") | {"choices": [whole]}


@in_one_loop
async def test_reply_has_the_model_that_the_platform_names(fake: FakePlatform, platform: Platform) -> None:
    fake.set_behaviour(respond_with(build_completion("  山岚不错。\n", model="m-20260215")))
    reply = await _ask(platform)
    assert (reply.text, reply.model, reply.usage) == ("山岚不错。", "m-20260215", Usage(1, 1))


@in_one_loop
async def test_only_the_unchanged_question_is_sent(fake: FakePlatform, platform: Platform) -> None:
    await _ask(platform)
    assert fake.calls[0].body == {"model": "m", "messages": [{"role": "user", "content": "哪个手冲壶好？"}]}
    assert fake.calls[0].key == TEST_API_KEY


@in_one_loop
@pytest.mark.parametrize(
    "behaviour",
    [
        fake_platform.respond_with_html(),
        fake_platform.respond_with_invalid_json(),
        fake_platform.respond_with_empty_text(),
        fake_platform.respond_without_choices(),
        fake_platform.respond_with_reasoning_only("山岚最好"),
        fake_platform.respond_with_error_in_200({"message": "no idea", "type": "weird"}),
        respond_with(""),
        respond_with("null"),
        respond_with("42"),
        respond_with('"ok"'),
        respond_with("[]"),
        respond_with("{}"),
        respond_with("[" * 100_000),
        respond_with(b"\xff\xfe\x00"),
        respond_with({"choices": None}),
        respond_with({"choices": [None]}),
        respond_with({"choices": ["好"]}),
        respond_with({"choices": {"0": "好"}}),
        respond_with({"choices": 1}),
        respond_with(_with_choice(message=None)),
        respond_with(_with_choice(message="好")),
        respond_with(_with_choice(message={"role": "assistant"})),
        respond_with(_with_choice(message={"content": 42})),
        respond_with(_with_choice(message={"content": ["好"]})),
        respond_with(_with_choice(message={"content": " \n\x00 "})),
        respond_with({"error_code": 17, "error_msg": "Open api daily request limit reached"}),
    ],
)
async def test_200_without_a_usable_answer_is_unreadable_and_retryable(
    fake: FakePlatform, platform: Platform, behaviour: Behaviour
) -> None:
    fake.set_behaviour(behaviour)
    failure = await _failure(platform)
    assert (failure.reason, failure.is_retryable) == (FailureReason.UNREADABLE, True)


@in_one_loop
@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"error": {"code": "insufficient_quota", "message": "x"}}, FailureReason.QUOTA),
        ({"error": {"type": "content_filter", "message": "x"}}, FailureReason.FILTERED),
        ({"error": {"code": "1302", "message": "并发数过高"}}, FailureReason.RATE),
        ({"error": {"code": 1113, "message": "欠费"}}, FailureReason.QUOTA),
        (build_completion("说到一半") | {"error": {"code": "server_overloaded"}}, FailureReason.UNREADABLE),
        ({"code": "Arrearage", "message": "Access denied", "request_id": "1"}, FailureReason.QUOTA),
        ({"code": 1301, "msg": "敏感", "success": False}, FailureReason.FILTERED),
    ],
)
async def test_error_inside_a_200_is_classified_like_any_error(
    fake: FakePlatform, platform: Platform, body: Mapping[str, Any], reason: FailureReason
) -> None:
    fake.set_behaviour(respond_with(body))
    assert (await _failure(platform)).reason == reason


@in_one_loop
@pytest.mark.parametrize(
    ("finish_reason", "reason"),
    [
        ("content_filter", FailureReason.FILTERED),
        ("content_filter: PROHIBITED_CONTENT", FailureReason.FILTERED),
        ("sensitive", FailureReason.FILTERED),
        ("SAFETY", FailureReason.FILTERED),
        ("RECITATION", FailureReason.FILTERED),
        ("BLOCKLIST", FailureReason.FILTERED),
        ("PROHIBITED_CONTENT", FailureReason.FILTERED),
        ("SPII", FailureReason.FILTERED),
        ("network_error", FailureReason.BUSY),
        ("insufficient_system_resource", FailureReason.BUSY),
    ],
)
@pytest.mark.parametrize("text", ["", "山岚是一个"])
async def test_filtered_or_interrupted_answer_is_not_valid(
    fake: FakePlatform, platform: Platform, finish_reason: str, reason: FailureReason, text: str
) -> None:
    fake.set_behaviour(fake_platform.respond_filtered(finish_reason, text))
    assert (await _failure(platform)).reason == reason


@in_one_loop
@pytest.mark.parametrize("finish_reason", ["stop", "length", "STOP", "normal"])
async def test_endings_known_to_be_good_are_valid(fake: FakePlatform, platform: Platform, finish_reason: str) -> None:
    fake.set_behaviour(respond_with(_with_choice(finish_reason=finish_reason)))
    reply = await _ask(platform)
    assert (reply.text, reply.is_truncated) == ("好", finish_reason == "length")


@in_one_loop
@pytest.mark.parametrize("finish_reason", ["error", "pause", None, "", 7, ["stop"]])
async def test_other_endings_are_asked_again(fake: FakePlatform, platform: Platform, finish_reason: Any) -> None:
    fake.set_behaviour(respond_with(_with_choice(finish_reason=finish_reason)))
    failure = await _failure(platform)
    assert (failure.reason, failure.is_retryable) == (FailureReason.BUSY, True)


@in_one_loop
async def test_a_refusal_in_place_of_content_is_filtered(fake: FakePlatform, platform: Platform) -> None:
    message = {"role": "assistant", "content": None, "refusal": "I'm sorry, I can't help with that."}
    fake.set_behaviour(respond_with(_with_choice(message=message)))
    assert (await _failure(platform)).reason == FailureReason.FILTERED


@in_one_loop
async def test_reasoning_is_never_part_of_the_answer(fake: FakePlatform, platform: Platform) -> None:
    fake.set_behaviour(respond_with(build_completion("木石坊", reasoning="用户可能想听山岚")))
    assert (await _ask(platform)).text == "木石坊"


@in_one_loop
async def test_slow_stream_ends_at_the_time_limit(fake: FakePlatform, platform: Platform) -> None:
    fake.set_behaviour(
        fake_platform.respond_slowly(interval_seconds=0.05)
    )  # each read is quick, the whole takes 15 s and more
    started = time.monotonic()
    failure = await _failure(platform, timeout_seconds=0.6)
    assert (failure.reason, failure.is_retryable) == (FailureReason.TIMEOUT, True)
    assert time.monotonic() - started < 8


@in_one_loop
async def test_no_response_is_a_timeout(fake: FakePlatform, platform: Platform) -> None:
    fake.set_behaviour(fake_platform.hold_response())
    assert (await _failure(platform, timeout_seconds=0.3)).reason == FailureReason.TIMEOUT


def test_connect_timeout_is_a_timeout_not_a_connection_failure(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "CONNECT_TIMEOUT_SECONDS", 0.3)
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):  # its queue is full, and what comes after is left unanswered
            queued = stack.enter_context(socket.socket())
            queued.setblocking(False)
            queued.connect_ex(listener.getsockname())
        platform.base_url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        failure = asyncio.run(_failure(platform))
    assert (failure.reason, failure.is_retryable) == (FailureReason.TIMEOUT, True)
    assert "no connection in 0.3 s" in failure.detail


@in_one_loop
@pytest.mark.parametrize("behaviour", [fake_platform.reset_connection(), fake_platform.respond_with_truncated_body()])
async def test_broken_connection_is_a_connection_failure(
    fake: FakePlatform, platform: Platform, behaviour: Behaviour
) -> None:
    fake.set_behaviour(behaviour)
    failure = await _failure(platform)
    assert (failure.reason, failure.is_retryable) == (FailureReason.CONNECTION, True)


@in_one_loop
async def test_refused_connection_is_a_connection_failure(platform: Platform) -> None:
    platform.base_url = f"http://127.0.0.1:{find_free_port()}/v1"
    assert (await _failure(platform)).reason == FailureReason.CONNECTION


@in_one_loop
async def test_retry_after_is_reported_and_not_awaited(fake: FakePlatform, platform: Platform) -> None:
    fake.set_behaviour(
        fake_platform.respond_with_error(429, {"error": {"code": "rate_limit_exceeded"}}, {"Retry-After": "30"})
    )
    started = time.monotonic()
    failure = await _failure(platform)
    assert (failure.reason, failure.wait_seconds) == (FailureReason.RATE, 30)
    assert time.monotonic() - started < 10
    assert fake.count() == 1


@in_one_loop
async def test_a_redirect_is_not_followed(fake: FakePlatform, platform: Platform) -> None:
    """A redirect could lead to a host that is not allowed."""
    with FakePlatform() as elsewhere:
        fake.set_behaviour(respond_with("", status=307, headers={"Location": f"{elsewhere.base_url}/chat/completions"}))
        failure = await _failure(platform)
        assert failure.reason == FailureReason.UNREADABLE
        assert elsewhere.count() == 0


@in_one_loop
@pytest.mark.parametrize(
    "base_url",
    [
        "http://example.com/v1",
        "http://127.0.0.1.example.com/v1",
        "http://127.0.0.1@example.com/v1",
        "http://127.0.0.1:x/v1",
        "http://[127.0.0.1/v1",
        "127.0.0.1/v1",
        "file:///etc/passwd",
        "",
    ],
)
async def test_forbidden_host_is_a_wrong_setting_and_no_wrong_key(platform: Platform, base_url: str) -> None:
    platform.base_url = base_url
    failure = await _failure(platform)
    assert (failure.reason, failure.is_retryable) == (FailureReason.CONFIG, False)


@in_one_loop
async def test_calls_share_one_connection_pool(fake: FakePlatform, platform: Platform) -> None:
    ports = set()

    async def note_the_connection(exchange: Exchange) -> None:
        ports.add(exchange._writer.get_extra_info("peername"))
        await fake_platform.respond_with_answer()(exchange)

    fake.set_behaviour(note_the_connection)
    for model in ("m", "n", "o"):
        platform.model = model
        await _ask(platform)
    assert len(ports) == 1


def test_each_event_loop_has_a_session_of_its_own(fake: FakePlatform, platform: Platform) -> None:
    for _ in range(3):
        assert asyncio.run(_ask(platform)).text


@in_one_loop
async def test_a_hundred_concurrent_calls_get_their_own_answers(fake: FakePlatform, platform: Platform) -> None:
    questions = [f"问题 {number}" for number in range(100)]
    replies = await asyncio.gather(*(ask_platform(platform, text, seed=1, timeout_seconds=60) for text in questions))
    assert [reply.text for reply in replies] == [f"关于“{text}”的回答。" for text in questions]


@in_one_loop
async def test_unstorable_characters_are_removed_from_the_answer(fake: FakePlatform, platform: Platform) -> None:
    body = json.dumps(build_completion("山\x00岚\ud83d", model="m\x00\ud800")).encode()
    fake.set_behaviour(respond_with(body))
    reply = await _ask(platform)
    assert (reply.text, reply.model) == ("山岚?", "m?")


@in_one_loop
async def test_invalid_model_name_is_ignored(fake: FakePlatform, platform: Platform) -> None:
    fake.set_behaviour(respond_with(build_completion("好") | {"model": 42}))
    reply = await _ask(platform)
    assert (reply.text, reply.model) == ("好", "")


@in_one_loop
async def test_long_answer_is_truncated(fake: FakePlatform, platform: Platform) -> None:
    fake.set_behaviour(respond_with(build_completion("长" * 300_000)))
    assert len((await _ask(platform)).text) == MAX_ANSWER_CHARACTERS


@in_one_loop
async def test_cancellation_is_propagated(fake: FakePlatform, platform: Platform) -> None:
    fake.set_behaviour(fake_platform.hold_response())
    asking = asyncio.ensure_future(_ask(platform))
    while not fake.calls:
        await asyncio.sleep(0.01)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking


@in_one_loop
@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (
            {"prompt_tokens": 9, "completion_tokens": 70, "completion_tokens_details": {"reasoning_tokens": 50}},
            Usage(9, 70, 50),
        ),
        ({"prompt_tokens": 9}, Usage(9)),
        ({"prompt_tokens": -1, "completion_tokens": "7", "completion_tokens_details": [1]}, Usage()),
        ({"prompt_tokens": True, "completion_tokens": 2**40}, Usage()),
        ({"prompt_tokens": 1.5, "completion_tokens_details": {"reasoning_tokens": None}}, Usage()),
        (None, Usage()),
        ("many", Usage()),
        ([], Usage()),
    ],
)
async def test_usage_is_what_the_platform_reports(
    fake: FakePlatform, platform: Platform, usage: Any, expected: Usage
) -> None:
    fake.set_behaviour(respond_with(build_completion("好") | {"usage": usage}))
    assert (await _ask(platform)).usage == expected


@in_one_loop
async def test_a_failure_that_consumed_tokens_reports_them(fake: FakePlatform, platform: Platform) -> None:
    fake.set_behaviour(fake_platform.respond_filtered())
    assert (await _failure(platform)).usage == Usage(1, 1, searches=0)
    fake.set_behaviour(fake_platform.respond_with_error(503))
    assert (await _failure(platform)).usage is None
