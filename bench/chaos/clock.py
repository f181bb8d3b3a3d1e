"""The clock of a server or a worker steps while both run: libfaketime, controlled by a file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.chaos.cluster import SLOW_STALL_SETTINGS, Cluster, ScenarioUnavailable, running_cluster
from bench.chaos.processes import ExternalProcess
from bench.chaos.scenario import ScenarioContext, run_fault_scenario
from bench.chaos.workload import Workload
from bench.harness import BenchmarkResult
from testing.site import Site, SiteProcess

LIBFAKETIME_PATTERNS = ("usr/lib/*/faketime/libfaketimeMT.so.1", "usr/lib*/faketime/libfaketimeMT.so.1")
CLOCK_STEPS_SECONDS = (-3600, -90, -5, 5, 90, 3600)


def run_clock_steps(context: ScenarioContext) -> BenchmarkResult:
    """Set the clock of the server or of one of two workers at a time."""
    library = next((path for pattern in LIBFAKETIME_PATTERNS for path in Path("/").glob(pattern)), None)
    if library is None:
        raise ScenarioUnavailable("libfaketime is not installed: on Debian and Ubuntu, apt install faketime")
    offset_files = [context.environment.directory / f"clock-{number}" for number in range(3)]
    for file in offset_files:
        file.write_text("+0\n")

    def step_clock(workload: Workload, cluster: Cluster) -> None:
        workload.rng.choice(offset_files).write_text(f"{workload.rng.choice(CLOCK_STEPS_SECONDS):+d}\n")

    with running_cluster(
        server=_with_fake_clock(library, offset_files[0], ["serve", "--concurrency", "0"]),
        workers=[_with_fake_clock(library, file, ["procrastinate", "worker"]) for file in offset_files[1:]],
        variables=SLOW_STALL_SETTINGS,
    ) as cluster:
        return run_fault_scenario(context, cluster, step_clock, checks_clocks=False)


def _with_fake_clock(library: Path, offset_file: Path, arguments: list[str]) -> Callable[[Site], SiteProcess]:
    variables: dict[str, Any] = {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(offset_file),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",  # a step of the clock does not affect the monotonic clock
        "DONT_FAKE_MONOTONIC": "1",
    }
    return lambda site: ExternalProcess(arguments, site, **variables)
