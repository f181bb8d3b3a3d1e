"""The load client in C: compiled when it is missing or older than its source, driven over its standard input."""

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

SOURCE = Path(__file__).parent / "client.c"
BINARY = Path(__file__).parents[2] / "var" / "bench" / "push-client"
ARRIVED, READY, CLOSED = 0, 1, 2  # the counters on the board
Target = tuple[str, str]  # path, what the socket says first


@dataclass(frozen=True)
class Tally:
    """Counts since `reset`, latencies in microseconds; arrived, ready, closed and cpu seconds are of its life."""

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


def compiler() -> str | None:
    """The C compiler, if there is one."""
    return shutil.which(os.environ.get("CC", "cc")) or shutil.which("gcc")


def compiled() -> Path:
    """The binary, made now if it is not there. Raises RuntimeError without a compiler."""
    if BINARY.exists() and BINARY.stat().st_mtime > SOURCE.stat().st_mtime:
        return BINARY
    command = compiler()
    if command is None:
        raise RuntimeError("a C compiler is needed for the load client: on Debian and Ubuntu, apt install gcc")
    BINARY.parent.mkdir(parents=True, exist_ok=True)
    fresh = BINARY.with_suffix(f".{os.getpid()}")
    subprocess.run([command, "-O2", "-o", str(fresh), str(SOURCE)], check=True)
    fresh.rename(BINARY)  # another run may be using the old one
    return BINARY


class Client:
    """Sockets to a port of 127.0.0.1; inside `with` all are open and greeted."""

    def __init__(self, port: int, targets: Sequence[Target], *, seconds: float = 60) -> None:
        self._count, self._seconds = len(targets), seconds
        self._directory = Path(tempfile.mkdtemp(prefix="bench-push-"))
        (self._directory / "targets").write_text("".join(f"{path}\t{hello}\n" for path, hello in targets))
        (self._directory / "board").write_bytes(bytes(128))
        self._command = [str(compiled()), str(port), *(str(self._directory / name) for name in ("targets", "board"))]
        with (self._directory / "board").open("r+b") as file:
            self._board = mmap.mmap(file.fileno(), 128)

    def __enter__(self) -> Self:
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(self._command, stdin=pipe, stdout=pipe, text=True)
        self.wait_for(READY, self._count)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()
        shutil.rmtree(self._directory, ignore_errors=True)

    def counter(self, place: int) -> int:
        """A counter as it is now."""
        return int(struct.unpack_from("=Q", self._board, 8 * place)[0])

    def wait_for(self, place: int, at_least: int, seconds: float | None = None) -> None:
        """Return once a counter has got so far. Raises TimeoutError."""
        limit = time.monotonic() + (seconds or self._seconds)
        while self.counter(place) < at_least:
            if time.monotonic() > limit or self._process.poll() is not None:
                counters = [self.counter(one) for one in (ARRIVED, READY, CLOSED)]
                raise TimeoutError(f"waited for {at_least} at {place}: arrived, ready, closed are {counters}")
            time.sleep(0.005)

    def reset(self) -> None:
        """Begin to count anew."""
        self._say("reset")
        self.show()

    def show(self) -> Tally:
        """What has been counted."""
        self._say("show")
        assert self._process.stdout
        return Tally(**json.loads(self._process.stdout.readline()))

    def _say(self, command: str) -> None:
        assert self._process.stdin
        self._process.stdin.write(f"{command}\n")
        self._process.stdin.flush()
