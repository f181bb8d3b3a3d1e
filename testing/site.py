"""Real sites for tests and benches: processes over a database of their own, to query, kill and start again."""

import contextlib
import fcntl
import os
import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any, Self

import httpx

from diagsite.server.embedded_postgres import EmbeddedPostgres, get_binaries_directory
from testing import forkserver
from testing.services import (
    LOCAL_HTTPX_OPTIONS,
    execute_sql,
    fetch_rows,
    find_free_port,
    get_database_url,
    get_load_factor,
    get_run_directory,
    start_postgres,
)

PROJECT_ROOT = Path(__file__).resolve().parent.parent

FAST_SETTINGS = {
    "JOB_HEARTBEAT_SECONDS": "0.5",
    "JOB_STALLED_SECONDS": "2",
    "JOB_SWEEP_SECONDS": "1",
    "DEMO_LATENCY": "0.1",
    "LOG_LEVEL": "WARNING",
}
# For a site whose clients all have one address.
UNLIMITED_SETTINGS = {
    **dict.fromkeys(
        ("CALLS_PER_MINUTE", "ADDRESS_CALLS_PER_MINUTE", "SIGN_INS_PER_MINUTE", "STARTS_PER_MINUTE"), "10000000"
    ),
    **dict.fromkeys(
        ("SOCKETS_PER_ACCOUNT", "SOCKETS_PER_ADDRESS", "MAX_CONCURRENT_CHANGES", "MAX_RUNNING_PER_OWNER"), "0"
    ),
    "PLATFORM_SHARE_PER_OWNER": "1",
}
PLATFORM_KEY_SETTINGS = {"TEST_API_KEY": "sk-of-a-test"}


def create_database() -> str:
    """Return the URL of a new database with tables and seeded rows. Copied from a template, which takes 0.1 s."""
    name = f"site_{uuid.uuid4().hex[:12]}"
    _copy_database(_get_seeded_template(), name)
    return get_database_url(name)


def get_migrated_template() -> str:
    """Return the name of a database with empty tables."""
    return _get_or_create_template("migrated_template", lambda: "template1", "migrate")


def _get_seeded_template() -> str:
    return _get_or_create_template("seeded_template", get_migrated_template, "seed")


def _get_or_create_template(name: str, get_original: Callable[[], str], command: str) -> str:
    """Copy a database and run one command on the copy, unless another process of the run has done so."""
    with (get_run_directory() / f"{name}.lock").open("w") as lock_file:
        fcntl.flock(lock_file, fcntl.LOCK_EX)
        if not fetch_rows(os.environ["DATABASE_URL"], "SELECT 1 FROM pg_database WHERE datname = %s", name):
            unfinished = f"{name}_unfinished"
            execute_sql(os.environ["DATABASE_URL"], f"DROP DATABASE IF EXISTS {unfinished}")
            _copy_database(get_original(), unfinished)
            # Without samples of the command itself, which every copy would contain.
            run_management_command([command], get_database_url(unfinished), SAMPLES_FLUSH_SECONDS="0")
            execute_sql(os.environ["DATABASE_URL"], f"ALTER DATABASE {unfinished} RENAME TO {name}")
    return name


def _copy_database(template: str, name: str) -> None:
    execute_sql(os.environ["DATABASE_URL"], f"CREATE DATABASE {name} TEMPLATE {template}")


def copy_seeded_data_directory(target: Path) -> None:
    """Copy the data directory of a stopped PostgreSQL whose first database has tables and seeded rows."""
    template = get_run_directory() / "seeded_postgres" / "postgres"
    with (get_run_directory() / "seeded_postgres.lock").open("w") as lock_file:
        fcntl.flock(lock_file, fcntl.LOCK_EX)
        if not template.exists():
            unfinished = get_run_directory() / f"seeded_postgres_{uuid.uuid4().hex[:8]}"
            dump = get_run_directory() / "seeded.dump"
            _run_postgres_tool("pg_dump", "--format=custom", f"--file={dump}", get_database_url(_get_seeded_template()))
            postgres = start_postgres(unfinished / "postgres")
            try:
                _run_postgres_tool("pg_restore", "--exit-on-error", f"--dbname={postgres.get_uri()}", str(dump))
            finally:
                postgres.release()
            unfinished.rename(template.parent)
    target.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "-a", str(template), str(target)], check=True)


def _run_postgres_tool(name: str, *arguments: str) -> None:
    subprocess.run([get_binaries_directory() / name, *arguments], check=True)


def start_site_postgres(directory: Path) -> EmbeddedPostgres:
    """Start another PostgreSQL than the run's, for tests that stop it; its first database has tables and seeds."""
    copy_seeded_data_directory(directory)
    return start_postgres(directory)


def create_database_on(postgres: EmbeddedPostgres) -> str:
    """Return the URL of a copy of the first database of a `start_site_postgres`."""
    name = f"site_{uuid.uuid4().hex[:8]}"
    execute_sql(postgres.get_uri(), f"CREATE DATABASE {name} TEMPLATE postgres")
    return postgres.get_uri().replace("/postgres?", f"/{name}?")


def build_environment(address: str, **extra: str) -> dict[str, str]:
    """Return the environment of a site's process over a database."""
    variables = {**os.environ, **FAST_SETTINGS, "DATABASE_URL": address, **extra}
    # On a busy machine a slow worker must not be presumed dead.
    return {**variables, "JOB_STALLED_SECONDS": f"{float(variables['JOB_STALLED_SECONDS']) * get_load_factor():g}"}


def run_management_command(arguments: list[str], address: str, **extra: str) -> str:
    """Run a management command and return its output. Raises AssertionError with output and log if it fails."""
    with SiteProcess(arguments, address, **extra) as command:
        code = command.wait(600)
    assert code == 0, command.read_output()
    return command.out.read_text()


class SiteProcess:
    """A `manage.py` process of the site. Its output goes to the file `out`, its log to the file `log`."""

    root = PROJECT_ROOT
    """The directory of manage.py."""

    def __init__(self, arguments: list[str], address: str, **extra: str) -> None:
        self._arguments = arguments
        self._environment = build_environment(address, **extra)
        self.log = get_run_directory() / f"{uuid.uuid4().hex[:8]}.log"
        self.out = self.log.with_suffix(".out")
        self._process: ForkServerProcess | None = None

    def start(self) -> None:
        """Start it; also again after it has ended."""
        assert not self.is_running
        task = (self._arguments, self._environment, str(self.root), str(self.out), str(self.log))
        process = forkserver.get_forkserver_context().Process(target=forkserver.exec_manage_py, args=task, daemon=True)
        process.start()
        self._process = process  # only now, with a pid: another thread may be waiting for it

    def send_signal(self, signal_number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.pid, signal_number)

    def kill(self) -> None:
        """Send SIGKILL and wait until it has ended."""
        if self._process:
            self._process.kill()
            self._process.join()

    def wait(self, seconds: float) -> int:
        """Wait for its end and return its exit code. Raises AssertionError if it runs longer."""
        assert self._process
        self._process.join(seconds)
        assert self._process.exitcode is not None, f"still running after {seconds:g} s"
        return self._process.exitcode

    def read_output(self) -> str:
        """Return what it has printed and logged so far."""
        return "".join(file.read_text() for file in (self.out, self.log) if file.exists())

    @property
    def pid(self) -> int:
        """The process id of the last start."""
        assert self._process
        assert self._process.pid
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
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
        """Start serving, and return when the site is ready. Raises TimeoutError or AssertionError with the log."""
        self.server.start()
        deadline = time.monotonic() + 240
        with httpx.Client(base_url=self.url, **LOCAL_HTTPX_OPTIONS) as client:
            while time.monotonic() < deadline:
                time.sleep(0.05)
                with contextlib.suppress(httpx.TransportError):
                    if client.get("/readyz").status_code == 200:
                        return
                assert self.server.is_running, self.server.read_output()
        raise TimeoutError(self.server.read_output())

    def make_worker(self) -> SiteProcess:
        """Return a separate worker process, not yet started."""
        return SiteProcess(["procrastinate", "worker"], self.address, **self.environment)

    def token(self, device: str = "device-of-a-test") -> str:
        """Sign a device in and return its token."""
        return sign_in_device(self.port, device)

    def client(self, device: str = "device-of-a-test") -> httpx.Client:
        """Return a signed-in client of the API."""
        headers = {"Authorization": f"Bearer {self.token(device)}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=120, **LOCAL_HTTPX_OPTIONS)

    def query(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Return rows of the site's database."""
        return fetch_rows(self.address, statement, *parameters)

    def add_platform(self, slug: str, base_url: str, *, concurrency: int = 5, **columns: Any) -> None:
        """Insert a platform that is not a demo; its API key is the variable TEST_API_KEY."""
        row = {
            "id": slug,
            "name": slug,
            "base_url": base_url,
            "model": slug,
            "key_variable": "TEST_API_KEY",
            "is_enabled": True,
            "is_demo": False,
            "concurrency": concurrency,
            "requests_per_minute": 100_000,
            "price_per_call": 0,
            "typical_seconds": 1,
            "pause_reason": "",
            "position": 1,
        } | columns
        insert_row(self.address, "diagnosis_platform", row)


def sign_in_device(port: int, device: str) -> str:
    """Sign a device in at the site at a port of 127.0.0.1, and return its token."""
    response = httpx.post(
        f"http://127.0.0.1:{port}/api/session", json={"device_id": device}, timeout=120, **LOCAL_HTTPX_OPTIONS
    )
    response.raise_for_status()
    return str(response.json()["token"])


def insert_row(address: str, table: str, row: dict[str, Any]) -> None:
    """Insert a row into a table of a site's database."""
    names, placeholders = ", ".join(row), ", ".join(["%s"] * len(row))
    execute_sql(address, f"INSERT INTO {table} ({names}) VALUES ({placeholders})", *row.values())


@contextmanager
def running_site(**options: Any) -> Iterator[Site]:
    """Run the block with a site on a new database (or the one at `address`); options are those of `Site`."""
    site = Site(options.pop("address", "") or create_database(), **{**PLATFORM_KEY_SETTINGS, **options})
    try:
        site.start()
        yield site
    finally:
        site.server.kill()
