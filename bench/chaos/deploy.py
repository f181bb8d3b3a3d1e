"""A rolling deploy and its rollback: two versions of the code run on the newer version's tables."""

import shutil
import signal
import subprocess
from dataclasses import replace
from pathlib import Path

from bench.chaos.cluster import (
    SLOW_STALL_SETTINGS,
    Cluster,
    ScenarioUnavailable,
    running_cluster,
    wait_until_site_up,
)
from bench.chaos.processes import ExternalProcess
from bench.chaos.scenario import ScenarioContext, run_fault_scenario
from bench.chaos.workload import Workload
from bench.harness import BenchmarkResult
from testing.site import PROJECT_ROOT, Site, SiteProcess


def run_rolling_deploy(context: ScenarioContext) -> BenchmarkResult:
    """Stop each process in turn and start it with the other version."""
    revision = _find_older_revision()
    old_root = context.environment.directory / "older"
    _export_revision(revision, old_root)

    def make_server(site: Site) -> SiteProcess:
        return ExternalProcess(["serve", "--concurrency", "0"], site, root=old_root)

    def make_worker(site: Site) -> SiteProcess:
        return ExternalProcess(["procrastinate", "worker"], site, root=old_root)

    def replace_version(workload: Workload, cluster: Cluster) -> None:
        supervised = [cluster.server, *cluster.workers][len(workload.injections) % 3]
        supervised.process.root = old_root if supervised.process.root == PROJECT_ROOT else PROJECT_ROOT
        supervised.signal_and_wait_for_restart(signal.SIGTERM)
        wait_until_site_up(cluster.site)

    with running_cluster(
        server=make_server, workers=[make_worker, make_worker], variables=SLOW_STALL_SETTINGS
    ) as cluster:
        there_and_back = replace(context.size, times=max(6, context.size.times))
        result = run_fault_scenario(replace(context, size=there_and_back), cluster, replace_version)
    return replace(result, measured=f"{result.measured}; older: {revision[:8]}")


def _find_older_revision() -> str:
    """Return the last release, or the version before the last change of the tables."""
    if shutil.which("git") is None or not (PROJECT_ROOT / ".git").exists():
        raise ScenarioUnavailable("not a git checkout, so there is no older version")
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
