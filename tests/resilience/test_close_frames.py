"""A slow client still receives the reason for which its socket was refused."""

import socket

import pytest

from progress.frames import CloseCode
from testing.raw_websocket import build_upgrade_request
from testing.site import running_site

# The server's timer may run a second short (txaio counts whole ones), so a second of patience can be none at all.
MIN_PATIENCE = 1.1


def test_slow_client_still_receives_the_close_frame() -> None:
    with running_site(concurrency=0) as site, socket.create_connection(("127.0.0.1", site.port), timeout=30) as line:
        line.sendall(build_upgrade_request("/ws/nowhere/"))
        said = b""
        while not said.endswith(int(CloseCode.NOT_FOUND).to_bytes(2, "big")):
            said += line.recv(65_536)
        line.settimeout(MIN_PATIENCE)
        with pytest.raises(TimeoutError):  # and not the end
            line.recv(1)
