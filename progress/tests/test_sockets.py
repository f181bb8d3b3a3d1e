"""The WebSocket: authentication, frames, refusals, flow control."""

import asyncio
import json
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import structlog
from channels.layers import get_channel_layer
from django.conf import settings as django_settings
from django.contrib.auth.models import AbstractUser
from django.db import OperationalError, transaction
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from errors.codes import ErrorCode
from progress import consumers
from progress.consumers import close_all_sockets, open_sockets
from progress.frames import MAX_CLIENT_REQUESTS, MAX_UNACKNOWLEDGED_BYTES, CloseCode
from progress.models import Stream
from progress.services import append_events, open_stream, prune_streams
from progress.tests.conftest import create_stream_user
from testing.clients.sockets import (
    SocketClient,
    append_numbered_events_async,
    complete_stream_async,
    make_test_token,
    revoke_test_token,
    run_in_thread,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("authenticated_by_tests")]


@pytest.fixture
def token(owner: AbstractUser) -> str:
    return make_test_token(owner)


async def assert_refused(socket: SocketClient, code: CloseCode, reason: ErrorCode) -> dict[str, Any]:
    """Expect an error frame with the reason, then the close."""
    problem, closed_with = await socket.receive_refusal()
    assert (closed_with, problem["code"]) == (code, reason)
    assert problem["title"]
    assert problem["request_id"]
    assert await socket.receive_nothing(0.02)
    return problem


async def test_the_owner_receives_welcome_and_log(stream: Stream, token: str) -> None:
    await append_numbered_events_async(stream, 1, 2)
    async with SocketClient(stream) as socket:
        welcome = await socket.send_hello(token)
        assert welcome == {
            "type": "welcome",
            "v": 1,
            "epoch": stream.epoch,
            "last": 2,
            "ping": django_settings.PING_SECONDS,
        }
        assert await socket.receive_events(2) == [(1, "progress"), (2, "progress")]
        await append_numbered_events_async(stream, 3)
        assert await socket.receive_events(3) == [(3, "progress")]


async def test_the_socket_closes_with_1000_after_the_last_event(stream: Stream, token: str) -> None:
    async with SocketClient(stream) as socket:
        await socket.send_hello(token)
        await complete_stream_async(stream)
        assert await socket.receive_events(1) == [(1, "complete")]
        assert await socket.receive_frame() == {"type": "close", "code": 1000}


@pytest.mark.parametrize(("after", "left"), [(0, 4), (3, 1), (4, 0)])
async def test_a_closed_stream_delivers_the_rest_and_closes(
    closed_stream: Stream, token: str, after: int, left: int
) -> None:
    async with SocketClient(closed_stream) as socket:
        assert (await socket.send_hello(token, after=after, epoch=closed_stream.epoch))["last"] == 4
        if left:
            assert [seq for seq, _kind in await socket.receive_events(4)] == list(range(after + 1, 5))
        assert await socket.receive_frame() == {"type": "close", "code": 1000}


async def test_staff_can_follow_streams_of_other_users(stream: Stream) -> None:
    async with SocketClient(stream) as socket:
        assert await socket.send_hello(make_test_token(await run_in_thread(create_stream_user)(is_staff=True)))


async def test_another_user_gets_the_same_as_for_a_missing_stream(stream: Stream, owner: AbstractUser) -> None:
    stranger = make_test_token(await run_in_thread(create_stream_user)())
    problems = []
    for path in (f"/ws/diagnosis/{stream.pk}/", f"/ws/diagnosis/{Stream().pk}/", "/ws/diagnosis/not-a-uuid/"):
        async with SocketClient(path) as socket:
            await socket.send_frame(type="hello", v=1, token=stranger)
            problems.append(await assert_refused(socket, CloseCode.NOT_FOUND, ErrorCode.DATA_NOT_FOUND))
    for problem in problems:
        del problem["request_id"], problem["instance"]
    assert problems[0] == problems[1] == problems[2]


@pytest.mark.parametrize("token", [None, "", "forged", "\x00", "令牌", "x" * 3000])
async def test_unauthenticated_clients_are_refused(stream: Stream, token: str | None) -> None:
    async with SocketClient(stream) as socket:
        await socket.send_frame(type="hello", v=1, token=token)
        problem = await assert_refused(socket, CloseCode.UNAUTHORIZED, ErrorCode.UNAUTHORIZED)
        assert problem["copy"]["action"]["kind"] == "sign_in"


def build_session_cookie(user: Any) -> tuple[bytes, bytes]:
    client = Client()
    client.force_login(user)
    return b"cookie", f"{django_settings.SESSION_COOKIE_NAME}={client.session.session_key}".encode()


async def test_a_page_is_authenticated_by_its_session(stream: Stream, owner: AbstractUser) -> None:
    cookie = await run_in_thread(build_session_cookie)(owner)
    async with SocketClient(stream, headers=[cookie, (b"origin", b"https://testserver")]) as socket:
        assert await socket.send_hello(None)


async def test_an_invalid_token_is_refused_despite_a_valid_session(stream: Stream, owner: AbstractUser) -> None:
    cookie = await run_in_thread(build_session_cookie)(owner)
    async with SocketClient(stream, headers=[cookie]) as socket:
        await socket.send_frame(type="hello", v=1, token="forged")
        await assert_refused(socket, CloseCode.UNAUTHORIZED, ErrorCode.UNAUTHORIZED)


@pytest.mark.parametrize(
    "origin", [b"https://testserver", b"http://testserver", b"https://trusted.example", b"https://a.wild.example"]
)
async def test_own_and_trusted_origins_may_use_the_session(
    stream: Stream, owner: AbstractUser, settings: Settings, origin: bytes
) -> None:
    settings.CSRF_TRUSTED_ORIGINS = ["https://trusted.example", "https://*.wild.example"]
    cookie = await run_in_thread(build_session_cookie)(owner)
    async with SocketClient(stream, headers=[cookie, (b"origin", origin)]) as socket:
        assert await socket.send_hello(None)


FOREIGN_ORIGINS = [
    b"https://evil.example",
    b"https://testserver.evil.example",
    b"http://[",
    b"https://wild.example.evil",
    # WeChat's, by device.
    b"null",
    b"https://servicewechat.com",
    b"weapp://wx0123456789abcdef",
    b"http://testserver,undefined",
    b"wechatgame://",
    b"file://",
]


@pytest.mark.parametrize("origin", FOREIGN_ORIGINS)
async def test_other_origins_may_not_use_the_session(
    stream: Stream, owner: AbstractUser, settings: Settings, origin: bytes
) -> None:
    settings.CSRF_TRUSTED_ORIGINS = ["https://*.wild.example"]
    cookie = await run_in_thread(build_session_cookie)(owner)
    async with SocketClient(stream, headers=[cookie, (b"origin", origin)]) as socket:
        await socket.send_frame(type="hello", v=1, token=None)
        await assert_refused(socket, CloseCode.ORIGIN_NOT_ALLOWED, ErrorCode.FORBIDDEN)


@pytest.mark.parametrize("origin", FOREIGN_ORIGINS)
async def test_a_token_is_accepted_from_any_origin(stream: Stream, token: str, origin: bytes) -> None:
    headers = [(b"origin", origin), (b"referer", b"https://servicewechat.com/wx0/1/page-frame.html?secret=1")]
    with structlog.testing.capture_logs() as entries:
        async with SocketClient(stream, headers=[*headers, (b"user-agent", b"MicroMessenger/8")]) as socket:
            assert await socket.send_hello(token)
    opened = [entry for entry in entries if entry["event"] == "socket_opened"]
    assert [(entry["origin"], entry["referer"], entry["user_agent"]) for entry in opened] == [
        (origin.decode(), "https://servicewechat.com/wx0/1/page-frame.html", "MicroMessenger/8")
    ]


@pytest.mark.parametrize("path", ["/", "/ws/", "/ws/diagnosis/", "/ws/other/1/", "/api/diagnoses"])
async def test_an_unknown_path_is_accepted_and_refused(path: str, owner: AbstractUser) -> None:
    async with SocketClient(path) as socket:
        await assert_refused(socket, CloseCode.NOT_FOUND, ErrorCode.DATA_NOT_FOUND)


@pytest.mark.parametrize("version", [0, 2, 999])
async def test_unsupported_versions_are_refused(stream: Stream, token: str, version: int) -> None:
    async with SocketClient(stream) as socket:
        await socket.send_frame(type="hello", v=version, token=token)
        await assert_refused(socket, CloseCode.UNSUPPORTED_VERSION, ErrorCode.DATA_FORMAT_ERROR)


@pytest.mark.parametrize("frame", [{"type": "after", "after": 0}, {"type": "pong"}])
async def test_the_first_frame_must_be_hello(stream: Stream, frame: dict[str, Any]) -> None:
    async with SocketClient(stream) as socket:
        await socket.send_frame(**frame)
        await assert_refused(socket, CloseCode.BAD_FRAME, ErrorCode.DATA_FORMAT_ERROR)


async def test_a_silent_client_is_closed(stream: Stream, settings: Settings) -> None:
    settings.HELLO_SECONDS = 0.02
    async with SocketClient(stream) as socket:
        await assert_refused(socket, CloseCode.CLIENT_TIMEOUT, ErrorCode.NETWORK_TIMEOUT)


async def test_slow_authentication_does_not_time_out_the_hello(
    stream: Stream, token: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.HELLO_SECONDS = 0.5
    real = consumers._authenticate_token

    async def slow(given: str) -> Any:
        await asyncio.sleep(0.7)
        return await real(given)

    monkeypatch.setattr(consumers, "_authenticate_token", slow)
    async with SocketClient(stream) as socket:
        assert await socket.send_hello(token)


async def test_frames_over_4_kib_are_refused(stream: Stream, token: str) -> None:
    async with SocketClient(stream) as socket:
        await socket.send_hello(token)
        await socket.send_frame(type="pong", padding="山" * 1400)
        await assert_refused(socket, CloseCode.TOO_BIG, ErrorCode.DATA_FORMAT_ERROR)


async def test_more_than_20_frames_a_second_are_refused(stream: Stream, token: str) -> None:
    async with SocketClient(stream) as socket:
        await socket.send_hello(token)
        for _ in range(45):
            await socket.send_frame(type="pong")
        problem = await assert_refused(socket, CloseCode.TOO_FAST, ErrorCode.RATE_LIMITED)
        assert problem["retry_after_ms"] > 0


async def test_a_binary_frame_is_a_bad_frame(stream: Stream) -> None:
    async with SocketClient(stream) as socket:
        await socket.send_to(bytes_data=b'{"type":"hello","v":1}')
        await assert_refused(socket, CloseCode.BAD_FRAME, ErrorCode.DATA_FORMAT_ERROR)


async def test_an_internal_error_closes_with_4500(stream: Stream, token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(_token: str) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(consumers, "_authenticate_token", fail)
    async with SocketClient(stream) as socket:
        await socket.send_frame(type="hello", v=1, token=token)
        problem = await assert_refused(socket, CloseCode.INTERNAL_ERROR, ErrorCode.SERVER_ERROR)
        assert "bug" not in json.dumps(problem)


async def test_an_unavailable_database_is_reported(stream: Stream, token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(_token: str) -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr(consumers, "_authenticate_token", fail)
    async with SocketClient(stream) as socket:
        await socket.send_frame(type="hello", v=1, token=token)
        await assert_refused(socket, CloseCode.INTERNAL_ERROR, ErrorCode.SERVICE_UNAVAILABLE)


async def test_a_shutdown_closes_all_sockets(stream: Stream, token: str) -> None:
    async with SocketClient(stream) as greeted, SocketClient(stream) as silent:
        await greeted.send_hello(token)
        await close_all_sockets()
        for socket in (greeted, silent):
            problem = await assert_refused(socket, CloseCode.GOING_AWAY, ErrorCode.SERVICE_UNAVAILABLE)
            assert problem["retryable"]


async def test_a_deleted_stream_closes_its_sockets(stream: Stream, token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("progress.hub.hub.SWEEP_INTERVAL_SECONDS", 0.05)
    async with SocketClient(stream) as socket:
        await socket.send_hello(token)
        await run_in_thread(Stream.objects.filter(pk=stream.pk).delete)()
        await assert_refused(socket, CloseCode.NOT_FOUND, ErrorCode.DATA_NOT_FOUND)


@pytest.fixture
def advance_clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Return a function that advances the clock of the sockets."""

    def step(seconds: float) -> None:
        clock = SimpleNamespace(monotonic=time.monotonic, time=lambda: time.time() + seconds)
        monkeypatch.setattr(consumers, "time", clock)

    return step


async def test_a_second_hello_with_a_new_token_continues_the_stream(
    stream: Stream, owner: AbstractUser, settings: Settings, advance_clock: Callable[[float], None]
) -> None:
    settings.PING_SECONDS = 0.2
    async with SocketClient(stream) as socket:
        await socket.send_hello(make_test_token(owner, seconds=60))
        await append_numbered_events_async(stream, 1)
        assert await socket.receive_events(1) == [(1, "progress")]
        await socket.send_hello(make_test_token(owner, seconds=600), after=0)
        advance_clock(120)  # after the first token has expired
        for number in range(2, 6):
            await append_numbered_events_async(stream, number)
            assert await socket.receive_events(number) == [(number, "progress")]
            await asyncio.sleep(0.1)
    assert all(json.loads(text)["type"] in ("welcome", "events", "ping") for text in socket.received_texts)


@pytest.mark.parametrize("kind", ["forged", "stranger"])
async def test_a_second_hello_is_checked_like_the_first(stream: Stream, token: str, kind: str) -> None:
    other = "forged" if kind == "forged" else make_test_token(await run_in_thread(create_stream_user)())
    code = CloseCode.UNAUTHORIZED if kind == "forged" else CloseCode.NOT_FOUND
    async with SocketClient(stream) as socket:
        await socket.send_hello(token)
        await socket.send_frame(type="hello", v=1, token=other)
        assert (await socket.receive_refusal())[1] == code


async def test_a_token_that_expires_closes_with_4401(
    stream: Stream, owner: AbstractUser, settings: Settings, advance_clock: Callable[[float], None]
) -> None:
    settings.PING_SECONDS = 0.2
    async with SocketClient(stream) as socket:
        await socket.send_hello(make_test_token(owner, seconds=60))
        advance_clock(120)
        await assert_refused(socket, CloseCode.UNAUTHORIZED, ErrorCode.UNAUTHORIZED)


async def test_pings_carry_the_cursor_and_a_pong_keeps_the_socket_open(
    stream: Stream, token: str, settings: Settings
) -> None:
    settings.PING_SECONDS = 0.1
    await append_numbered_events_async(stream, 1)
    async with SocketClient(stream) as socket:
        assert (await socket.send_hello(token))["ping"] == 0.1
        await socket.receive_events(1)
        nonces = set()
        for answer in ({}, {}, {}, {"nonce": None}, {"nonce": None}):  # as now, and by an earlier version
            ping = await socket.receive_frame()
            assert ping == {"type": "ping", "last": 1, "nonce": ping["nonce"]}
            nonces.add(ping["nonce"])
            await socket.send_frame(**{"type": "pong", "nonce": ping["nonce"]} | answer)
        assert len(nonces) == 5


async def test_a_pong_with_another_nonce_is_no_answer(stream: Stream, token: str, settings: Settings) -> None:
    settings.PING_SECONDS, settings.PONG_GRACE_SECONDS = 0.2, 0.3
    async with SocketClient(stream) as socket:
        await socket.send_hello(token)
        earlier = (await socket.receive_frame())["nonce"]
        await socket.send_frame(type="pong", nonce=earlier)
        assert (await socket.receive_frame())["type"] == "ping"
        for guess in (earlier, "", "x" * 100, "山"):
            await socket.send_frame(type="pong", nonce=guess)
        assert (await socket.receive_refusal())[1] == CloseCode.CLIENT_TIMEOUT


@pytest.mark.parametrize("kind", ["hello", "after"])
async def test_frames_that_cost_a_query_are_limited(stream: Stream, token: str, kind: str) -> None:
    async with SocketClient(stream) as socket:
        await socket.send_hello(token)
        for _ in range(MAX_CLIENT_REQUESTS + 1):
            await socket.send_frame(type=kind, v=1, token=token, after=0)
        while (frame := await socket.receive_frame())["type"] == "welcome":
            pass
        assert frame["problem"]["code"] == ErrorCode.RATE_LIMITED
        assert await socket.receive_frame() == {"type": "close", "code": CloseCode.TOO_FAST}


@pytest.mark.parametrize("grace", [0.05, 0.5])  # shorter and longer than the ping period
async def test_an_unanswered_ping_closes_the_socket(
    stream: Stream, token: str, settings: Settings, grace: float
) -> None:
    settings.PING_SECONDS, settings.PONG_GRACE_SECONDS = 0.1, grace
    async with SocketClient(stream) as socket:
        await socket.send_hello(token)
        assert (await socket.receive_frame())["type"] == "ping"
        assert (await socket.receive_frame())["type"] == "error", "one unanswered ping is not followed by another"
        assert await socket.receive_frame() == {"type": "close", "code": CloseCode.CLIENT_TIMEOUT}


async def test_any_frame_counts_as_an_answer_to_a_ping(stream: Stream, token: str, settings: Settings) -> None:
    settings.PING_SECONDS = 0.1
    async with SocketClient(stream) as socket:
        await socket.send_hello(token)
        for _ in range(4):
            assert (await socket.receive_frame())["type"] == "ping"
            await socket.send_frame(type="after", after=0)


async def test_an_after_frame_requests_the_log_again(stream: Stream, token: str) -> None:
    await append_numbered_events_async(stream, 1, 2, 3)
    async with SocketClient(stream) as socket:
        await socket.send_hello(token)
        await socket.receive_events(3)
        await socket.send_frame(type="after", after=1)
        assert await socket.receive_events(3) == [(2, "progress"), (3, "progress")]
        await append_numbered_events_async(stream, 4)
        assert await socket.receive_events(4) == [(4, "progress")]


async def test_an_after_frame_beyond_the_end_is_answered_by_a_reset(stream: Stream, token: str) -> None:
    await append_numbered_events_async(stream, 1)
    async with SocketClient(stream) as socket:
        await socket.send_hello(token)
        await socket.receive_events(1)
        await socket.send_frame(type="after", after=2**31)
        assert await socket.receive_frame() == {"type": "reset", "epoch": stream.epoch, "last": 1, "closed": False}
        assert await socket.receive_events(1) == [(1, "progress")]


async def test_a_cursor_of_another_epoch_is_reset_and_all_events_are_sent(stream: Stream, token: str) -> None:
    await append_numbered_events_async(stream, 1, 2)
    async with SocketClient(stream) as socket:
        await socket.send_hello(token, after=1, epoch="deadbeef")
        assert await socket.receive_frame() == {"type": "reset", "epoch": stream.epoch, "last": 2, "closed": False}
        assert await socket.receive_events(2) == [(1, "progress"), (2, "progress")]


async def test_a_client_without_cursor_is_not_reset(stream: Stream, token: str) -> None:
    await append_numbered_events_async(stream, 1)
    async with SocketClient(stream) as socket:
        await socket.send_hello(token, after=0, epoch="deadbeef")
        assert await socket.receive_events(1) == [(1, "progress")]


@pytest.mark.parametrize("after", [0, 2, 4])
async def test_a_pruned_stream_is_reset_and_closed(closed_stream: Stream, token: str, after: int) -> None:
    await run_in_thread(prune_streams)(timezone.now())
    async with SocketClient(closed_stream) as socket:
        welcome = await socket.send_hello(token, after=after, epoch=closed_stream.epoch)
        assert welcome["last"] == 0
        assert await socket.receive_frame() == {"type": "reset", "epoch": welcome["epoch"], "last": 0, "closed": True}
        assert await socket.receive_frame() == {"type": "close", "code": 1000}


async def test_frames_after_the_end_are_ignored(closed_stream: Stream, token: str) -> None:
    async with SocketClient(closed_stream) as socket:
        await socket.send_hello(token, after=4)
        assert (await socket.receive_frame())["type"] == "close"
        await socket.send_frame(type="after", after=0)
        await socket.send_to("not JSON")
        assert await socket.receive_nothing(0.05)


async def test_sockets_of_an_account_are_limited(stream: Stream, token: str, settings: Settings) -> None:
    settings.SOCKETS_PER_ACCOUNT = 2
    async with SocketClient(stream) as first, SocketClient(stream) as extra:
        await first.send_hello(token)
        async with SocketClient(stream) as second:
            await second.send_hello(token)
            await second.send_hello(token)  # renews the token of the same socket
            await extra.send_frame(type="hello", v=1, token=token, after=0, epoch=None)
            assert (await extra.receive_refusal())[1] == CloseCode.TOO_FAST
        async with SocketClient(stream) as third:
            await third.send_hello(token)


async def test_sockets_of_an_address_are_limited_before_their_hello(
    stream: Stream, token: str, settings: Settings
) -> None:
    settings.SOCKETS_PER_ADDRESS, settings.TRUSTED_PROXIES = 2, 1
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

    def connect_from(*forwarded: str) -> SocketClient:
        return SocketClient(stream, headers=[(b"x-forwarded-for", value.encode()) for value in forwarded])

    # What the client itself sends means nothing, and an IPv6 client has its whole network.
    async with connect_from("2001:db8::1"), connect_from("1.1.1.1, 2001:db8::2"):
        for spelling in (["2001:db8::3"], ["203.0.113.7,2001:db8::4"], ["203.0.113.8", "2001:db8::5"]):
            async with connect_from(*spelling) as extra:
                await assert_refused(extra, CloseCode.TOO_FAST, ErrorCode.RATE_LIMITED)
        async with connect_from("2001:db8:0:1::1") as other:
            await other.send_hello(token)
    async with connect_from("2001:db8::6") as later:
        await later.send_hello(token)


async def test_many_sockets_on_one_stream_get_the_same_bytes(stream: Stream, token: str) -> None:
    sockets = [SocketClient(stream) for _ in range(20)]
    for socket in sockets:
        await socket.__aenter__()
        await socket.send_hello(token)
    await append_numbered_events_async(stream, 1, 2, 3)
    for socket in sockets:
        await socket.receive_events(3)
    assert len({socket.received_texts[-1] for socket in sockets}) == 1
    for socket in sockets:
        await socket.__aexit__(None, None, None)


async def test_a_slow_client_does_not_delay_others(stream: Stream, token: str, settings: Settings) -> None:
    """With a server whose sends block, as uvicorn's do when the client's window is full."""
    settings.PING_SECONDS, settings.PONG_GRACE_SECONDS = 0.2, 1
    async with SocketClient(stream) as quick, SocketClient(stream, queue_size=1) as stuck:
        await quick.send_hello(token)
        await stuck.send_hello(token)
        for number in range(1, 6):
            await append_numbered_events_async(stream, number)
            assert await quick.receive_events(number) == [(number, "progress")]
        for _ in range(3):
            assert (await quick.receive_frame())["type"] == "ping"
            await quick.send_frame(type="pong")
        await close_all_sockets()
        assert (await quick.receive_refusal())[1] == CloseCode.GOING_AWAY
        stuck.future.cancel()


async def test_a_slow_client_receives_everything_later(stream: Stream, token: str) -> None:
    async with SocketClient(stream, queue_size=1) as slow, SocketClient(stream) as quick:
        for socket in (slow, quick):
            await socket.send_hello(token)
        for number in range(1, 31):
            await append_numbered_events_async(stream, number)
            await quick.receive_events(number)
        assert [seq for seq, _kind in await slow.receive_events(30)] == list(range(1, 31))


@run_in_thread
def append_big(stream: Stream, count: int) -> None:
    with transaction.atomic():
        append_events(stream.pk, [("progress", {"text": "x" * 10_000})] * count)


async def test_unacknowledged_bytes_are_limited(stream: Stream, token: str, settings: Settings) -> None:
    """With a server whose sends never block, such as daphne's; only pongs confirm that the client reads."""
    settings.PONG_GRACE_SECONDS = 3600
    async with SocketClient(stream) as deaf, SocketClient(stream) as quick:
        for socket in (deaf, quick):
            await socket.send_hello(token)
        await append_big(stream, 60)
        assert (await quick.receive_events(60))[-1][0] == 60
        seen = 0
        while (frame := await deaf.receive_frame())["type"] == "events":
            seen = frame["e"][-1][0]
        assert frame["type"] == "ping"
        assert MAX_UNACKNOWLEDGED_BYTES <= 10_000 * seen < 2 * MAX_UNACKNOWLEDGED_BYTES
        assert await deaf.receive_nothing()
        await deaf.send_frame(type="pong", nonce="guessed")
        assert await deaf.receive_nothing()
        await deaf.send_frame(type="pong", nonce=frame["nonce"])
        assert [seq for seq, _kind in await deaf.receive_events(60)] == list(range(seen + 1, 61))


async def test_a_client_that_never_acknowledges_is_closed(stream: Stream, token: str, settings: Settings) -> None:
    settings.PING_SECONDS, settings.PONG_GRACE_SECONDS = 0.2, 0.1
    async with SocketClient(stream) as deaf:
        await deaf.send_hello(token)
        await append_big(stream, 60)
        while (frame := await deaf.receive_frame())["type"] in ("events", "ping"):
            pass
        assert frame["type"] == "error"
        assert await deaf.receive_frame() == {"type": "close", "code": CloseCode.CLIENT_TIMEOUT}


@pytest.mark.parametrize("moment", ["before the hello", "in mid-hello", "while it follows"])
async def test_a_socket_killed_by_the_server_is_cleaned_up(
    stream: Stream, token: str, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    before = len(open_sockets)
    is_there = asyncio.Event()

    async def hang(_token: str) -> None:
        is_there.set()
        await asyncio.Event().wait()

    socket = SocketClient(stream)
    await socket.__aenter__()
    if moment == "in mid-hello":
        monkeypatch.setattr(consumers, "_authenticate_token", hang)
        await socket.send_frame(type="hello", v=1, token=token)
        await is_there.wait()
    elif moment == "while it follows":
        await socket.send_hello(token)
    assert len(open_sockets) == before + 1
    socket.future.cancel()
    await asyncio.wait([socket.future])
    assert len(open_sockets) == before
    assert f"stream.{stream.pk.hex}" not in get_channel_layer().groups


@pytest.mark.parametrize("cookie", [None, b"django_language=en"], ids=["header", "cookie"])
async def test_refusals_use_the_language_of_the_client(stream: Stream, cookie: bytes | None) -> None:
    wanted = [(b"cookie", cookie)] if cookie else [(b"accept-language", b"fr;q=0.9, en-GB;q=0.8")]
    problems = []
    for headers in (wanted, [], [(b"accept-language", b"\xff\xfe")]):
        async with SocketClient(stream, headers=headers) as socket:
            await socket.send_frame(type="pong")
            problems.append((await socket.receive_refusal())[0])
    assert [problem["copy"]["locale"] for problem in problems] == ["en", "zh-hans", "zh-hans"]
    assert problems[0]["title"].isascii()


async def test_logs_and_problems_carry_the_request_id_of_the_stream(owner: AbstractUser, token: str) -> None:
    stream = await run_in_thread(open_stream)(owner, request_id="id-of-the-post")
    with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as logs:
        async with SocketClient(stream) as socket:
            await socket.send_hello(token)
            await socket.send_frame(type="nonsense")
            assert (await socket.receive_refusal())[0]["request_id"] == "id-of-the-post"
    greeted = [line for line in logs if line["event"] == "socket_greeted"]
    assert [line["request_id"] for line in greeted] == ["id-of-the-post"]


async def test_each_socket_logs_its_own_request_id(owner: AbstractUser, settings: Settings) -> None:
    """Work that the hub does for all sockets (pings, timeouts) is logged with the id of each socket."""
    settings.PING_SECONDS, settings.PONG_GRACE_SECONDS = 0.05, 0.05
    streams = [await run_in_thread(open_stream)(owner, request_id=f"request-{number}") for number in range(3)]
    sockets = [SocketClient(stream) for stream in streams]
    for socket in sockets:
        await socket.__aenter__()
        await socket.send_hello(make_test_token(owner))
    for number, socket in enumerate(sockets):
        problem, code = await _silent_refusal(socket)
        assert (code, problem["request_id"]) == (CloseCode.CLIENT_TIMEOUT, f"request-{number}")
        await socket.__aexit__(None, None, None)


async def _silent_refusal(socket: SocketClient) -> tuple[dict[str, Any], int]:
    while (frame := await socket.receive_frame())["type"] == "ping":
        pass
    return frame["problem"], (await socket.receive_frame())["code"]


async def test_a_sign_out_closes_the_socket(owner: AbstractUser, stream: Stream, settings: Settings) -> None:
    settings.PING_SECONDS = 0.05
    kept, gone = make_test_token(owner), make_test_token(owner)
    async with SocketClient(stream) as stays, SocketClient(stream) as leaves:
        await stays.send_hello(kept)
        await leaves.send_hello(gone)
        revoke_test_token(gone)
        problem, code = await leaves.receive_refusal()
        assert (problem["code"], code) == ("UNAUTHORIZED", CloseCode.UNAUTHORIZED)
        await append_numbered_events_async(stream, 1)
        assert await stays.receive_events(1) == [(1, "progress")]
