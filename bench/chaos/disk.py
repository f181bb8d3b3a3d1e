"""A full disk under the database for some seconds: a small tmpfs, filled with a file."""

import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bench.chaos.cluster import Cluster, ScenarioUnavailable, running_cluster
from bench.chaos.scenario import ScenarioContext, run_fault_scenario
from bench.chaos.workload import Workload
from bench.harness import BenchmarkResult
from diagsite.server.embedded_postgres import EmbeddedDatabaseError, EmbeddedPostgres
from testing.site import start_site_postgres

DISK_MEBIBYTES = 400


@contextmanager
def mounted_small_disk(directory: Path) -> Iterator[Path]:
    """Run the block with a small file system mounted at a new directory. Raises ScenarioUnavailable."""
    directory.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MEBIBYTES}m,mode=0755", "tmpfs", str(directory)]
    done = subprocess.run(mount, capture_output=True, text=True)
    if done.returncode:
        raise ScenarioUnavailable(f"cannot mount a tmpfs: {done.stderr.strip() or done.returncode}")
    try:
        yield directory
    finally:
        subprocess.run(["umount", "--lazy", str(directory)], check=False)


def run_full_disk(context: ScenarioContext) -> BenchmarkResult:
    """Fill the disk under PostgreSQL, and free it after some seconds."""
    with mounted_small_disk(context.environment.directory / "disk") as disk:
        postgres = start_site_postgres(disk / "postgres")

        def fill_disk(workload: Workload, cluster: Cluster) -> None:
            _fill(disk / "ballast", workload.rng.uniform(4, 8))
            _restart_after_crash(postgres)

        try:
            with running_cluster(postgres=postgres) as cluster:
                return run_fault_scenario(context, cluster, fill_disk)
        finally:
            postgres.release()


def _fill(ballast: Path, seconds: float) -> None:
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(1 << 20))
    until = time.monotonic() + seconds
    while time.monotonic() < until:  # also take what is freed meanwhile
        with suppress(OSError), ballast.open("ab", buffering=0) as file:
            while time.monotonic() < until:
                file.write(bytes(1 << 14))
        threading.Event().wait(0.1)
    ballast.unlink()


def _restart_after_crash(postgres: EmbeddedPostgres) -> None:
    """Start PostgreSQL as its supervisor would: it stops when it cannot write its log."""
    until = time.monotonic() + 60
    while True:
        try:
            postgres.ensure_running()
            return
        except (OSError, EmbeddedDatabaseError):
            if time.monotonic() > until:
                raise
            threading.Event().wait(0.5)
