"""Failover: the master of a Redis under Sentinels is killed, or the primary of a replicated PostgreSQL."""

import time
from collections.abc import Callable

import httpx

from bench.chaos.cluster import CHAOS_SITE_SETTINGS, SLOW_STALL_SETTINGS, Cluster
from bench.chaos.scenario import ScenarioContext, run_fault_scenario
from bench.chaos.workload import Workload
from bench.harness import BenchmarkResult
from testing.failover import ReplicatedPostgres, SentinelRedis, running_replicated_services
from testing.processes import supervised_processes
from testing.services import get_load_factor, wait_until
from testing.site import Site, create_database

MAX_RECOVERY_SECONDS = 15


def run_redis_failover(context: ScenarioContext) -> BenchmarkResult:
    """Kill the master of the Redis that the site has by its Sentinels; push must work again in time."""
    with running_replicated_services(with_redis=True, with_postgres=False) as (sentinel_redis, _):
        variables = {**CHAOS_SITE_SETTINGS, **SLOW_STALL_SETTINGS, "REDIS_URL": sentinel_redis.url}
        return _run(context, Site(create_database(), concurrency=0, **variables), _fail_redis(sentinel_redis))


def run_postgres_failover(context: ScenarioContext) -> BenchmarkResult:
    """Kill the primary of a replicated PostgreSQL and promote its standby; the site must accept writes in time."""
    with running_replicated_services(with_redis=False, with_postgres=True) as (_, postgres):
        variables = {**CHAOS_SITE_SETTINGS, **SLOW_STALL_SETTINGS}
        return _run(context, Site(postgres.url, concurrency=0, **variables), _fail_postgres(postgres))


def _run(context: ScenarioContext, site: Site, inject: Callable[[Workload, Cluster], None]) -> BenchmarkResult:
    site.start()
    with supervised_processes(site.server, site.make_worker(), site.make_worker()) as processes:
        return run_fault_scenario(context, Cluster(site, processes[0], processes[1:]), inject)


def _fail_redis(sentinel_redis: SentinelRedis) -> Callable[[Workload, Cluster], None]:
    def inject(workload: Workload, cluster: Cluster) -> None:
        killed_at = time.monotonic()
        sentinel_redis.kill_master()
        _wait_for_recovery(workload, killed_at, lambda: _read_status(cluster.site) == "ok")
        sentinel_redis.restore_replica()

    return inject


def _fail_postgres(postgres: ReplicatedPostgres) -> Callable[[Workload, Cluster], None]:
    def inject(workload: Workload, cluster: Cluster) -> None:
        killed_at = time.monotonic()
        postgres.fail_over()
        _wait_for_recovery(workload, killed_at, lambda: _can_sign_in(cluster.site))

    return inject


def _wait_for_recovery(workload: Workload, killed_at: float, is_back: Callable[[], bool]) -> None:
    wait_until(is_back, "the site to work again")
    seconds = time.monotonic() - killed_at
    if seconds > MAX_RECOVERY_SECONDS * get_load_factor():
        workload.problems.append(f"back after {seconds:.0f} s")
    workload.notes.append(f"back after {seconds:.1f} s")


def _read_status(site: Site) -> str:
    try:
        return str(httpx.get(f"{site.url}/readyz", trust_env=False, timeout=2).json()["status"])
    except httpx.TransportError:
        return ""


def _can_sign_in(site: Site) -> bool:
    """Tell whether the site stores something: a new user."""
    try:
        site.token(f"device-{time.monotonic_ns()}")
    except httpx.HTTPError:
        return False
    return True
