"""The site that a scenario runs against: server, workers, database, Redis; all of the run's own, restarted on exit."""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from diagsite.server.embedded_postgres import EmbeddedPostgres
from testing.checkout import running_embedded_site
from testing.processes import SupervisedProcess, supervised_processes
from testing.services import RedisServer, running_redis, wait_until
from testing.site import (
    PLATFORM_KEY_SETTINGS,
    UNLIMITED_SETTINGS,
    Site,
    SiteProcess,
    create_database,
    create_database_on,
    start_site_postgres,
)

ProcessFactory = Callable[[Site], SiteProcess]

CHAOS_SITE_SETTINGS = {
    **UNLIMITED_SETTINGS,
    **PLATFORM_KEY_SETTINGS,
    "DIAGNOSES_AT_ONCE": "20",
    "JOB_STALLED_SECONDS": "4",
    "LOG_LEVEL": "ERROR",
    "REDIS_URL": "",
}
# Where no process dies, a slow worker on a busy machine must not be presumed dead.
SLOW_STALL_SETTINGS = {"JOB_STALLED_SECONDS": "20"}


class ScenarioUnavailable(Exception):
    """This machine does not allow the scenario; the text says why."""


class ChaosEnvironment:
    """What the scenarios of a run share: a directory, and a PostgreSQL that they may stop."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._postgres: EmbeddedPostgres | None = None

    def get_postgres(self) -> EmbeddedPostgres:
        """Return the PostgreSQL, started at the first call."""
        if self._postgres is None:
            self._postgres = start_site_postgres(self.directory / "postgres")
        return self._postgres

    def close(self) -> None:
        """Stop the PostgreSQL."""
        if self._postgres:
            self._postgres.release()


@contextmanager
def running_chaos_environment() -> Iterator[ChaosEnvironment]:
    """Run the block with an environment whose directory is removed afterwards."""
    directory = Path(tempfile.mkdtemp(prefix="chaos-"))
    directory.chmod(0o711)
    environment = ChaosEnvironment(directory)
    try:
        yield environment
    finally:
        environment.close()
        shutil.rmtree(directory, ignore_errors=True)


@dataclass
class Cluster:
    """A running site with its processes and services."""

    site: Site
    server: SupervisedProcess
    workers: list[SupervisedProcess] = field(default_factory=list)
    postgres: EmbeddedPostgres | None = None
    redis: RedisServer | None = None


@contextmanager
def running_cluster(
    *,
    workers: Sequence[ProcessFactory] | int = 1,
    postgres: EmbeddedPostgres | None = None,
    with_redis: bool = False,
    server: ProcessFactory | None = None,
    variables: Mapping[str, str] | None = None,
) -> Iterator[Cluster]:
    """Run the block with a server and separate workers (0: the server runs the worker). Raises MissingServiceError."""
    factories: Sequence[ProcessFactory] = [Site.make_worker] * workers if isinstance(workers, int) else workers
    with ExitStack() as stack:
        redis = stack.enter_context(running_redis()) if with_redis else None
        database_url = create_database_on(postgres) if postgres else create_database()
        environment = {**CHAOS_SITE_SETTINGS, **(variables or {}), **({"REDIS_URL": redis.url} if redis else {})}
        site = Site(database_url, concurrency=0 if factories else 20, **environment)
        if server:
            site.server = server(site)
        site.start()
        processes = stack.enter_context(supervised_processes(site.server, *(make(site) for make in factories)))
        yield Cluster(site, processes[0], processes[1:], postgres, redis)


@contextmanager
def running_embedded_cluster(directory: Path) -> Iterator[Cluster]:
    """Run the block with a copy of the site whose one process runs server, worker and PostgreSQL."""
    with (
        running_embedded_site(directory, concurrency=20, **CHAOS_SITE_SETTINGS) as (site, postgres),
        supervised_processes(site.server) as processes,
    ):
        yield Cluster(site, processes[0], postgres=postgres)


def wait_until_site_up(site: Site) -> None:
    """Return when the site responds again."""

    def is_up() -> bool:
        try:
            return httpx.get(f"{site.url}/healthz", trust_env=False, timeout=2).status_code == 200
        except httpx.TransportError:
            return False

    wait_until(is_up, "the site to respond", 120)
