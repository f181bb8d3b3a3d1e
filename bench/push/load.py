"""The load client, written in C: compiled when needed, controlled over its standard input."""

import json
import mmap
import os
import shutil
import struct
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

CLIENT_SOURCE = Path(__file__).parent / "client.c"
CLIENT_BINARY = Path(__file__).parents[2] / "var" / "bench" / "push-client"
ARRIVED_COUNTER, READY_COUNTER, CLOSED_COUNTER = 0, 1, 2  # indexes in the shared memory
Target = tuple[str, str]  # path, first frame


@dataclass(frozen=True)
class Tally:
    """Counts since `reset`, latencies in microseconds; arrived, ready, closed and CPU seconds since the start."""

    arrived: int
    frames: int
    bytes_in: int
    bytes_out: int
    missed: int
    repeated: int
    late: int
    p50_us: int
    p99_us: int
    most_us: int
    ready: int
    closed: int
    cpu: float


def find_compiler() -> str | None:
    """Return the C compiler, or None."""
    return shutil.which(os.environ.get("CC", "cc")) or shutil.which("gcc")


def get_compiled_client() -> Path:
    """Return the path of the binary, compiled if missing or outdated. Raises RuntimeError without a compiler."""
    if CLIENT_BINARY.exists() and CLIENT_BINARY.stat().st_mtime > CLIENT_SOURCE.stat().st_mtime:
        return CLIENT_BINARY
    command = find_compiler()
    if command is None:
        raise RuntimeError("a C compiler is needed for the load client: on Debian and Ubuntu, apt install gcc")
    CLIENT_BINARY.parent.mkdir(parents=True, exist_ok=True)
    fresh = CLIENT_BINARY.with_suffix(f".{os.getpid()}")
    subprocess.run([command, "-O2", "-o", str(fresh), str(CLIENT_SOURCE)], check=True)
    fresh.rename(CLIENT_BINARY)  # atomic: another run may be using the old one
    return CLIENT_BINARY


class LoadClient:
    """Sockets to a port of 127.0.0.1; inside `with` all are open and welcomed."""

    def __init__(self, port: int, targets: Sequence[Target], *, seconds: float = 60) -> None:
        self._count, self._seconds = len(targets), seconds
        self._directory = Path(tempfile.mkdtemp(prefix="bench-push-"))
        (self._directory / "targets").write_text("".join(f"{path}\t{hello}\n" for path, hello in targets))
        (self._directory / "board").write_bytes(bytes(128))
        self._command = [
            str(get_compiled_client()),
            str(port),
            *(str(self._directory / name) for name in ("targets", "board")),
        ]
        with (self._directory / "board").open("r+b") as file:
            self._counters = mmap.mmap(file.fileno(), 128)

    def __enter__(self) -> Self:
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(self._command, stdin=pipe, stdout=pipe, text=True)
        self.wait_for(READY_COUNTER, self._count)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()
        shutil.rmtree(self._directory, ignore_errors=True)

    def read_counter(self, index: int) -> int:
        """Return the current value of a counter."""
        return int(struct.unpack_from("=Q", self._counters, 8 * index)[0])

    def wait_for(self, index: int, at_least: int, seconds: float | None = None) -> None:
        """Return once a counter has reached a value. Raises TimeoutError."""
        limit = time.monotonic() + (seconds or self._seconds)
        while self.read_counter(index) < at_least:
            if time.monotonic() > limit or self._process.poll() is not None:
                counters = list(map(self.read_counter, (ARRIVED_COUNTER, READY_COUNTER, CLOSED_COUNTER)))
                raise TimeoutError(f"counter {index} did not reach {at_least}: arrived, ready, closed are {counters}")
            time.sleep(0.005)

    def reset(self) -> None:
        """Restart counting."""
        self._send_command("reset")
        self.get_tally()

    def get_tally(self) -> Tally:
        """Return the counts."""
        self._send_command("show")
        assert self._process.stdout
        return Tally(**json.loads(self._process.stdout.readline()))

    def _send_command(self, command: str) -> None:
        assert self._process.stdin
        self._process.stdin.write(f"{command}\n")
        self._process.stdin.flush()
