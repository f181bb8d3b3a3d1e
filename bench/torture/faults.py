"""The faults: what each strikes with, on which stage. `FAULTS` names them all."""

import os
import random
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from bench.figures import Figure
from bench.torture.processes import all_below
from bench.torture.scene import QUIET, STEADY, Scene, Size, furnish, moderate
from bench.torture.stage import Ground, Stage, stage, wait_until_up
from diagsite.embedded import EmbeddedPostgres
from diagsite.tests.fake_platform import FakePlatform
from diagsite.tests.services import wait_until
from diagsite.tests.site import ROOT, Process, Site

Strike = Callable[[Scene, Stage], None]


@dataclass(frozen=True)
class Attack:
    """Something that is done to the site. most_times: how often it strikes at most, however much is asked for."""

    name: str
    title: str
    run: Callable[["Attack", Ground, random.Random, Size], Figure | list[Figure]]
    most_times: int = 1000


Runner = Callable[[Attack, Ground, random.Random, Size], Figure]


def suffer(attack: Attack, size: Size, rng: random.Random, on: Stage, strike: Strike, **traits: Any) -> Figure:
    """The whole of it: work begins, the fault strikes again and again, the account is drawn up."""
    started = time.monotonic()
    with FakePlatform() as fake:
        scene = Scene(on.site, fake, rng, size, **traits)
        furnish(on.site, fake, moderate(rng))
        strike_in_turn(scene, on, strike, min(size.times, attack.most_times))
        return scene.close(attack.title, time.monotonic() - started)


def strike_in_turn(scene: Scene, on: Stage, strike: Strike, times: int) -> None:
    """Begin the work, then strike in its middle, so often."""
    scene.begin()
    for _ in range(times):
        while not scene.wait_for_the_middle():
            scene.begin()
        with scene.blow():
            strike(scene, on)


# Processes ---------------------------------------------------------------------------------------------------------


def _kill_worker(scene: Scene, on: Stage) -> None:
    scene.rng.choice(on.workers).hit(signal.SIGKILL)


def _stop_worker(scene: Scene, on: Stage) -> None:
    scene.rng.choice(on.workers).hit(signal.SIGTERM)


def _kill_server(scene: Scene, on: Stage) -> None:
    on.server.hit(signal.SIGKILL)
    wait_until_up(on.site)


def _stop_server(scene: Scene, on: Stage) -> None:
    on.server.hit(signal.SIGTERM)
    wait_until_up(on.site)


def _freeze_worker(scene: Scene, on: Stage) -> None:
    """Longer than it takes until another takes over; the last time for half a minute."""
    is_last = len(scene.blows) == min(scene.size.times, FREEZES) - 1
    scene.rng.choice(on.workers).freeze(30 if is_last else scene.rng.uniform(5, 9))


def kill_in_turn(scene: Scene, on: Stage) -> None:
    """A worker, then the server."""
    (_kill_server if len(scene.blows) % 2 else _kill_worker)(scene, on)


FREEZES = 3


def apart(strike: Strike, *, workers: int = 1) -> Runner:
    """A server, and workers beside it."""

    def run(attack: Attack, _: Ground, rng: random.Random, size: Size) -> Figure:
        with stage(workers=workers) as on:
            return suffer(attack, size, rng, on, strike)

    return run


@contextmanager
def embedded_stage(directory: Path) -> Iterator[Stage]:
    """A copy of the site that has no database but its embedded one, its worker inside."""
    from bench.torture.processes import supervised

    root = directory / f"embedded-{os.getpid()}-{time.monotonic_ns()}"
    shutil.copytree(ROOT, root, ignore=shutil.ignore_patterns(".*", "var", "node_modules", "__pycache__", "results"))
    database = EmbeddedPostgres(root / "var" / "postgres")
    site = Site(database.get_uri(), concurrency=20, **QUIET, REDIS_URL="")
    site.server = Process(["serve", "--migrate", "--concurrency", "20"], "", **site.environment)
    site.server.root = root
    try:
        site.start()
        site.address = database.get_uri()
        with supervised(site.server) as processes:
            yield Stage(site, processes[0], postgres=database)
    finally:
        site.server.kill()
        database.start()  # to be the last who leaves, whatever has become of the server
        database.leave()


def embedded(strike: Strike) -> Runner:
    """The one process of development: server, worker and PostgreSQL's keeper."""

    def run(attack: Attack, ground: Ground, rng: random.Random, size: Size) -> Figure:
        with embedded_stage(ground.directory) as on:
            return suffer(attack, size, rng, on, strike)

    return run


def _kill_embedded_postgres(scene: Scene, on: Stage) -> None:
    postgres = _postgres_of(on)
    killed = postmaster(postgres)
    killed.kill()
    wait_until(lambda: not killed.is_running() or killed.status() == psutil.STATUS_ZOMBIE, "it to be gone")
    wait_until(lambda: postgres.is_running, "the server to bring its database back", 60)


# PostgreSQL --------------------------------------------------------------------------------------------------------


def _postgres_of(on: Stage) -> EmbeddedPostgres:
    assert on.postgres
    return on.postgres


def postmaster(postgres: EmbeddedPostgres) -> psutil.Process:
    """Its first process."""
    return psutil.Process(int((postgres.data_directory / "postmaster.pid").read_text().split()[0]))


def _restart_postgres(scene: Scene, on: Stage) -> None:
    """In good order, or as a crash; away for a moment or for some seconds."""
    postgres = _postgres_of(on)
    process = postmaster(postgres)
    process.send_signal(scene.rng.choice([signal.SIGINT, signal.SIGQUIT]))
    wait_until(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE, "PostgreSQL to stop")
    threading.Event().wait(scene.rng.choice([0.0, 1.0, 4.0]))
    postgres.ensure_running()


def _pause_postgres(scene: Scene, on: Stage) -> None:
    """All of its processes stand still for 20 s."""
    frozen = all_below(postmaster(_postgres_of(on)).pid)
    for process in frozen:
        process.suspend()
    threading.Event().wait(20)
    for process in reversed(frozen):
        if process.is_running():
            process.resume()


def on_postgres(strike: Strike) -> Runner:
    """A PostgreSQL that may be beaten."""

    def run(attack: Attack, ground: Ground, rng: random.Random, size: Size) -> Figure:
        with stage(postgres=ground.postgres()) as on:
            return suffer(attack, size, rng, on, strike)

    return run


# Redis -------------------------------------------------------------------------------------------------------------


def _restart_redis(scene: Scene, on: Stage) -> None:
    assert on.redis
    on.redis.stop()
    threading.Event().wait(scene.rng.choice([0.0, 1.0, 3.0]))
    on.redis.start()


def _pause_redis(scene: Scene, on: Stage) -> None:
    assert on.redis
    process = psutil.Process(on.redis.pid)
    process.suspend()
    threading.Event().wait(scene.rng.uniform(4, 8))
    process.resume()


def _fill_redis(scene: Scene, on: Stage) -> None:
    """Every write is refused: OOM command not allowed when used memory > 'maxmemory'."""
    import redis

    assert on.redis
    client = redis.Redis.from_url(on.redis.url)
    client.config_set("maxmemory-policy", "noeviction")
    client.config_set("maxmemory", 1024 * 1024)
    try:
        client.set("ballast", b"x" * 1024 * 1024)
        raise AssertionError("Redis still takes writes")
    except redis.exceptions.OutOfMemoryError:
        pass
    threading.Event().wait(scene.rng.uniform(3, 6))
    client.config_set("maxmemory", 0)


def _take_redis_away(scene: Scene, on: Stage) -> None:
    assert on.redis
    on.redis.stop()


def with_redis(strike: Strike) -> Runner:
    """A Redis that may be beaten."""

    def run(attack: Attack, _: Ground, rng: random.Random, size: Size) -> Figure:
        with stage(with_redis=True, variables=STEADY) as on:
            return suffer(attack, size, rng, on, strike)

    return run


FAULTS = [
    Attack("worker-kill", "kill -9 of a worker", apart(_kill_worker)),
    Attack("worker-term", "SIGTERM to a worker", apart(_stop_worker)),
    Attack("web-kill", "kill -9 of the server", apart(_kill_server)),
    Attack("both-kill", "kill -9 of a worker, then of the server, and so on", apart(kill_in_turn)),
    Attack("web-term", "SIGTERM to the server", apart(_stop_server)),
    Attack("embedded-kill", "kill -9 of server and worker in one", embedded(_kill_server)),
    Attack("embedded-term", "SIGTERM to server and worker in one", embedded(_stop_server)),
    Attack("embedded-postgres", "kill -9 of the embedded PostgreSQL", embedded(_kill_embedded_postgres)),
    Attack(
        "postgres-restart", "PostgreSQL restarted, or crashed, and away for 0 to 4 s", on_postgres(_restart_postgres)
    ),
    Attack("postgres-pause", "PostgreSQL frozen for 20 s", on_postgres(_pause_postgres), most_times=3),
    Attack("redis-restart", "Redis restarted, away for 0 to 3 s", with_redis(_restart_redis)),
    Attack("redis-pause", "Redis frozen for 4 to 8 s", with_redis(_pause_redis)),
    Attack("redis-full", "Redis full: writes refused for 3 to 6 s", with_redis(_fill_redis)),
    Attack("redis-gone", "Redis gone for good", with_redis(_take_redis_away), most_times=1),
    Attack("worker-frozen", "a worker frozen for 5 to 30 s, and woken", apart(_freeze_worker, workers=2), FREEZES),
]
