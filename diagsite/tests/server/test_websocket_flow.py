"""Peers of a socket that do not read, or flood it: they are disconnected, and others do not notice."""

import contextlib
import json
import socket
import time
from collections.abc import Iterator

import httpx
import pytest

from diagsite.server.websocket_protocol import MAX_CONTROL_FRAMES_PER_SECOND, MAX_RECEIVED_MESSAGE_BYTES
from testing.clients.raw_websocket import TEXT, build_masked_frame, build_upgrade_request
from testing.invariants import StartedDiagnosis, request_diagnosis
from testing.services import LOCAL_HTTPX_OPTIONS
from testing.site import Site, running_site

PING, PONG = 9, 10
MIB = 2**20


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with running_site(concurrency=0, PONG_GRACE_SECONDS="2", PING_SECONDS="1", HELLO_SECONDS="2") as running:
        yield running


@pytest.fixture
def ordered(site: Site) -> StartedDiagnosis:
    """A diagnosis that stays queued, so that its stream stays open."""
    with site.client() as client:
        return request_diagnosis(client, ["demo-fast"], questions=1)


def _connect(site: Site, path: str, *, receive_bytes: int = 4096) -> socket.socket:
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    connection.settimeout(30)
    connection.connect(("127.0.0.1", site.port))
    connection.sendall(build_upgrade_request(path))
    received = b""
    while not received.endswith(b"\r\n\r\n"):
        received += connection.recv(1)
    return connection


def _follow(site: Site, ordered: StartedDiagnosis, *, receive_bytes: int = 4096) -> socket.socket:
    connection = _connect(site, f"/ws/diagnosis/{ordered.stream}/", receive_bytes=receive_bytes)
    hello = {"type": "hello", "v": 1, "token": site.token(), "after": 0, "epoch": None}
    connection.sendall(build_masked_frame(json.dumps(hello).encode(), TEXT))
    received = b""
    while b"events" not in received:
        received += connection.recv(256)
    return connection


def _append_big_events(site: Site, stream: str, mebibytes: int) -> None:
    site.query(
        """
        WITH head AS (UPDATE progress_stream SET last_seq = last_seq + %s WHERE id = %s RETURNING id, last_seq)
        INSERT INTO progress_event (stream_id, seq, kind, data, created_at)
        SELECT id, last_seq - place, 'progress', jsonb_build_object('text', repeat('x', 32000)), now()
        FROM head, generate_series(0, %s - 1) AS place RETURNING seq
        """,
        mebibytes * 32,
        stream,
        mebibytes * 32,
    )


def _read_to_the_end(connection: socket.socket) -> int:
    """Return how many bytes were received until the server ended the connection. Raises TimeoutError if it does not."""
    size = 0
    with contextlib.suppress(ConnectionError):
        while data := connection.recv(65_536):
            size += len(data)
    return size


def _encode(**frame: object) -> bytes:
    return build_masked_frame(json.dumps(frame).encode(), TEXT)


def test_peers_that_do_not_read_are_disconnected(site: Site, ordered: StartedDiagnosis) -> None:
    """Whatever they send meanwhile: nothing, pongs without or with a wrong nonce, pongs of the protocol below."""
    frames = [b"", _encode(type="pong"), _encode(type="pong", nonce="guessed"), build_masked_frame(b"", PONG)]
    with contextlib.ExitStack() as stack:
        peers = [stack.enter_context(_follow(site, ordered)) for _ in frames]
        _append_big_events(site, ordered.stream, 32)
        deadline, is_connected = time.monotonic() + 60, [True] * len(peers)
        while any(is_connected[1:]) and time.monotonic() < deadline:
            time.sleep(0.2)
            for number, (peer, frame) in enumerate(zip(peers, frames, strict=True)):
                with contextlib.suppress(BlockingIOError):
                    try:
                        peer.sendall(frame)
                    except ConnectionError:
                        is_connected[number] = False
        assert not any(is_connected[1:])
        assert [_read_to_the_end(peer) < 16 * MIB for peer in peers] == [True] * len(peers)  # what kernels hold
    assert httpx.get(f"{site.url}/readyz", **LOCAL_HTTPX_OPTIONS).status_code == 200


def test_a_peer_that_reads_slowly_receives_everything(site: Site, ordered: StartedDiagnosis) -> None:
    """It answers pings, as a client of an earlier version does, and reads in steps."""
    with _follow(site, ordered, receive_bytes=65_536) as connection:
        _append_big_events(site, ordered.stream, 2)
        received, pongs = b"", 0
        while received.count(b'"text"') < 64:
            time.sleep(0.005)
            data = connection.recv(32_768)
            assert data, received[-200:]
            received += data
            for _ in range(pongs, received.count(b'"ping"')):
                connection.sendall(_encode(type="pong"))
                pongs += 1


@pytest.mark.parametrize("fragments", [1, 9])
def test_a_message_that_is_too_big_is_refused_before_it_is_read(site: Site, fragments: int) -> None:
    size = (MAX_RECEIVED_MESSAGE_BYTES + 1024) // fragments
    head = bytes([TEXT]) + build_masked_frame(b"x" * size, TEXT)[1:]  # without FIN, also the last one
    rest = bytes([0]) + head[1:]
    with _connect(site, "/ws/diagnosis/x/") as connection:
        connection.sendall((head + rest * (fragments - 1))[: MAX_RECEIVED_MESSAGE_BYTES + 100])
        received = b""
        while (1009).to_bytes(2, "big") not in received:
            received += connection.recv(4096)
            assert received


@pytest.mark.parametrize("opcode", [PING, PONG])
@pytest.mark.parametrize("is_welcome", [True, False])
def test_a_flood_of_control_frames_ends_the_connection(
    site: Site, ordered: StartedDiagnosis, opcode: int, is_welcome: bool
) -> None:
    with _follow(site, ordered) if is_welcome else _connect(site, "/ws/diagnosis/x/") as connection:
        connection.sendall(build_masked_frame(b"x" * 125, opcode) * 2000)
        assert _read_to_the_end(connection) < 128 * (MAX_CONTROL_FRAMES_PER_SECOND + 1) + 4096


def test_a_flood_of_messages_ends_the_connection(site: Site, ordered: StartedDiagnosis) -> None:
    with _follow(site, ordered) as connection:
        connection.sendall(_encode(type="after", after=0) * 500)
        _read_to_the_end(connection)


def test_a_peer_that_never_says_hello_is_disconnected(site: Site) -> None:
    with _connect(site, "/ws/diagnosis/x/") as connection:
        started = time.monotonic()
        assert _read_to_the_end(connection) < 4096
        assert time.monotonic() - started < 10
