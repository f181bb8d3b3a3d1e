"""A rolling deploy, there and back: two versions of the code at once over the newer one's tables."""

import random
import shutil
import signal
import subprocess
from pathlib import Path

from bench.chaos.cluster import ChaosEnvironment, Cluster, ScenarioUnavailable, running_cluster, wait_until_site_up
from bench.chaos.faults import Scenario, run_fault_scenario
from bench.chaos.processes import ExternalProcess
from bench.chaos.workload import SLOW_STALL_SETTINGS, Workload, WorkloadSize
from bench.harness import BenchmarkResult
from testing.site import PROJECT_ROOT, Site, SiteProcess


def run_rolling_deploy(
    scenario: Scenario, environment: ChaosEnvironment, rng: random.Random, size: WorkloadSize
) -> BenchmarkResult:
    """Each process in turn is stopped and started with the other version."""
    revision = _find_older_revision()
    old = environment.directory / "older"
    _export_revision(revision, old)

    def server(site: Site) -> SiteProcess:
        return _with_root(old, ExternalProcess([], ["serve", "--concurrency", "0"], site.address, **site.environment))

    def worker(site: Site) -> SiteProcess:
        return _with_root(old, ExternalProcess([], ["procrastinate", "worker"], site.address, **site.environment))

    def replace(scene: Workload, on: Cluster) -> None:
        chosen = [on.server, *on.workers][len(scene.injections) % 3]
        chosen.process.root = old if chosen.process.root == PROJECT_ROOT else PROJECT_ROOT
        chosen.signal_and_wait_for_restart(signal.SIGTERM)
        wait_until_site_up(on.site)

    with running_cluster(server=server, workers=[worker, worker], variables=SLOW_STALL_SETTINGS) as cluster:
        result = run_fault_scenario(
            scenario,
            WorkloadSize(size.diagnoses, size.clients, size.questions, max(6, size.times)),
            rng,
            cluster,
            replace,
        )
    return BenchmarkResult(result.figure, result.must_be, f"{result.measured}; older: {revision[:8]}", result.is_held)


def _with_root(root: Path, process: ExternalProcess) -> SiteProcess:
    process.root = root
    return process


def _find_older_revision() -> str:
    """The last release, or else what was there before the tables were changed last."""
    if shutil.which("git") is None or not (PROJECT_ROOT / ".git").exists():
        raise ScenarioUnavailable("this is no git checkout, so there is no older version")
    tag = _run_git("describe", "--tags", "--abbrev=0", may_fail=True)
    return tag or f"{_run_git('log', '-1', '--format=%H', '--', '*/migrations/0*.py')}^"


def _run_git(*arguments: str, may_fail: bool = False) -> str:
    done = subprocess.run(["git", "-C", str(PROJECT_ROOT), *arguments], capture_output=True, text=True)
    if done.returncode and not may_fail:
        raise ScenarioUnavailable(f"git {arguments[0]}: {done.stderr.strip()}")
    return done.stdout.strip() if done.returncode == 0 else ""


def _export_revision(revision: str, directory: Path) -> None:
    directory.mkdir()
    archive = subprocess.run(["git", "-C", str(PROJECT_ROOT), "archive", revision], capture_output=True)
    if archive.returncode:
        raise ScenarioUnavailable(f"git archive {revision}: {archive.stderr.decode().strip()}")
    subprocess.run(["tar", "-x", "-C", str(directory)], input=archive.stdout, check=True)
