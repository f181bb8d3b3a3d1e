"""The faults: what each strikes with, on which stage. `FAULT_SCENARIOS` names them all."""

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

from bench.chaos.cluster import ChaosEnvironment, Cluster, running_cluster, wait_until_site_up
from bench.chaos.processes import get_process_tree
from bench.chaos.workload import (
    CHAOS_SITE_SETTINGS,
    SLOW_STALL_SETTINGS,
    Workload,
    WorkloadSize,
    add_fake_platforms,
    build_normal_behaviours,
)
from bench.harness import BenchmarkResult
from diagsite.server.embedded_postgres import EmbeddedPostgres
from testing.fake_platform import FakePlatform
from testing.services import wait_until
from testing.site import PROJECT_ROOT, Site, SiteProcess

FaultInjector = Callable[[Workload, Cluster], None]


@dataclass(frozen=True)
class Scenario:
    """Something that is done to the site. max_injections: how often it strikes at most, however much is asked for."""

    name: str
    title: str
    run: Callable[["Scenario", ChaosEnvironment, random.Random, WorkloadSize], BenchmarkResult | list[BenchmarkResult]]
    max_injections: int = 1000


ScenarioRunner = Callable[[Scenario, ChaosEnvironment, random.Random, WorkloadSize], BenchmarkResult]


def run_fault_scenario(
    scenario: Scenario,
    size: WorkloadSize,
    rng: random.Random,
    cluster: Cluster,
    inject: FaultInjector,
    **workload_options: Any,
) -> BenchmarkResult:
    """The whole of it: work begins, the fault strikes again and again, the account is drawn up."""
    started = time.monotonic()
    with FakePlatform() as fake:
        workload = Workload(cluster.site, fake, rng, size, **workload_options)
        add_fake_platforms(cluster.site, fake, build_normal_behaviours(rng))
        inject_repeatedly(workload, cluster, inject, min(size.times, scenario.max_injections))
        return workload.close(scenario.title, time.monotonic() - started)


def inject_repeatedly(workload: Workload, cluster: Cluster, inject: FaultInjector, times: int) -> None:
    """Begin the work, then strike in its middle, so often."""
    workload.start()
    for _ in range(times):
        while not workload.wait_until_mid_run():
            workload.start()
        with workload.injecting():
            inject(workload, cluster)


# Processes ---------------------------------------------------------------------------------------------------------


def _kill_worker(workload: Workload, cluster: Cluster) -> None:
    workload.rng.choice(cluster.workers).signal_and_wait_for_restart(signal.SIGKILL)


def _stop_worker(workload: Workload, cluster: Cluster) -> None:
    workload.rng.choice(cluster.workers).signal_and_wait_for_restart(signal.SIGTERM)


def _kill_server(workload: Workload, cluster: Cluster) -> None:
    cluster.server.signal_and_wait_for_restart(signal.SIGKILL)
    wait_until_site_up(cluster.site)


def _stop_server(workload: Workload, cluster: Cluster) -> None:
    cluster.server.signal_and_wait_for_restart(signal.SIGTERM)
    wait_until_site_up(cluster.site)


def _freeze_worker(workload: Workload, cluster: Cluster) -> None:
    """Longer than it takes until another takes over; the last time for half a minute."""
    is_last = len(workload.injections) == min(workload.size.times, MAX_FREEZES) - 1
    workload.rng.choice(cluster.workers).suspend_for(30 if is_last else workload.rng.uniform(5, 9))


def kill_worker_and_server_in_turn(workload: Workload, cluster: Cluster) -> None:
    """A worker, then the server."""
    (_kill_server if len(workload.injections) % 2 else _kill_worker)(workload, cluster)


MAX_FREEZES = 3


def with_separate_workers(inject: FaultInjector, *, workers: int = 1) -> ScenarioRunner:
    """A server, and workers beside it."""

    def run(attack: Scenario, _: ChaosEnvironment, rng: random.Random, size: WorkloadSize) -> BenchmarkResult:
        with running_cluster(workers=workers) as on:
            return run_fault_scenario(attack, size, rng, on, inject)

    return run


@contextmanager
def running_embedded_cluster(directory: Path) -> Iterator[Cluster]:
    """A copy of the site that has no database but its embedded one, its worker inside."""
    from bench.chaos.processes import supervised_processes

    root = directory / f"embedded-{os.getpid()}-{time.monotonic_ns()}"
    shutil.copytree(
        PROJECT_ROOT, root, ignore=shutil.ignore_patterns(".*", "var", "node_modules", "__pycache__", "results")
    )
    database = EmbeddedPostgres(root / "var" / "postgres")
    site = Site(database.get_uri(), concurrency=20, **CHAOS_SITE_SETTINGS, REDIS_URL="")
    site.server = SiteProcess(["serve", "--migrate", "--concurrency", "20"], "", **site.environment)
    site.server.root = root
    try:
        site.start()
        site.address = database.get_uri()
        with supervised_processes(site.server) as processes:
            yield Cluster(site, processes[0], postgres=database)
    finally:
        site.server.kill()
        database.start()  # to be the last who leaves, whatever has become of the server
        database.release()


def with_embedded_services(inject: FaultInjector) -> ScenarioRunner:
    """The one process of development: server, worker and PostgreSQL's keeper."""

    def run(attack: Scenario, ground: ChaosEnvironment, rng: random.Random, size: WorkloadSize) -> BenchmarkResult:
        with running_embedded_cluster(ground.directory) as on:
            return run_fault_scenario(attack, size, rng, on, inject)

    return run


def _kill_embedded_postgres(workload: Workload, cluster: Cluster) -> None:
    postgres = _require_postgres(cluster)
    old_postmaster = find_postmaster(postgres)
    old_postmaster.kill()
    wait_until(
        lambda: not old_postmaster.is_running() or old_postmaster.status() == psutil.STATUS_ZOMBIE, "it to be gone"
    )
    wait_until(lambda: postgres.is_running, "the server to bring its database back", 60)


# PostgreSQL --------------------------------------------------------------------------------------------------------


def _require_postgres(cluster: Cluster) -> EmbeddedPostgres:
    assert cluster.postgres
    return cluster.postgres


def find_postmaster(postgres: EmbeddedPostgres) -> psutil.Process:
    """Its first process."""
    return psutil.Process(int((postgres.data_directory / "postmaster.pid").read_text().split()[0]))


def _restart_postgres(workload: Workload, cluster: Cluster) -> None:
    """In good order, or as a crash; away for a moment or for some seconds."""
    postgres = _require_postgres(cluster)
    process = find_postmaster(postgres)
    process.send_signal(workload.rng.choice([signal.SIGINT, signal.SIGQUIT]))
    wait_until(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE, "PostgreSQL to stop")
    threading.Event().wait(workload.rng.choice([0.0, 1.0, 4.0]))
    postgres.ensure_running()


def _pause_postgres(workload: Workload, cluster: Cluster) -> None:
    """All of its processes stand still for 20 s."""
    frozen = get_process_tree(find_postmaster(_require_postgres(cluster)).pid)
    for process in frozen:
        process.suspend()
    threading.Event().wait(20)
    for process in reversed(frozen):
        if process.is_running():
            process.resume()


def with_own_postgres(inject: FaultInjector) -> ScenarioRunner:
    """A PostgreSQL that may be beaten."""

    def run(attack: Scenario, ground: ChaosEnvironment, rng: random.Random, size: WorkloadSize) -> BenchmarkResult:
        with running_cluster(postgres=ground.postgres()) as on:
            return run_fault_scenario(attack, size, rng, on, inject)

    return run


# Redis -------------------------------------------------------------------------------------------------------------


def _restart_redis(workload: Workload, cluster: Cluster) -> None:
    assert cluster.redis
    cluster.redis.stop()
    threading.Event().wait(workload.rng.choice([0.0, 1.0, 3.0]))
    cluster.redis.start()


def _pause_redis(workload: Workload, cluster: Cluster) -> None:
    assert cluster.redis
    process = psutil.Process(cluster.redis.pid)
    process.suspend()
    threading.Event().wait(workload.rng.uniform(4, 8))
    process.resume()


def _fill_redis(workload: Workload, cluster: Cluster) -> None:
    """Every write is refused: OOM command not allowed when used memory > 'maxmemory'."""
    import redis

    assert cluster.redis
    client = redis.Redis.from_url(cluster.redis.url)
    client.config_set("maxmemory-policy", "noeviction")
    client.config_set("maxmemory", 1024 * 1024)
    try:
        client.set("ballast", b"x" * 1024 * 1024)
        raise AssertionError("Redis still takes writes")
    except redis.exceptions.OutOfMemoryError:
        pass
    threading.Event().wait(workload.rng.uniform(3, 6))
    client.config_set("maxmemory", 0)


def _stop_redis(workload: Workload, cluster: Cluster) -> None:
    assert cluster.redis
    cluster.redis.stop()


def with_own_redis(inject: FaultInjector) -> ScenarioRunner:
    """A Redis that may be beaten."""

    def run(attack: Scenario, _: ChaosEnvironment, rng: random.Random, size: WorkloadSize) -> BenchmarkResult:
        with running_cluster(with_redis=True, variables=SLOW_STALL_SETTINGS) as on:
            return run_fault_scenario(attack, size, rng, on, inject)

    return run


FAULT_SCENARIOS = [
    Scenario("worker-kill", "kill -9 of a worker", with_separate_workers(_kill_worker)),
    Scenario("worker-term", "SIGTERM to a worker", with_separate_workers(_stop_worker)),
    Scenario("web-kill", "kill -9 of the server", with_separate_workers(_kill_server)),
    Scenario(
        "both-kill",
        "kill -9 of a worker, then of the server, and so on",
        with_separate_workers(kill_worker_and_server_in_turn),
    ),
    Scenario("web-term", "SIGTERM to the server", with_separate_workers(_stop_server)),
    Scenario("embedded-kill", "kill -9 of server and worker in one", with_embedded_services(_kill_server)),
    Scenario("embedded-term", "SIGTERM to server and worker in one", with_embedded_services(_stop_server)),
    Scenario(
        "embedded-postgres", "kill -9 of the embedded PostgreSQL", with_embedded_services(_kill_embedded_postgres)
    ),
    Scenario(
        "postgres-restart",
        "PostgreSQL restarted, or crashed, and away for 0 to 4 s",
        with_own_postgres(_restart_postgres),
    ),
    Scenario("postgres-pause", "PostgreSQL frozen for 20 s", with_own_postgres(_pause_postgres), max_injections=3),
    Scenario("redis-restart", "Redis restarted, away for 0 to 3 s", with_own_redis(_restart_redis)),
    Scenario("redis-pause", "Redis frozen for 4 to 8 s", with_own_redis(_pause_redis)),
    Scenario("redis-full", "Redis full: writes refused for 3 to 6 s", with_own_redis(_fill_redis)),
    Scenario("redis-gone", "Redis gone for good", with_own_redis(_stop_redis), max_injections=1),
    Scenario(
        "worker-frozen",
        "a worker frozen for 5 to 30 s, and woken",
        with_separate_workers(_freeze_worker, workers=2),
        MAX_FREEZES,
    ),
]
