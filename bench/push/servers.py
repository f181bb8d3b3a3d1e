"""The servers that are measured: ours, on daphne and on uvicorn, and what one could have taken instead."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]
PEERS = ROOT / "bench" / "push" / "peers"
MOST_SECONDS_TO_START = 60
# Limits that one address with a thousand sockets would run into, and the pace of production.
OURS = {
    "CALLS_PER_MINUTE": "10000000",
    "ADDRESS_CALLS_PER_MINUTE": "10000000",
    "SIGN_INS_PER_MINUTE": "10000000",
    "STARTS_PER_MINUTE": "10000000",
    "MAX_UNFINISHED_DIAGNOSES": "0",
    "MAX_UNFINISHED_PER_OWNER": "0",
    "JOB_HEARTBEAT_SECONDS": "2",
    "JOB_STALLED_SECONDS": "10",
    "JOB_SWEEP_SECONDS": "5",
    "LOG_LEVEL": "ERROR",
}


@dataclass(frozen=True)
class Contestant:
    """A server to be measured. kind: how it is fed ("log", "lines", "layer")."""

    name: str
    kind: str
    command: Sequence[str]  # {port} and {feed} are put in


UVICORN = [
    *(sys.executable, "-m", "uvicorn", "diagsite.asgi:application", "--port", "{port}", "--lifespan", "off"),
    *("--ws", "websockets-sansio", "--ws-per-message-deflate", "false", "--log-level", "error", "--loop"),
]
DAPHNE = Contestant(
    "ours on daphne", "log", [sys.executable, "manage.py", "serve", "--concurrency", "0", "--port", "{port}"]
)
ON_UVICORN = Contestant("ours on uvicorn", "log", [*UVICORN, "asyncio"])
ON_UVLOOP = Contestant("ours on uvicorn with uvloop", "log", [*UVICORN, "uvloop"])
BARE = Contestant("bare websockets", "lines", [sys.executable, "-m", "bench.push.peers.bare", "{port}", "{feed}"])
PLAIN = Contestant(
    "plain Channels consumer on daphne",
    "layer",
    [sys.executable, "-m", "daphne", "-v", "0", "-p", "{port}", "bench.push.peers.plain:application"],
)
NODE_WS = Contestant("node ws", "lines", ["node", str(PEERS / "ws.js"), "{port}", "{feed}"])
SOCKET_IO = Contestant("socket.io", "lines", ["node", str(PEERS / "socketio.js"), "{port}", "{feed}"])


@dataclass(frozen=True)
class Served:
    """A running contestant."""

    contestant: Contestant
    port: int
    feed_port: int
    process: psutil.Process

    def cpu_seconds(self) -> float:
        """Of its life."""
        times = self.process.cpu_times()
        return float(times.user + times.system)

    def memory(self) -> int:
        """Bytes that are its own."""
        return int(self.process.memory_full_info().uss)


def have_two_cores() -> bool:
    """Whether server and load can be kept apart."""
    return len(os.sched_getaffinity(0)) > 1 and shutil.which("taskset") is not None


@contextmanager
def everything_on(cores: set[int]) -> Iterator[None]:
    """This process, all that it has started and all that it starts meanwhile run on these cores only."""
    before = os.sched_getaffinity(0)
    _place(cores)
    try:
        yield
    finally:
        _place(before)


def _place(cores: set[int]) -> None:
    us = psutil.Process()
    for one in [us, *us.children(recursive=True)]:
        with contextlib.suppress(psutil.NoSuchProcess):
            for thread in one.threads():
                os.sched_setaffinity(thread.id, cores)


@contextmanager
def served(contestant: Contestant, environment: dict[str, str], *, core: int | None = None) -> Iterator[Served]:
    """A contestant that serves, killed at the end. core: the one that it is kept to."""
    port, feed_port = free_port(), free_port()
    command = [part.format(port=port, feed=feed_port) for part in contestant.command]
    if core is not None:
        command = ["taskset", "-c", str(core), *command]
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **environment, "PORT": str(port)})
    try:
        for one in [port, feed_port] if contestant.kind == "lines" else [port]:
            _wait_until_open(one, process)
        yield Served(contestant, port, feed_port, psutil.Process(process.pid))
    finally:
        process.kill()
        process.wait()


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_open(port: int, process: subprocess.Popen[bytes]) -> None:
    limit = time.monotonic() + MOST_SECONDS_TO_START
    while time.monotonic() < limit and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise TimeoutError(f"{process.args!r} did not open port {port}")
