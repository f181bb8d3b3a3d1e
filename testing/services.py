"""The real servers of a test or bench run: one PostgreSQL in a temporary directory, Redis where it is installed.

Importing this module starts nothing: `testing.plugins.fixtures` starts the services of pytest, `running_services` those
of a bench.
"""

import fcntl
import os
import random
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import psutil
import psycopg

from diagsite.server.embedded_postgres import EmbeddedPostgres

DIRECTORY_VARIABLE = "DIAGSITE_TEST_DIRECTORY"

# Options of httpx for servers of this machine: no proxy, and no certificates, which take 17 ms to load.
LOCAL_HTTPX_OPTIONS: dict[str, Any] = {"trust_env": False, "verify": False}

# Data is thrown away, so durability is off; a dozen processes connect at once. Autovacuum over 150 databases would
# start a process every half second.
POSTGRES_SETTINGS = """
fsync = off
full_page_writes = off
wal_level = minimal
max_wal_senders = 0
max_wal_size = 8GB
checkpoint_timeout = 1h
autovacuum_naptime = 1h
max_connections = 400
shared_buffers = 256MB
jit = off
"""


class MissingServiceError(Exception):
    """A program that a test or bench needs is not installed. Its text names the program."""


def find_program(*names: str) -> str:
    """Return the path of the first of these programs that is installed. Raises MissingServiceError."""
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        raise MissingServiceError(names[0])
    return path


# The run's PostgreSQL, if this process has started it.
_started_postgres: EmbeddedPostgres | None = None


def start_services() -> None:
    """Start the run's PostgreSQL and point Django at it, unless a parent process has done so.

    To be called before Django's settings are read.
    """
    global _started_postgres
    os.environ.setdefault("ENVIRONMENT", "development")
    os.environ.setdefault("DEMO", "1")
    os.environ.setdefault("LOG_LEVEL", "ERROR")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "diagsite.settings")
    # The demo platform's address is derived from PORT; at the default port a developer's own site may be running.
    os.environ["PORT"] = str(find_free_port())
    if DIRECTORY_VARIABLE not in os.environ:
        os.environ[DIRECTORY_VARIABLE] = tempfile.mkdtemp(prefix="diagsite-test-")
        _started_postgres = start_postgres(get_run_directory() / "postgres")
        os.environ["DATABASE_URL"] = _started_postgres.get_uri()


def stop_services() -> None:
    """Stop what `start_services` has started in this process, and remove its directory."""
    global _started_postgres
    if _started_postgres:
        _started_postgres.release()
        _started_postgres = None
        shutil.rmtree(os.environ.pop(DIRECTORY_VARIABLE), ignore_errors=True)


@contextmanager
def running_services() -> Iterator[None]:
    """Run the block with the services started."""
    start_services()
    try:
        yield
    finally:
        stop_services()


def get_run_directory() -> Path:
    """Return the temporary directory of the run: PostgreSQL's data, logs, locks."""
    return Path(os.environ[DIRECTORY_VARIABLE])


def start_postgres(directory: Path) -> EmbeddedPostgres:
    """Start a PostgreSQL in a new directory or a copied one; the caller stops it with `release`."""
    server = EmbeddedPostgres(directory, settings=POSTGRES_SETTINGS)
    server.start()
    return server


def find_postmaster(data_directory: Path) -> psutil.Process:
    """Return the main process of the PostgreSQL with this data directory."""
    return psutil.Process(int((data_directory / "postmaster.pid").read_text().split()[0]))


def wait_until_exited(process: psutil.Process) -> None:
    """Return once a process has ended; a zombie counts as ended."""
    wait_until(
        lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE, f"process {process.pid} to end"
    )


def get_load_factor() -> float:
    """Return by how much to multiply time limits on this machine now: 1, or more under overload."""
    return max(1.0, os.getloadavg()[0] / (3 * (os.cpu_count() or 1)))


def wait_until(condition: Callable[[], object], description: str, seconds: float = 180) -> None:
    """Return once the condition holds. Raises TimeoutError with the description."""
    deadline = time.monotonic() + seconds * get_load_factor()
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds:g} s in vain for {description}")
        time.sleep(0.02)


# Open files whose locks reserve the ports that this process has been given.
_port_locks: list[BinaryIO] = []


def find_free_port() -> int:
    """Return a TCP port of 127.0.0.1 that is free, and that no other test run of this machine gets.

    It is below those that the kernel hands out, and reserved by a file lock until this process ends: a site takes
    seconds until it listens.
    """
    directory = Path(tempfile.gettempdir()) / f"diagsite-ports-{os.getuid()}"
    directory.mkdir(exist_ok=True)
    while True:
        port = random.randrange(20_000, 32_000)
        lock = (directory / str(port)).open("ab")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
        except OSError:
            lock.close()
            continue
        _port_locks.append(lock)
        return port


def is_port_open(port: int) -> bool:
    """Tell whether a server accepts connections at a port of 127.0.0.1."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_for_minute_start(min_seconds_left: float = 15) -> None:
    """Return when at least so much of the clock's minute is left: rate windows in memory begin with the minute."""
    wait_until(lambda: time.time() % 60 < 60 - min_seconds_left, "the next minute")


class RedisServer:
    """A redis-server that can be stopped and started again on the same port. Raises MissingServiceError."""

    def __init__(self) -> None:
        self._binary = find_program("redis-server")
        self.port = find_free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and return when it accepts connections."""
        command = [self._binary, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=get_run_directory())
        wait_until(lambda: is_port_open(self.port), "redis-server to start")

    @property
    def pid(self) -> int:
        """The process id; it must be running."""
        assert self._process
        return self._process.pid

    def stop(self) -> None:
        """Kill it; its data is lost."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None


@contextmanager
def running_redis() -> Iterator[RedisServer]:
    """Run the block with an empty Redis. Raises MissingServiceError."""
    server = RedisServer()
    server.start()
    try:
        yield server
    finally:
        server.stop()


def get_database_url(name: str) -> str:
    """Return the URL of another database on the run's PostgreSQL."""
    return os.environ["DATABASE_URL"].replace("/postgres?", f"/{name}?")


def execute_sql(database_url: str, statement: str, *parameters: object) -> None:
    """Run one SQL statement outside any transaction."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(statement.encode(), parameters or None)


_open_connections: dict[str, psycopg.Connection[Any]] = {}


def fetch_rows(database_url: str, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
    """Return the rows of one SQL statement, over a connection that stays open for the next call.

    Tests poll, and connecting costs more than the query.
    """
    kept = _open_connections.get(database_url)
    if kept is not None:
        try:
            return kept.execute(statement.encode(), parameters or None).fetchall()
        except psycopg.OperationalError:  # the database has restarted since; a new connection tells whether it is up
            kept.close()
    new = _open_connections[database_url] = psycopg.connect(database_url, autocommit=True)
    return new.execute(statement.encode(), parameters or None).fetchall()


def close_connections() -> None:
    """Close the connections that `fetch_rows` has kept open."""
    while _open_connections:
        _open_connections.popitem()[1].close()
