"""How the server ends a connection: the close frame with its reason arrives, and malformed framing gets RFC 6455's."""

import asyncio
import socket
from collections.abc import Iterator

import pytest

from progress.frames import CloseCode
from testing.clients.raw_websocket import RawBytes, build_masked_frame, build_upgrade_request, run_raw_conversation
from testing.site import Site, running_site

# The server's timer may be a second short (txaio counts whole seconds), so one of a second could be none at all.
MIN_WAIT_SECONDS = 1.1


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with running_site(concurrency=0) as running:
        yield running


def test_client_that_does_not_answer_the_close_is_not_disconnected_at_once(site: Site) -> None:
    with socket.create_connection(("127.0.0.1", site.port), timeout=120) as connection:
        connection.sendall(build_upgrade_request("/ws/nowhere/"))
        received = b""
        while not received.endswith(int(CloseCode.NOT_FOUND).to_bytes(2, "big")):
            received += connection.recv(65_536)
        connection.settimeout(MIN_WAIT_SECONDS)
        with pytest.raises(TimeoutError):  # instead of the end of the connection
            connection.recv(1)


@pytest.mark.parametrize(
    ("message", "close_code"),
    [
        (RawBytes(b"\x83\x80\0\0\0\0"), 1002),  # an unknown opcode
        (RawBytes(b"\x81\x02{}"), 1002),  # not masked
        (RawBytes(build_masked_frame(b"\xff", 1)), 1007),  # not UTF-8
        ("y" * 300_000, 1009),
    ],
    ids=["opcode", "unmasked", "not UTF-8", "oversized"],
)
def test_malformed_framing_is_closed_as_rfc_6455_requires(site: Site, message: RawBytes | str, close_code: int) -> None:
    path = "/ws/diagnosis/00000000-0000-0000-0000-000000000000/"
    received = asyncio.run(run_raw_conversation(site.port, path, [message], sends_close=False))
    assert (received.is_upgraded, received.close_code) == (True, close_code)
    assert site.server.is_running
