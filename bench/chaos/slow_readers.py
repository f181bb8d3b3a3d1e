"""Sockets that read nothing while more data is pending for them than a client may leave unread."""

import socket
import time
from dataclasses import dataclass

from bench.push.feeds import LogFeed
from testing.clients.raw_websocket import TEXT, build_masked_frame, build_upgrade_request

MIN_BUFFERED_BYTES = 16 * 1024  # with less, a reader was disconnected for another reason than being slow
SECONDS_UNTIL_DISCONNECTED = 25.0  # a ping after 10 s, 5 s for its pong, and a margin


@dataclass(frozen=True)
class SlowReader:
    """How many bytes the server had sent to it, and whether it was disconnected."""

    bytes: int
    is_disconnected: bool

    @property
    def is_as_expected(self) -> bool:
        """Whether it was sent something and then disconnected."""
        return self.is_disconnected and self.bytes >= MIN_BUFFERED_BYTES


def read_nothing(port: int, flood: LogFeed) -> list[SlowReader]:
    """Connect a socket for each target of the feed, publish all its events, read nothing, and return the outcome."""
    sockets = [_open_welcomed_socket(port, path, hello) for path, hello in flood.targets]
    flood.publish(flood.streams, flood.events)
    time.sleep(SECONDS_UNTIL_DISCONNECTED)
    return [_drain_socket(opened) for opened in sockets]


def _open_welcomed_socket(port: int, path: str, hello: str) -> socket.socket:
    opened = socket.create_connection(("127.0.0.1", port), timeout=20)
    opened.sendall(build_upgrade_request(path))
    received = b""
    while not received.endswith(b"\r\n\r\n"):
        received += opened.recv(1)
    opened.sendall(build_masked_frame(hello.encode(), TEXT))
    while b"welcome" not in received:
        received += opened.recv(1 << 10)
    return opened


def _drain_socket(opened: socket.socket) -> SlowReader:
    size = 0
    with opened:
        try:
            while data := opened.recv(1 << 16):
                size += len(data)
        except TimeoutError:
            return SlowReader(size, is_disconnected=False)
        except ConnectionError:
            pass
    return SlowReader(size, is_disconnected=True)
