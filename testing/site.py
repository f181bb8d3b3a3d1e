"""A site of a test's own: real processes over a database of its own, to talk to, to kill and to start again."""

import contextlib
import fcntl
import os
import signal
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any, Self

import httpx

from testing import forkserver
from testing.services import (
    LOCAL_HTTPX_OPTIONS,
    execute_sql,
    fetch_rows,
    find_free_port,
    get_database_url,
    get_load_factor,
)

PROJECT_ROOT = Path(__file__).resolve().parent.parent

# Everything that waits, waits less in a test.
FAST_SETTINGS = {
    "JOB_HEARTBEAT_SECONDS": "0.5",
    "JOB_STALLED_SECONDS": "2",
    "JOB_SWEEP_SECONDS": "1",
    "DEMO_LATENCY": "0.1",
    "LOG_LEVEL": "WARNING",
}


def create_database() -> str:
    """The address of a new database with the tables and the seeded rows; made from a template, so in 0.1 s."""
    name = f"site_{uuid.uuid4().hex[:12]}"
    _copy_database(_get_or_create_template("site_template", get_migrated_template, "seed"), name)
    return get_database_url(name)


def get_migrated_template() -> str:
    """The name of a database with the tables alone."""
    return _get_or_create_template("get_migrated_template", lambda: "template1", "migrate")


def _get_or_create_template(name: str, get_original: Callable[[], str], command: str) -> str:
    """Have a database that is a copy of another with one command run on it, made by whoever needs it first."""
    with (Path(os.environ["DIAGSITE_TEST_DIRECTORY"]) / f"{name}.lock").open("w") as lock_file:
        fcntl.flock(lock_file, fcntl.LOCK_EX)
        if not fetch_rows(os.environ["DATABASE_URL"], "SELECT 1 FROM pg_database WHERE datname = %s", name):
            unfinished = f"{name}_unfinished"
            execute_sql(os.environ["DATABASE_URL"], f"DROP DATABASE IF EXISTS {unfinished}")
            _copy_database(get_original(), unfinished)
            # Without what the command measures of itself, which would lie in every copy.
            run_management_command([command], get_database_url(unfinished), SAMPLES_FLUSH_SECONDS="0")
            execute_sql(os.environ["DATABASE_URL"], f"ALTER DATABASE {unfinished} RENAME TO {name}")
    return name


def _copy_database(template: str, name: str) -> None:
    execute_sql(os.environ["DATABASE_URL"], f"CREATE DATABASE {name} TEMPLATE {template}")


def build_environment(address: str, **extra: str) -> dict[str, str]:
    """The environment of a process of the site over a database."""
    variables = {**os.environ, **FAST_SETTINGS, "DATABASE_URL": address, **extra}
    # Who is only late must not be taken for dead.
    return {**variables, "JOB_STALLED_SECONDS": f"{float(variables['JOB_STALLED_SECONDS']) * get_load_factor():g}"}


def run_management_command(arguments: list[str], address: str, **extra: str) -> str:
    """Run a management command to its end; returns what it printed, fails when it fails."""
    with SiteProcess(arguments, address, **extra) as command:
        code = command.wait(300)
    assert code == 0, command.out.read_text() + command.log.read_text()
    return command.out.read_text()


class SiteProcess:
    """One process of the site. What it prints is in `out`; its log is shown when a test fails to see it come up."""

    root = PROJECT_ROOT
    """Where the site's files are."""

    def __init__(self, arguments: list[str], address: str, **extra: str) -> None:
        self._arguments = arguments
        self._environment = build_environment(address, **extra)
        self.log = Path(os.environ["DIAGSITE_TEST_DIRECTORY"]) / f"{uuid.uuid4().hex[:8]}.log"
        self.out = self.log.with_suffix(".out")
        self._process: ForkServerProcess | None = None

    def start(self) -> None:
        """Start it, again after a kill."""
        assert not self.is_running
        task = (self._arguments, self._environment, str(self.root), str(self.out), str(self.log))
        process = forkserver.get_forkserver_context().Process(target=forkserver.exec_manage_py, args=task, daemon=True)
        process.start()
        self._process = process  # now that it has a pid: another thread may be waiting for it

    def send_signal(self, signal_number: signal.Signals) -> None:
        """Send it a signal."""
        assert self._process
        assert self._process.pid
        os.kill(self._process.pid, signal_number)

    def kill(self) -> None:
        """`kill -9`, and wait until it is gone."""
        if self._process:
            self._process.kill()
            self._process.join()

    def wait(self, seconds: float) -> int:
        """Its exit code; fails when it goes on for longer."""
        assert self._process
        self._process.join(seconds)
        assert self._process.exitcode is not None, f"it goes on after {seconds:g} s"
        return self._process.exitcode

    @property
    def pid(self) -> int:
        """Of the one that runs."""
        assert self._process
        assert self._process.pid
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether it has not exited."""
        return self._process is not None and self._process.is_alive()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.kill()


class Site:
    """A served site over a database."""

    def __init__(self, address: str, *, concurrency: int = 10, **extra: str) -> None:
        self.address = address
        self.port = int(extra.get("PORT", find_free_port()))
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {"PORT": str(self.port), **extra}
        self.server = SiteProcess(["serve", "--concurrency", str(concurrency)], address, **self.environment)

    def start(self) -> None:
        """Start serving, and return when the site answers."""
        self.server.start()
        deadline = time.monotonic() + 120
        with httpx.Client(base_url=self.url, **LOCAL_HTTPX_OPTIONS) as client:
            while time.monotonic() < deadline:
                time.sleep(0.05)
                with contextlib.suppress(httpx.TransportError):
                    if client.get("/readyz").status_code == 200:
                        return
                assert self.server.is_running, self.server.log.read_text()
        raise TimeoutError(self.server.log.read_text())

    def make_worker(self) -> SiteProcess:
        """A worker process of its own beside the site, not yet started."""
        return SiteProcess(["procrastinate", "worker"], self.address, **self.environment)

    def token(self, device: str = "device-of-a-test") -> str:
        """What a device signs in with."""
        answer = httpx.post(f"{self.url}/api/session", json={"device_id": device}, timeout=30, **LOCAL_HTTPX_OPTIONS)
        answer.raise_for_status()
        return str(answer.json()["token"])

    def client(self, device: str = "device-of-a-test") -> httpx.Client:
        """A signed-in client of the API."""
        headers = {"Authorization": f"Bearer {self.token(device)}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30, **LOCAL_HTTPX_OPTIONS)

    def query(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Rows straight from the site's database."""
        return fetch_rows(self.address, statement, *parameters)

    def add_platform(self, slug: str, base_url: str, *, concurrency: int = 5, **columns: Any) -> None:
        """A real (non-demo) platform row at an address of the test's; its key comes from TEST_KEY."""
        row = {
            "id": slug,
            "name": slug,
            "base_url": base_url,
            "model": slug,
            "key_variable": "TEST_KEY",
            "is_enabled": True,
            "is_demo": False,
            "concurrency": concurrency,
            "requests_per_minute": 100_000,
            "price_per_call": 0,
            "typical_seconds": 1,
            "pause_reason": "",
            "position": 1,
        } | columns
        names, placeholders = ", ".join(row), ", ".join(["%s"] * len(row))
        execute_sql(self.address, f"INSERT INTO diagnosis_platform ({names}) VALUES ({placeholders})", *row.values())


@contextmanager
def running_site(**options: Any) -> Iterator[Site]:
    """A site with a database of its own (or at `address`), killed at the end."""
    site = Site(options.pop("address", "") or create_database(), **{"TEST_KEY": "sk-of-a-test", **options})
    try:
        site.start()
        yield site
    finally:
        site.server.kill()
