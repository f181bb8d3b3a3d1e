"""The real servers that the tests use, as a pytest plugin that is loaded before Django's settings.

One PostgreSQL of the test run's own in a temporary directory; Redis and Chromium where they are installed. What is
missing is a skip with its reason, and under REQUIRE_SERVICES=1 a failure.
"""

import contextlib
import itertools
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from django.conf import settings
from performance.stores import store_of

from diagsite.embedded import EmbeddedPostgres

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext

_DIRECTORY = "DIAGSITE_TEST_DIRECTORY"
# The bound of every wait of the browser tests: generous, because everything is slow on a busy machine.
BROWSER_TIMEOUT_MS = 120_000

# A shell's background job ignores Ctrl-C, and whatever a test starts would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
# The same of what nohup starts, and a window that is closed; what catches a signal hands on no deafness to it.
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, lambda *_: None)

os.environ.setdefault("ENVIRONMENT", "development")
os.environ.setdefault("DEMO", "1")
os.environ.setdefault("LOG_LEVEL", "ERROR")

# For httpx, towards the servers of this machine: no proxy, and no certificates, which take 17 ms to load.
LOCAL: dict[str, Any] = {"trust_env": False, "verify": False}

# Durability of a throw-away database is worth nothing; connections are, with a dozen processes on it. And 150 databases
# that are looked through for garbage once a minute would be a process every half second.
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


def start_postgres(directory: Path) -> EmbeddedPostgres:
    """A new PostgreSQL in a directory that does not exist yet; the caller lets go of it with `leave`."""
    server = EmbeddedPostgres(directory, settings=POSTGRES_SETTINGS)
    server.start()
    return server


# The controller of a parallel run starts it; its workers inherit the address.
if _DIRECTORY not in os.environ:
    os.environ[_DIRECTORY] = tempfile.mkdtemp(prefix="diagsite-test-")
    _servers = [start_postgres(Path(os.environ[_DIRECTORY]) / "postgres")]
    os.environ["DATABASE_URL"] = _servers[0].get_uri()
else:
    _servers = []


def pytest_configure(config: pytest.Config) -> None:
    """What this process does not do, and the sites that tests start do."""
    # No background thread looks at a test's database.
    settings.ERRORS_REFRESH_SECONDS = 0
    settings.SAMPLES_FLUSH_SECONDS = 0
    # Every handler would list all static files for itself, and each test has a client with a handler of its own.
    settings.WHITENOISE_AUTOREFRESH = True
    # Passwords are made expensive to guess, which costs whoever checks them as much.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop what the run has started and leave nothing behind."""
    for server in _servers:
        server.leave()
        shutil.rmtree(os.environ[_DIRECTORY], ignore_errors=True)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests have measured (`record_property`): a parallel run swallows what they print themselves."""
    reports = [report for outcome in ("passed", "failed") for report in terminalreporter.stats.get(outcome, [])]
    measured = [(report.nodeid, *item) for report in reports for item in report.user_properties]
    if measured:
        terminalreporter.section("measured")
    for test, name, value in measured:
        terminalreporter.write_line(f"{name}: {value}  ({test})")


def missing(what: str) -> None:
    """Skip because a service is not installed; under REQUIRE_SERVICES=1, fail."""
    if os.environ.get("REQUIRE_SERVICES") == "1":
        pytest.fail(f"{what} is required (REQUIRE_SERVICES=1) and not installed")
    pytest.skip(f"{what} is not installed")


def slowness() -> float:
    """How many times later than usual a living process may be here: 1 unless the machine has far too much to do."""
    return max(1.0, os.getloadavg()[0] / (3 * (os.cpu_count() or 1)))


def wait_until(condition: Callable[[], object], what: str, seconds: float = 90) -> None:
    """Return once the condition holds; fail, saying what was waited for, when it does not in a generous time."""
    deadline = time.monotonic() + seconds * slowness()
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds:g} s in vain for {what}"
        time.sleep(0.02)


# Not those that the system gives to whoever wants any, which may be taken before the one who asked has begun to listen.
# Each worker of a parallel run has its own.
_worker = os.environ.get("PYTEST_XDIST_WORKER", "").removeprefix("gw")
_ports = itertools.count(20_000 + 1_000 * int(_worker) if _worker else random.randrange(30_000, 32_000))


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on now."""
    for port in _ports:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("they do not end")


def wait_for_a_minute_to_begin(seconds_left: float = 15) -> None:
    """Return with so much of the clock's minute to come: limits in memory count less what came in the one before."""
    wait_until(lambda: time.time() % 60 < 60 - seconds_left, "the next minute")


class RedisServer:
    """A redis-server of the tests' own, that they may stop and start again on the same port."""

    def __init__(self, binary: str) -> None:
        self._binary = binary
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and return when it accepts connections."""
        command = [self._binary, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=os.environ[_DIRECTORY])
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        raise TimeoutError("redis-server did not start")

    @property
    def pid(self) -> int:
        """Of the one that runs."""
        assert self._process
        return self._process.pid

    def stop(self) -> None:
        """Kill it; what it held is gone."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None


@pytest.fixture(autouse=True)
def fresh_caches() -> Iterator[None]:
    """No test sees what another has cached, nor finds a connection that another has opened."""
    store_of.cache_clear()
    yield
    while _connections:
        _connections.popitem()[1].close()


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    """A running Redis of this test's own."""
    binary = shutil.which("redis-server")
    if binary is None:
        missing("redis-server")
    assert binary
    server = RedisServer(binary)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of Chromium."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        missing("Chromium")
    assert found
    from playwright.sync_api import expect  # not for those who start a site and no browser

    expect.set_options(timeout=BROWSER_TIMEOUT_MS)
    return found


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator["Browser"]:
    """One Chromium for the module; its event loop must not be there for the tests of another."""
    from playwright.sync_api import sync_playwright

    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=flags)
        new_context = running.new_context

        def new_patient_context(**options: Any) -> "BrowserContext":
            context = new_context(**options)
            context.set_default_timeout(BROWSER_TIMEOUT_MS)
            return context

        running.new_context = new_patient_context  # type: ignore[method-assign]
        yield running
        running.close()


def database_address(name: str) -> str:
    """The address of another database on the run's PostgreSQL."""
    return os.environ["DATABASE_URL"].replace("/postgres?", f"/{name}?")


def execute(address: str, statement: str, *parameters: object) -> None:
    """Run one SQL statement outside any transaction."""
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(statement.encode(), parameters or None)


_connections: dict[str, psycopg.Connection[Any]] = {}


def read(address: str, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
    """The rows of one SQL statement, over a connection that is kept until the test ends.

    Those who wait ask often, and a connection of its own for each question costs more than all that is waited for.
    """
    kept = _connections.get(address)
    if kept is not None:
        try:
            return kept.execute(statement.encode(), parameters or None).fetchall()
        except psycopg.OperationalError:  # the database has been away since; a new connection tells whether it is back
            kept.close()
    new = _connections[address] = psycopg.connect(address, autocommit=True)
    return new.execute(statement.encode(), parameters or None).fetchall()
