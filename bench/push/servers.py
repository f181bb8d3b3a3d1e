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

PROJECT_ROOT = Path(__file__).parents[2]
PEERS_DIRECTORY = PROJECT_ROOT / "bench" / "push" / "peers"
MAX_START_SECONDS = 60
# Limits that one address with a thousand sockets would run into, and the pace of production.
BENCH_SITE_SETTINGS = {
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
class ServerSpec:
    """A server to be measured. kind: how it is fed ("log", "lines", "layer")."""

    name: str
    kind: str
    command: Sequence[str]  # {port} and {feed} are put in


UVICORN = [
    *(sys.executable, "-m", "uvicorn", "diagsite.asgi:application", "--port", "{port}", "--lifespan", "off"),
    *("--ws", "websockets-sansio", "--ws-per-message-deflate", "false", "--log-level", "error", "--loop"),
]
DAPHNE = ServerSpec(
    "ours on daphne", "log", [sys.executable, "manage.py", "serve", "--concurrency", "0", "--port", "{port}"]
)
ON_UVICORN = ServerSpec("ours on uvicorn", "log", [*UVICORN, "asyncio"])
ON_UVLOOP = ServerSpec("ours on uvicorn with uvloop", "log", [*UVICORN, "uvloop"])
BARE_WEBSOCKETS = ServerSpec(
    "bare websockets", "lines", [sys.executable, "-m", "bench.push.peers.bare_websockets", "{port}", "{feed}"]
)
PLAIN_CHANNELS = ServerSpec(
    "plain Channels consumer on daphne",
    "layer",
    [sys.executable, "-m", "daphne", "-v", "0", "-p", "{port}", "bench.push.peers.plain_channels:application"],
)
NODE_WS = ServerSpec("node ws", "lines", ["node", str(PEERS_DIRECTORY / "ws.js"), "{port}", "{feed}"])
SOCKET_IO = ServerSpec("socket.io", "lines", ["node", str(PEERS_DIRECTORY / "socketio.js"), "{port}", "{feed}"])


@dataclass(frozen=True)
class RunningServer:
    """A running contestant."""

    spec: ServerSpec
    port: int
    feed_port: int
    process: psutil.Process

    def get_cpu_seconds(self) -> float:
        """Of its life."""
        times = self.process.cpu_times()
        return float(times.user + times.system)

    def get_memory_bytes(self) -> int:
        """Bytes that are its own."""
        return int(self.process.memory_full_info().uss)


def has_two_cores() -> bool:
    """Whether server and load can be kept apart."""
    return len(os.sched_getaffinity(0)) > 1 and shutil.which("taskset") is not None


@contextmanager
def pinned_to_cores(cores: set[int]) -> Iterator[None]:
    """This process, all that it has started and all that it starts meanwhile run on these cores only."""
    before = os.sched_getaffinity(0)
    _set_affinity(cores)
    try:
        yield
    finally:
        _set_affinity(before)


def _set_affinity(cores: set[int]) -> None:
    us = psutil.Process()
    for one in [us, *us.children(recursive=True)]:
        with contextlib.suppress(psutil.NoSuchProcess):
            for thread in one.threads():
                os.sched_setaffinity(thread.id, cores)


@contextmanager
def running_bench_server(
    spec: ServerSpec, environment: dict[str, str], *, core: int | None = None
) -> Iterator[RunningServer]:
    """A contestant that serves, killed at the end. core: the one that it is kept to."""
    port, feed_port = find_free_port(), find_free_port()
    command = [part.format(port=port, feed=feed_port) for part in spec.command]
    if core is not None:
        command = ["taskset", "-c", str(core), *command]
    process = subprocess.Popen(command, cwd=PROJECT_ROOT, env={**os.environ, **environment, "PORT": str(port)})
    try:
        for one in [port, feed_port] if spec.kind == "lines" else [port]:
            _wait_until_open(one, process)
        yield RunningServer(spec, port, feed_port, psutil.Process(process.pid))
    finally:
        process.kill()
        process.wait()


def find_free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_open(port: int, process: subprocess.Popen[bytes]) -> None:
    limit = time.monotonic() + MAX_START_SECONDS
    while time.monotonic() < limit and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise TimeoutError(f"{process.args!r} did not open port {port}")
