"""The servers that are measured: the site on daphne and on uvicorn, and alternatives."""

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import psutil

from testing.services import find_free_port, is_port_open
from testing.site import PROJECT_ROOT

PEERS_DIRECTORY = PROJECT_ROOT / "bench" / "push" / "peers"
MAX_START_SECONDS = 60


@dataclass(frozen=True)
class ServerSpec:
    """A server to measure. kind: its feed ("log", "lines", "layer")."""

    name: str
    kind: str
    command: Sequence[str]  # with the placeholders {port} and {feed}


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
    """A running server."""

    spec: ServerSpec
    port: int
    feed_port: int
    process: psutil.Process

    def get_cpu_seconds(self) -> float:
        """Return the CPU seconds of its life."""
        times = self.process.cpu_times()
        return float(times.user + times.system)

    def get_memory_bytes(self) -> int:
        """Return the bytes of its unshared memory."""
        return int(self.process.memory_full_info().uss)


def has_two_cores() -> bool:
    """Tell whether server and load client can run on different cores."""
    return len(os.sched_getaffinity(0)) > 1 and shutil.which("taskset") is not None


@contextmanager
def pinned_to_cores(cores: set[int]) -> Iterator[None]:
    """Keep this process and its children, running and future, on these cores during the block."""
    before = os.sched_getaffinity(0)
    _set_affinity(cores)
    try:
        yield
    finally:
        _set_affinity(before)


def _set_affinity(cores: set[int]) -> None:
    this = psutil.Process()
    for process in [this, *this.children(recursive=True)]:
        with contextlib.suppress(psutil.NoSuchProcess):
            for thread in process.threads():
                os.sched_setaffinity(thread.id, cores)


@contextmanager
def running_bench_server(
    spec: ServerSpec, environment: dict[str, str], *, core: int | None = None
) -> Iterator[RunningServer]:
    """Run the block with a server, kept on one core if given."""
    port, feed_port = find_free_port(), find_free_port()
    command = [part.format(port=port, feed=feed_port) for part in spec.command]
    if core is not None:
        command = ["taskset", "-c", str(core), *command]
    process = subprocess.Popen(command, cwd=PROJECT_ROOT, env={**os.environ, **environment, "PORT": str(port)})
    try:
        for awaited in [port, feed_port] if spec.kind == "lines" else [port]:
            _wait_until_open(awaited, process)
        yield RunningServer(spec, port, feed_port, psutil.Process(process.pid))
    finally:
        process.kill()
        process.wait()


def _wait_until_open(port: int, process: subprocess.Popen[bytes]) -> None:
    limit = time.monotonic() + MAX_START_SECONDS
    while time.monotonic() < limit and process.poll() is None:
        if is_port_open(port):
            return
        time.sleep(0.02)
    raise TimeoutError(f"{process.args!r} did not open port {port}")
