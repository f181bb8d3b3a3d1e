"""The faults of processes, PostgreSQL and Redis, each with the cluster it is injected into: `FAULT_SCENARIOS`."""

import signal
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial

import psutil
import redis

from bench.chaos.cluster import (
    SLOW_STALL_SETTINGS,
    Cluster,
    running_cluster,
    running_embedded_cluster,
    wait_until_site_up,
)
from bench.chaos.scenario import FaultInjector, Scenario, ScenarioContext, run_fault_scenario
from bench.chaos.workload import Workload
from bench.harness import BenchmarkResult
from diagsite.server.embedded_postgres import EmbeddedPostgres
from testing.services import RedisServer, find_postmaster, wait_until, wait_until_exited

# Processes -----------------------------------------------------------------------------------------------------------


def _signal_worker(workload: Workload, cluster: Cluster, *, signal_number: signal.Signals) -> None:
    workload.rng.choice(cluster.workers).signal_and_wait_for_restart(signal_number)


def _signal_server(workload: Workload, cluster: Cluster, *, signal_number: signal.Signals) -> None:
    cluster.server.signal_and_wait_for_restart(signal_number)
    wait_until_site_up(cluster.site)


_kill_worker = partial(_signal_worker, signal_number=signal.SIGKILL)
_kill_server = partial(_signal_server, signal_number=signal.SIGKILL)
_terminate_worker = partial(_signal_worker, signal_number=signal.SIGTERM)
_terminate_server = partial(_signal_server, signal_number=signal.SIGTERM)


def kill_worker_and_server_in_turn(workload: Workload, cluster: Cluster) -> None:
    """Kill a worker at the first injection, the server at the next, and so on."""
    (_kill_server if len(workload.injections) % 2 else _kill_worker)(workload, cluster)


def _freeze_worker(workload: Workload, cluster: Cluster) -> None:
    """Suspend a worker for longer than another one needs to take over; the last time for half a minute."""
    is_last = len(workload.injections) == workload.size.times - 1
    workload.rng.choice(cluster.workers).suspend_for(30 if is_last else workload.rng.uniform(5, 9))


# PostgreSQL ----------------------------------------------------------------------------------------------------------


def _require_postgres(cluster: Cluster) -> EmbeddedPostgres:
    assert cluster.postgres
    return cluster.postgres


def _kill_embedded_postgres(workload: Workload, cluster: Cluster) -> None:
    postgres = _require_postgres(cluster)
    postmaster = find_postmaster(postgres.data_directory)
    postmaster.kill()
    wait_until_exited(postmaster)
    wait_until(lambda: postgres.is_running, "the server to restart its database", 60)


def _restart_postgres(workload: Workload, cluster: Cluster) -> None:
    """Shut PostgreSQL down or crash it; it is back at once or some seconds later."""
    postgres = _require_postgres(cluster)
    postmaster = find_postmaster(postgres.data_directory)
    postmaster.send_signal(workload.rng.choice([signal.SIGINT, signal.SIGQUIT]))
    wait_until_exited(postmaster)
    threading.Event().wait(workload.rng.choice([0.0, 1.0, 4.0]))
    postgres.ensure_running()


def _pause_postgres(workload: Workload, cluster: Cluster) -> None:
    """Suspend all processes of PostgreSQL for 20 s."""
    postmaster = find_postmaster(_require_postgres(cluster).data_directory)
    processes = [postmaster, *postmaster.children(recursive=True)]
    for process in processes:
        process.suspend()
    threading.Event().wait(20)
    for process in reversed(processes):
        if process.is_running():
            process.resume()


# Redis ---------------------------------------------------------------------------------------------------------------


def _require_redis(cluster: Cluster) -> RedisServer:
    assert cluster.redis
    return cluster.redis


def _stop_redis(workload: Workload, cluster: Cluster) -> None:
    _require_redis(cluster).stop()


def _restart_redis(workload: Workload, cluster: Cluster) -> None:
    server = _require_redis(cluster)
    server.stop()
    threading.Event().wait(workload.rng.choice([0.0, 1.0, 3.0]))
    server.start()


def _pause_redis(workload: Workload, cluster: Cluster) -> None:
    process = psutil.Process(_require_redis(cluster).pid)
    process.suspend()
    threading.Event().wait(workload.rng.uniform(4, 8))
    process.resume()


def _fill_redis(workload: Workload, cluster: Cluster) -> None:
    """Make Redis reject every write with OOM."""
    client = redis.Redis.from_url(_require_redis(cluster).url)
    client.config_set("maxmemory-policy", "noeviction")
    client.config_set("maxmemory", 1024 * 1024)
    try:
        client.set("ballast", b"x" * 1024 * 1024)
        raise AssertionError("Redis still accepts writes")
    except redis.exceptions.OutOfMemoryError:
        pass
    threading.Event().wait(workload.rng.uniform(3, 6))
    client.config_set("maxmemory", 0)


# Clusters ------------------------------------------------------------------------------------------------------------

ClusterFactory = Callable[[ScenarioContext], AbstractContextManager[Cluster]]


def _with_worker(context: ScenarioContext) -> AbstractContextManager[Cluster]:
    return running_cluster()


def _with_two_workers(context: ScenarioContext) -> AbstractContextManager[Cluster]:
    return running_cluster(workers=2)


def _embedded(context: ScenarioContext) -> AbstractContextManager[Cluster]:
    return running_embedded_cluster(context.environment.directory)


def _with_own_postgres(context: ScenarioContext) -> AbstractContextManager[Cluster]:
    return running_cluster(postgres=context.environment.get_postgres())


def _with_own_redis(context: ScenarioContext) -> AbstractContextManager[Cluster]:
    return running_cluster(with_redis=True, variables=SLOW_STALL_SETTINGS)


def _fault(
    name: str, title: str, cluster_factory: ClusterFactory, inject: FaultInjector, max_injections: int = 1000
) -> Scenario:
    def run(context: ScenarioContext) -> BenchmarkResult:
        with cluster_factory(context) as cluster:
            return run_fault_scenario(context, cluster, inject)

    return Scenario(name, title, run, max_injections)


FAULT_SCENARIOS = [
    _fault("worker-kill", "kill -9 of a worker", _with_worker, _kill_worker),
    _fault("worker-term", "SIGTERM to a worker", _with_worker, _terminate_worker),
    _fault("web-kill", "kill -9 of the server", _with_worker, _kill_server),
    _fault("both-kill", "kill -9 of a worker and of the server in turn", _with_worker, kill_worker_and_server_in_turn),
    _fault("web-term", "SIGTERM to the server", _with_worker, _terminate_server),
    _fault("embedded-kill", "kill -9 of a server with embedded worker", _embedded, _kill_server),
    _fault("embedded-term", "SIGTERM to a server with embedded worker", _embedded, _terminate_server),
    _fault("embedded-postgres", "kill -9 of the embedded PostgreSQL", _embedded, _kill_embedded_postgres),
    _fault("postgres-restart", "PostgreSQL stopped or crashed for 0 to 4 s", _with_own_postgres, _restart_postgres),
    _fault("postgres-pause", "PostgreSQL suspended for 20 s", _with_own_postgres, _pause_postgres, max_injections=3),
    _fault("redis-restart", "Redis killed for 0 to 3 s, restarted empty", _with_own_redis, _restart_redis),
    _fault("redis-pause", "Redis suspended for 4 to 8 s", _with_own_redis, _pause_redis),
    _fault("redis-full", "Redis full: writes rejected for 3 to 6 s", _with_own_redis, _fill_redis),
    _fault("redis-gone", "Redis stopped permanently", _with_own_redis, _stop_redis, max_injections=1),
    _fault("worker-frozen", "a worker suspended for 5 to 30 s", _with_two_workers, _freeze_worker, max_injections=3),
]
