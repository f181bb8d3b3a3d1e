"""Reads of a hostile server end within their limits of bytes and time."""

import gzip
import threading
import time
import tracemalloc
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import httpx
import pytest

from performance.bounded_reads import UNCOMPRESSED_HEADERS, ResponseTooLarge, read_bounded

MAX_BYTES = 64 * 1024
ZEROS = b"0" * 10_000_000
BOMB = gzip.compress(ZEROS)


class _HostileHandler(BaseHTTPRequestHandler):
    """Answers by path; `is_over` ends what would never end."""

    is_over: ClassVar = threading.Event()

    def do_GET(self) -> None:
        self.send_response(200)
        if self.path in ("/gzip", "/unknown"):
            self.send_header("Content-Encoding", self.path[1:])
        self.end_headers()
        try:
            for part in self._parts():
                self.wfile.write(part)
                self.wfile.flush()
        except OSError:
            return

    def _parts(self) -> Iterator[bytes]:
        if self.path == "/whole":
            yield b"x" * MAX_BYTES
        elif self.path == "/drip":
            while not self.is_over.wait(0.01):
                yield b"x"
        elif self.path == "/endless":
            while not self.is_over.is_set():
                yield ZEROS
        else:
            yield BOMB

    def log_message(self, format: str, *args: object) -> None:
        """Write nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _HostileHandler) as server:
        server.daemon_threads = True
        _HostileHandler.is_over.clear()
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        _HostileHandler.is_over.set()
        server.shutdown()


def _read(url: str) -> bytes:
    with httpx.Client(trust_env=False) as client, client.stream("GET", url, headers=UNCOMPRESSED_HEADERS) as response:
        return read_bounded(response, MAX_BYTES, timeout_seconds=0.3)


def test_response_of_the_largest_size_is_returned(url: str) -> None:
    assert _read(f"{url}/whole") == b"x" * MAX_BYTES


@pytest.mark.parametrize("kind", ["gzip", "unknown", "endless"])
def test_bombs_and_endless_responses_take_no_memory(url: str, kind: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(ResponseTooLarge):
            _read(f"{url}/{kind}")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4_000_000


def test_response_that_drips_ends_in_time(url: str) -> None:
    started = time.monotonic()
    with pytest.raises(httpx.ReadTimeout):
        _read(f"{url}/drip")
    assert time.monotonic() - started < 20  # 0.3 s but for the load of the machine
