"""The disk under the database is full for some seconds: a small tmpfs of its own, and ballast."""

import random
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bench.chaos.cluster import ChaosEnvironment, Cluster, ScenarioUnavailable, running_cluster
from bench.chaos.faults import Scenario, run_fault_scenario
from bench.chaos.workload import Workload, WorkloadSize
from bench.harness import BenchmarkResult
from diagsite.server.embedded_postgres import EmbeddedDatabaseError, EmbeddedPostgres
from testing.services import start_postgres
from testing.site import run_management_command

DISK_MEBIBYTES = 400


@contextmanager
def mounted_small_disk(directory: Path) -> Iterator[Path]:
    """A file system of its own."""
    directory.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MEBIBYTES}m,mode=0755", "tmpfs", str(directory)]
    done = subprocess.run(mount, capture_output=True, text=True)
    if done.returncode:
        raise ScenarioUnavailable(f"a tmpfs cannot be mounted: {done.stderr.strip() or done.returncode}")
    try:
        yield directory
    finally:
        subprocess.run(["umount", "--lazy", str(directory)], check=False)


def run_full_disk(
    scenario: Scenario, environment: ChaosEnvironment, rng: random.Random, size: WorkloadSize
) -> BenchmarkResult:
    """Full, and room again."""
    with mounted_small_disk(environment.directory / "disk") as disk:
        postgres = start_postgres(disk / "postgres")
        try:
            for command in ("migrate", "seed"):
                run_management_command([command], postgres.get_uri())
            with running_cluster(postgres=postgres) as cluster:
                return run_fault_scenario(scenario, size, rng, cluster, lambda scene, on: _fill_disk(scene, on, disk))
        finally:
            postgres.release()


def _fill_disk(workload: Workload, cluster: Cluster, disk: Path) -> None:
    ballast = disk / "ballast"
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(1 << 20))
    until = time.monotonic() + workload.rng.uniform(4, 8)
    while time.monotonic() < until:  # what is freed meanwhile is taken as well
        with suppress(OSError), ballast.open("ab", buffering=0) as file:
            while time.monotonic() < until:
                file.write(bytes(1 << 14))
        threading.Event().wait(0.1)
    ballast.unlink()
    assert cluster.postgres
    _restart_after_crash(cluster.postgres)


def _restart_after_crash(postgres: EmbeddedPostgres) -> None:
    """PostgreSQL stops when it cannot write its log; whoever watches over it starts it again."""
    until = time.monotonic() + 60
    while True:
        try:
            postgres.ensure_running()
            return
        except (OSError, EmbeddedDatabaseError):
            if time.monotonic() > until:
                raise
            threading.Event().wait(0.5)
