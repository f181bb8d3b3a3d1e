"""What a fault needs around the scene: a database, Redis, processes that are started again; all of the run's own."""

import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.torture.processes import Supervised, supervised
from bench.torture.scene import QUIET
from diagsite.embedded import EmbeddedPostgres
from diagsite.tests.services import RedisServer, execute, start_postgres, wait_until
from diagsite.tests.site import Process, Site, manage, new_database

ProcessMaker = Callable[[Site], Process]


class NotRun(Exception):
    """A fault that this machine does not allow; the text says why."""


class Ground:
    """What all faults share: a PostgreSQL that may be beaten, made when the first fault wants it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._postgres: EmbeddedPostgres | None = None

    def postgres(self) -> EmbeddedPostgres:
        """One that is not the tests' own."""
        if self._postgres is None:
            self._postgres = start_postgres(self.directory / "beaten")
            for command in ("migrate", "seed"):
                manage([command], self._postgres.get_uri())
        return self._postgres

    def leave(self) -> None:
        """Stop it."""
        if self._postgres:
            self._postgres.leave()


def database_on(postgres: EmbeddedPostgres) -> str:
    """A new database there, made from the first one."""
    name = f"site_{uuid.uuid4().hex[:8]}"
    execute(postgres.get_uri(), f"CREATE DATABASE {name} TEMPLATE postgres")
    return postgres.get_uri().replace("/postgres?", f"/{name}?")


@dataclass
class Stage:
    """A running site and what it stands on."""

    site: Site
    server: Supervised
    workers: list[Supervised] = field(default_factory=list)
    postgres: EmbeddedPostgres | None = None
    redis: RedisServer | None = None


@contextmanager
def redis_server() -> Iterator[RedisServer]:
    """A Redis of this stage's own."""
    binary = shutil.which("redis-server")
    if binary is None:
        raise NotRun("redis-server is not installed")
    server = RedisServer(binary)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def stage(
    *,
    workers: Sequence[ProcessMaker] | int = 1,
    postgres: EmbeddedPostgres | None = None,
    with_redis: bool = False,
    server: ProcessMaker | None = None,
    variables: Mapping[str, str] | None = None,
) -> Iterator[Stage]:
    """A server with so many workers beside it (0: the worker is inside the server), each started again when it ends."""
    makers: Sequence[ProcessMaker] = [Site.worker] * workers if isinstance(workers, int) else workers
    with ExitStack() as stack:
        redis = stack.enter_context(redis_server()) if with_redis else None
        address = database_on(postgres) if postgres else new_database()
        environment = QUIET | dict(variables or {}) | ({"REDIS_URL": redis.url} if redis else {"REDIS_URL": ""})
        site = Site(address, concurrency=0 if makers else 20, **environment)
        if server:
            site.server = server(site)
        site.start()
        processes = stack.enter_context(supervised(site.server, *(maker(site) for maker in makers)))
        yield Stage(site, processes[0], processes[1:], postgres, redis)


def wait_until_up(site: Site) -> None:
    """Return when the site answers again."""
    import httpx

    def is_up() -> bool:
        try:
            return httpx.get(f"{site.url}/healthz", trust_env=False, timeout=2).status_code == 200
        except httpx.TransportError:
            return False

    wait_until(is_up, "the site to answer", 120)


@contextmanager
def ground() -> Iterator[Ground]:
    """It, thrown away at the end."""
    directory = Path(tempfile.mkdtemp(prefix="torture-"))
    directory.chmod(0o711)
    found = Ground(directory)
    try:
        yield found
    finally:
        found.leave()
        shutil.rmtree(directory, ignore_errors=True)
