"""The clock steps under a worker, and under the server, while both run: libfaketime, told by a file."""

import random
from collections.abc import Callable
from pathlib import Path

from bench.chaos.cluster import ChaosEnvironment, Cluster, ScenarioUnavailable, running_cluster
from bench.chaos.faults import Scenario, run_fault_scenario
from bench.chaos.processes import ExternalProcess
from bench.chaos.workload import SLOW_STALL_SETTINGS, Workload, WorkloadSize
from bench.harness import BenchmarkResult
from testing.site import Site, SiteProcess

LIBFAKETIME_PATTERNS = ("/usr/lib/*/faketime/libfaketimeMT.so.1", "/usr/lib*/faketime/libfaketimeMT.so.1")
CLOCK_STEPS_SECONDS = (-3600, -90, -5, 5, 90, 3600)


def run_clock_steps(
    scenario: Scenario, environment: ChaosEnvironment, rng: random.Random, size: WorkloadSize
) -> BenchmarkResult:
    """One of server and two workers at a time is set to another time."""
    library = next((path for pattern in LIBFAKETIME_PATTERNS for path in Path("/").glob(pattern[1:])), None)
    if library is None:
        raise ScenarioUnavailable("libfaketime is not installed: on Debian and Ubuntu, apt install faketime")
    files = [environment.directory / f"clock-{number}" for number in range(3)]
    for file in files:
        file.write_text("+0\n")

    def build_factory(number: int) -> Callable[[Site], SiteProcess]:
        return lambda site: _build_process(site, library, files[number], "serve" if number == 0 else "worker")

    def step(scene: Workload, on: Cluster) -> None:
        scene.rng.choice(files).write_text(f"{scene.rng.choice(CLOCK_STEPS_SECONDS):+d}\n")

    with running_cluster(
        server=build_factory(0), workers=[build_factory(1), build_factory(2)], variables=SLOW_STALL_SETTINGS
    ) as cluster:
        return run_fault_scenario(scenario, size, rng, cluster, step, is_clock_true=False)


def _build_process(site: Site, library: Path, file: Path, role: str) -> SiteProcess:
    arguments = ["serve", "--concurrency", "0"] if role == "serve" else ["procrastinate", "worker"]
    variables = {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(file),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",  # a step of the clock leaves the monotonic one alone
        "DONT_FAKE_MONOTONIC": "1",
    }
    return ExternalProcess([], arguments, site.address, **site.environment, **variables)
