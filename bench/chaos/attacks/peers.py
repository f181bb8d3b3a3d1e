"""Hostile peers of sockets, in a process of their own: `python -m bench.chaos.attacks.peers PORT KIND SEED`.

Reads path and hello of each peer from standard input, a JSON list, and attacks until it is killed. A peer leaves
when it is disconnected or after some seconds, and comes back.
"""

import asyncio
import contextlib
import json
import random
import socket
import subprocess
import sys
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from testing.clients.raw_websocket import TEXT, build_masked_frame, build_upgrade_request
from testing.site import PROJECT_ROOT

CONTINUATION, PING = 0, 9
RECEIVE_BUFFER_BYTES = 4096  # so that little waits in the kernel
MIN_STAY_SECONDS, MAX_STAY_SECONDS = 10.0, 20.0
MIN_AWAY_SECONDS, MAX_AWAY_SECONDS = 1.0, 4.0

PONG = build_masked_frame(b'{"type":"pong"}', TEXT)
AFTER = build_masked_frame(b'{"type":"after","after":0}', TEXT)
FIRST_FRAGMENT = bytes([TEXT]) + build_masked_frame(b"x" * 4000, CONTINUATION)[1:]
FRAGMENT = bytes([CONTINUATION]) + build_masked_frame(b"x" * 4000, CONTINUATION)[1:]

# What a peer of each kind sends at a time, how often per second, and whether it says hello and reads.
KINDS: dict[str, tuple[bytes, float, bool, bool]] = {
    "says no hello": (FIRST_FRAGMENT + 2 * FRAGMENT, 0.1, False, True),
    "reads nothing": (b"", 1, True, False),
    "answers pings blindly and reads nothing": (PONG, 2, True, False),
    "floods pings": (200 * build_masked_frame(b"x" * 125, PING), 5, True, False),
    "asks for the log again and again": (AFTER, 20, True, False),
}


class HostilePeers:
    """The process with the peers."""

    def __init__(self, port: int, kind: str, targets: Sequence[tuple[str, str]], seed: int) -> None:
        self._command = [sys.executable, "-m", "bench.chaos.attacks.peers", str(port), kind, str(seed)]
        self._targets = targets

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._command, cwd=PROJECT_ROOT, stdin=subprocess.PIPE)
        assert self._process.stdin
        self._process.stdin.write(json.dumps(self._targets).encode())
        self._process.stdin.close()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()


async def _attack(port: int, kind: str, path: str, hello: str, rng: random.Random) -> None:
    """Attack with one peer, again and again."""
    while True:
        with contextlib.suppress(OSError, TimeoutError, ExceptionGroup), socket.socket() as peer:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
            peer.setblocking(False)
            async with asyncio.timeout(rng.uniform(MIN_STAY_SECONDS, MAX_STAY_SECONDS)):
                await _attack_once(peer, port, kind, path, hello)
        await asyncio.sleep(rng.uniform(MIN_AWAY_SECONDS, MAX_AWAY_SECONDS))


async def _attack_once(peer: socket.socket, port: int, kind: str, path: str, hello: str) -> None:
    data, per_second, says_hello, reads = KINDS[kind]
    loop = asyncio.get_running_loop()
    await loop.sock_connect(peer, ("127.0.0.1", port))
    await loop.sock_sendall(peer, build_upgrade_request(path))
    received = b""
    while not received.endswith(b"\r\n\r\n") and (byte := await loop.sock_recv(peer, 1)):
        received += byte
    if says_hello:
        await loop.sock_sendall(peer, build_masked_frame(hello.encode(), TEXT))
    async with asyncio.TaskGroup() as group:
        sending = group.create_task(_send_repeatedly(peer, data, per_second))
        if reads:
            while await loop.sock_recv(peer, 65_536):
                pass
            sending.cancel()


async def _send_repeatedly(peer: socket.socket, data: bytes, per_second: float) -> None:
    with contextlib.suppress(OSError):
        while True:
            await asyncio.get_running_loop().sock_sendall(peer, data)
            await asyncio.sleep(1 / per_second)


async def _attack_with_all(port: int, kind: str, targets: Sequence[tuple[str, str]], rng: random.Random) -> None:
    async def come(path: str, hello: str) -> None:
        await asyncio.sleep(rng.uniform(0, 4))
        await _attack(port, kind, path, hello, rng)

    await asyncio.gather(*(come(path, hello) for path, hello in targets))


if __name__ == "__main__":
    asyncio.run(
        _attack_with_all(int(sys.argv[1]), sys.argv[2], json.loads(sys.stdin.read()), random.Random(sys.argv[3]))
    )
