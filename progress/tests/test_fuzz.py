"""Arbitrary client frames are answered, or refused with an error frame and a 44xx close."""

import json
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from progress.consumers import open_sockets
from progress.frames import CloseCode, parse_client_frame
from progress.models import Stream
from testing.clients.sockets import SocketClient, append_numbered_events_async, make_test_token
from testing.data.frame_strategies import VALID_HELLO, client_frames, client_texts

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("authenticated_by_tests")]


def _answers(socket: SocketClient) -> list[dict[str, Any]]:
    """Return the frames received so far, without waiting."""
    said = []
    while not socket.output_queue.empty():
        message = socket.output_queue.get_nowait()
        said.append({"close": message["code"]} if message["type"] == "websocket.close" else json.loads(message["text"]))
    return said


@given(sent=st.lists(client_frames, min_size=1, max_size=6))
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(sent=["[" * 2000 + "]" * 2000])
@example(sent=[VALID_HELLO, '{"type":"after","after":2147483648}', '{"type":"after","after":-1}'])
@example(sent=[VALID_HELLO, VALID_HELLO, '{"type":"pong"}', b"\x00"])
async def test_any_sequence_of_frames_is_answered_or_refused(
    stream: Stream, owner: AbstractUser, sent: list[str | bytes]
) -> None:
    good = json.dumps({"type": "hello", "v": 1, "token": make_test_token(owner)})
    async with SocketClient(stream) as socket:
        for frame in sent:
            if isinstance(frame, bytes):
                await socket.send_to(bytes_data=frame)
            else:
                await socket.send_to(text_data=good if frame == VALID_HELLO else frame)
        await socket.disconnect(timeout=20)  # handled after all of them
        said = _answers(socket)
    kinds = [answer.get("type", "close") for answer in said]
    assert set(kinds) <= {"welcome", "reset", "error", "close"}
    if "close" in kinds:
        assert kinds.index("close") == len(kinds) - 1
        assert kinds[-2] == "error"
        assert said[-1]["close"] in set(CloseCode) - {CloseCode.DONE, CloseCode.INTERNAL_ERROR}
        assert str(said[-2]["problem"]["code"])
    assert not open_sockets


async def test_a_valid_client_is_served_after_invalid_ones(stream: Stream, owner: AbstractUser) -> None:
    async with SocketClient(stream) as good:
        await good.send_hello(make_test_token(owner))
        for nonsense in ("{", "[" * 4000, '{"type":"hello","v":"1"}'):
            async with SocketClient(stream) as bad:
                await bad.send_to(nonsense)
                assert (await bad.receive_refusal())[1] == CloseCode.BAD_FRAME
        await append_numbered_events_async(stream, 1)
        assert await good.receive_events(1) == [(1, "progress")]


@given(text=client_texts)
@settings(max_examples=300)
def test_parse_client_frame_raises_only_value_errors(text: str) -> None:
    try:
        frame = parse_client_frame(text)
    except ValueError:
        return
    assert frame.type in ("hello", "after", "pong")


@pytest.mark.parametrize(
    "frame",
    [
        '{"type":"hello","v":"1"}',
        '{"type":"hello","v":true}',
        '{"type":"hello","v":1.5}',
        '{"type":"hello"}',
        '{"type":"hello","v":1,"after":"0"}',
        '{"type":"hello","v":1,"after":-1}',
        '{"type":"hello","v":1,"after":null}',
        '{"type":"hello","v":1,"token":5}',
        '{"type":"after"}',
        '{"type":"after","after":1.0}',
        '{"type":"welcome","v":1}',
        "[]",
        "null",
        "",
        "\ufeff{}",
    ],
)
def test_frames_with_wrong_types_or_values_are_invalid(frame: str) -> None:
    with pytest.raises(ValueError):
        parse_client_frame(frame)


def test_unknown_members_are_ignored() -> None:
    assert parse_client_frame('{"type":"pong","later":{"more":1}}').type == "pong"
