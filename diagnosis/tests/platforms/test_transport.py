"""The transport: only allowed addresses, bounded time and size, nothing kept from one call to the next."""

import asyncio
import gzip
import resource
import socket
import time
import tracemalloc
import zlib
from collections.abc import Mapping
from typing import Any

import pytest

from diagnosis.platforms import transport
from diagnosis.platforms.transport import (
    MAX_PLATFORM_RESPONSE_BYTES,
    ConnectionBroken,
    InvalidRequest,
    InvalidResponse,
    PlatformRequest,
    PlatformResponse,
    RequestTimedOut,
    TransportError,
    send,
)
from testing.fakes.platform import Behaviour, Exchange, FakePlatform, respond_slowly, respond_with

in_one_loop = pytest.mark.asyncio(loop_scope="module")


async def _send(
    base_url: str, headers: Mapping[str, str] | None = None, *, timeout_seconds: float = 20
) -> PlatformResponse:
    request = PlatformRequest("POST", f"{base_url}/chat/completions", headers or {}, b'{"model": "m"}')
    return await send(request, timeout_seconds=timeout_seconds)


def _send_raw(data: bytes) -> Behaviour:
    async def behave(exchange: Exchange) -> None:
        await exchange.send(data)
        exchange.hang_up()

    return behave


def _resolve_names_to(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    def resolve(host: Any, port: Any, *args: Any, **kwargs: Any) -> list[Any]:
        families = [socket.AF_INET6 if ":" in address else socket.AF_INET for address in addresses]
        return [(family, 1, 6, "", (address, port)) for family, address in zip(families, addresses, strict=True)]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)


@in_one_loop
async def test_every_status_is_a_response_with_lower_case_headers(fake: FakePlatform) -> None:
    for status in (200, 302, 404, 503):
        fake.set_behaviour(respond_with("x", status=status, headers={"Retry-After": "7", "Location": "http://a.b/"}))
        response = await _send(fake.base_url)
        assert (response.status, response.headers["retry-after"], response.body) == (status, "7", b"x")


@in_one_loop
@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_compressed_bodies_are_decompressed(fake: FakePlatform, encoding: str) -> None:
    compress = gzip.compress if encoding == "gzip" else zlib.compress
    fake.set_behaviour(respond_with(compress("好".encode() * 90_000), headers={"Content-Encoding": encoding}))
    assert (await _send(fake.base_url)).body.decode() == "好" * 90_000


@in_one_loop
@pytest.mark.parametrize(
    ("url", "addresses"),
    [
        ("http://api.openai.com/v1", ["127.0.0.1"]),
        ("http://api.openai.com/v1", ["104.18.7.192", "10.0.0.1"]),
        ("http://api.openai.com/v1", ["169.254.169.254"]),
        ("http://api.openai.com/v1", ["::1"]),
        ("http://api.openai.com/v1", ["::ffff:127.0.0.1"]),
        ("http://api.openai.com/v1", ["64:ff9b::7f00:1"]),
        ("http://169.254.169.254/v1", []),
        ("http://[::1]/v1", []),
        ("http://[::ffff:127.0.0.1]/v1", []),
        ("http://2130706433/v1", []),
        ("http://0x7f.1/v1", []),
        ("http://127.1/v1", []),
        ("http://localhost/v1", []),
        ("http://api.openai.com@localhost/v1", []),
        ("http://api.openai.com.evil.example/v1", []),
        ("http://api.openai.com\\@localhost/v1", []),
    ],
)
async def test_only_allowed_addresses_are_connected_to(
    monkeypatch: pytest.MonkeyPatch, fake: FakePlatform, settings: Any, url: str, addresses: list[str]
) -> None:
    settings.OUTGOING_HOSTS = ["api.openai.com"]
    if addresses:
        _resolve_names_to(monkeypatch, *addresses)
    with pytest.raises(InvalidRequest):
        await _send(url.replace("/v1", f":{fake.port}/v1"))
    assert fake.count() == 0


async def test_a_name_is_connected_at_the_address_that_was_checked(
    monkeypatch: pytest.MonkeyPatch, fake: FakePlatform, settings: Any
) -> None:
    settings.OUTGOING_HOSTS = ["api.openai.com", "127.0.0.0/8"]
    resolved = iter([["127.0.0.1"], ["10.0.0.1"]])
    monkeypatch.setattr(transport, "resolve_allowed_addresses", lambda *args: next(resolved))
    assert (await _send(f"http://api.openai.com:{fake.port}/v1")).status == 200
    assert fake.calls[0].headers["host"] == f"api.openai.com:{fake.port}"


@in_one_loop
async def test_a_name_that_does_not_resolve_is_a_broken_connection(settings: Any) -> None:
    settings.OUTGOING_HOSTS = ["nothing.invalid"]
    with pytest.raises(ConnectionBroken):
        await _send("http://nothing.invalid/v1")


@in_one_loop
@pytest.mark.parametrize(
    ("url", "headers"),
    [
        ("http://127.0.0.1:99999/v1", {}),
        ("http://[127.0.0.1/v1", {}),
        ("", {}),
        ("ftp://127.0.0.1/v1", {}),
        ("http://127.0.0.1:{port}/v1", {"Authorization": "Bearer a\r\nX: b"}),
    ],
)
async def test_an_invalid_request_is_not_sent(fake: FakePlatform, url: str, headers: dict[str, str]) -> None:
    with pytest.raises(InvalidRequest):
        await _send(url.format(port=fake.port), headers)
    assert fake.count() == 0


@in_one_loop
@pytest.mark.parametrize(
    "data", [b"nonsense\r\n\r\n", b"HTTP/1.1 999999 x\r\n\r\n", b"HTTP/1.1 200 OK\r\na\x00:b\r\n\r\n"]
)
async def test_what_is_not_http_is_an_invalid_response(fake: FakePlatform, data: bytes) -> None:
    fake.set_behaviour(_send_raw(data))
    with pytest.raises(InvalidResponse):
        await _send(fake.base_url)


@in_one_loop
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nzzzz",
    ],
)
async def test_an_incomplete_response_is_a_broken_connection(fake: FakePlatform, data: bytes) -> None:
    fake.set_behaviour(_send_raw(data))
    with pytest.raises(ConnectionBroken):
        await _send(fake.base_url)


@in_one_loop
@pytest.mark.parametrize("is_compressed", [False, True])
async def test_a_response_may_have_four_mebibytes(fake: FakePlatform, is_compressed: bool) -> None:
    for size in (MAX_PLATFORM_RESPONSE_BYTES, MAX_PLATFORM_RESPONSE_BYTES + 1):
        body = b"x" * size
        headers = {"Content-Encoding": "gzip"} if is_compressed else {}
        fake.set_behaviour(respond_with(gzip.compress(body) if is_compressed else body, headers=headers))
        if size == MAX_PLATFORM_RESPONSE_BYTES:
            assert len((await _send(fake.base_url)).body) == size
        else:
            with pytest.raises(InvalidResponse, match="more than 4194304 bytes"):
                await _send(fake.base_url)


@in_one_loop
async def test_a_decompression_bomb_takes_neither_memory_nor_the_event_loop(fake: FakePlatform) -> None:
    compressor = zlib.compressobj(9, wbits=31)
    zeros = bytes(16 * 1024 * 1024)
    bomb = b"".join([*(compressor.compress(zeros) for _ in range(32)), compressor.flush()])  # 512 MiB in 0.5
    fake.set_behaviour(respond_with(bomb, headers={"Content-Encoding": "gzip"}))
    stalls: list[float] = []

    async def watch_the_loop() -> None:
        last = time.thread_time()  # processor time of this thread, so that a busy machine changes nothing
        while True:
            await asyncio.sleep(0)
            stalls.append(time.thread_time() - last)
            last = time.thread_time()

    watching = asyncio.create_task(watch_the_loop())
    tracemalloc.start()
    try:
        with pytest.raises(InvalidResponse):
            await _send(fake.base_url)
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        watching.cancel()
    assert peak_bytes < 4 * MAX_PLATFORM_RESPONSE_BYTES
    assert max(stalls) < 0.2


@in_one_loop
@pytest.mark.parametrize("timeout_seconds", [0.3, 0.6])
async def test_time_limit_covers_a_response_that_arrives_byte_by_byte(
    fake: FakePlatform, timeout_seconds: float
) -> None:
    fake.set_behaviour(respond_slowly(interval_seconds=0.02))
    started = time.monotonic()
    with pytest.raises(RequestTimedOut):
        await _send(fake.base_url, timeout_seconds=timeout_seconds)
    assert time.monotonic() - started < 8


@in_one_loop
async def test_time_limit_covers_endless_headers(fake: FakePlatform) -> None:
    async def send_headers(exchange: Exchange) -> None:
        await exchange.send(b"HTTP/1.1 200 OK\r\n")
        while True:
            await exchange.send(b"X-More: and more\r\n")
            await asyncio.sleep(0.01)

    fake.set_behaviour(send_headers)
    with pytest.raises((RequestTimedOut, InvalidResponse)):
        await _send(fake.base_url, timeout_seconds=0.5)


@in_one_loop
async def test_an_idle_connection_that_the_platform_closed_is_not_used_again(fake: FakePlatform) -> None:
    async def answer_and_close(exchange: Exchange) -> None:
        await respond_with("{}")(exchange)
        exchange.hang_up()

    fake.set_behaviour(answer_and_close)
    for _ in range(5):
        assert (await _send(fake.base_url)).status == 200
        await asyncio.sleep(0.01)


@in_one_loop
async def test_no_cookie_and_no_proxy(fake: FakePlatform, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    fake.set_behaviour(respond_with("{}", headers={"Set-Cookie": "a=b; Path=/"}))
    for _ in range(2):
        await _send(fake.base_url)
    assert "cookie" not in fake.calls[1].headers


@pytest.mark.filterwarnings("error::ResourceWarning")
def test_the_session_is_closed_with_its_event_loop(fake: FakePlatform) -> None:
    sessions = []

    async def use() -> None:
        await asyncio.gather(_send(fake.base_url), _send(fake.base_url))
        sessions.append(await transport._get_session())

    for _ in range(3):
        asyncio.run(use())
    assert [session.closed for session in sessions] == [True] * 3
    assert not any(session in (one.session for one in transport._sessions_by_loop.values()) for session in sessions)


@in_one_loop
async def test_only_transport_errors_are_raised(fake: FakePlatform) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))  # no descriptor is left
    try:
        with pytest.raises(TransportError):
            await _send(fake.base_url.replace("127.0.0.1", "127.0.0.2"))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
