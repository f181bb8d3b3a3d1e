"""What a fault needs around the scene: a database, Redis, processes that are started again; all of the run's own."""

import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.chaos.processes import SupervisedProcess, supervised_processes
from bench.chaos.workload import CHAOS_SITE_SETTINGS
from diagsite.server.embedded_postgres import EmbeddedPostgres
from testing.services import RedisServer, execute_sql, start_postgres, wait_until
from testing.site import Site, SiteProcess, create_database, run_management_command

ProcessFactory = Callable[[Site], SiteProcess]


class ScenarioUnavailable(Exception):
    """A fault that this machine does not allow; the text says why."""


class ChaosEnvironment:
    """What all faults share: a PostgreSQL that may be beaten, made when the first fault wants it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._postgres: EmbeddedPostgres | None = None

    def postgres(self) -> EmbeddedPostgres:
        """One that is not the tests' own."""
        if self._postgres is None:
            self._postgres = start_postgres(self.directory / "beaten")
            for command in ("migrate", "seed"):
                run_management_command([command], self._postgres.get_uri())
        return self._postgres

    def release(self) -> None:
        """Stop it."""
        if self._postgres:
            self._postgres.release()


def create_database_on(postgres: EmbeddedPostgres) -> str:
    """A new database there, made from the first one."""
    name = f"site_{uuid.uuid4().hex[:8]}"
    execute_sql(postgres.get_uri(), f"CREATE DATABASE {name} TEMPLATE postgres")
    return postgres.get_uri().replace("/postgres?", f"/{name}?")


@dataclass
class Cluster:
    """A running site and what it stands on."""

    site: Site
    server: SupervisedProcess
    workers: list[SupervisedProcess] = field(default_factory=list)
    postgres: EmbeddedPostgres | None = None
    redis: RedisServer | None = None


@contextmanager
def running_redis_server() -> Iterator[RedisServer]:
    """A Redis of this stage's own."""
    binary = shutil.which("redis-server")
    if binary is None:
        raise ScenarioUnavailable("redis-server is not installed")
    server = RedisServer(binary)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def running_cluster(
    *,
    workers: Sequence[ProcessFactory] | int = 1,
    postgres: EmbeddedPostgres | None = None,
    with_redis: bool = False,
    server: ProcessFactory | None = None,
    variables: Mapping[str, str] | None = None,
) -> Iterator[Cluster]:
    """A server with so many workers beside it (0: the worker is inside the server), each started again when it ends."""
    factories: Sequence[ProcessFactory] = [Site.make_worker] * workers if isinstance(workers, int) else workers
    with ExitStack() as stack:
        redis = stack.enter_context(running_redis_server()) if with_redis else None
        address = create_database_on(postgres) if postgres else create_database()
        environment = (
            CHAOS_SITE_SETTINGS | dict(variables or {}) | ({"REDIS_URL": redis.url} if redis else {"REDIS_URL": ""})
        )
        site = Site(address, concurrency=0 if factories else 20, **environment)
        if server:
            site.server = server(site)
        site.start()
        processes = stack.enter_context(supervised_processes(site.server, *(maker(site) for maker in factories)))
        yield Cluster(site, processes[0], processes[1:], postgres, redis)


def wait_until_site_up(site: Site) -> None:
    """Return when the site answers again."""
    import httpx

    def is_up() -> bool:
        try:
            return httpx.get(f"{site.url}/healthz", trust_env=False, timeout=2).status_code == 200
        except httpx.TransportError:
            return False

    wait_until(is_up, "the site to answer", 120)


@contextmanager
def chaos_environment() -> Iterator[ChaosEnvironment]:
    """It, thrown away at the end."""
    directory = Path(tempfile.mkdtemp(prefix="torture-"))
    directory.chmod(0o711)
    found = ChaosEnvironment(directory)
    try:
        yield found
    finally:
        found.release()
        shutil.rmtree(directory, ignore_errors=True)
