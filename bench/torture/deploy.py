"""A rolling deploy, there and back: two versions of the code at once over the newer one's tables."""

import random
import shutil
import signal
import subprocess
from pathlib import Path

from bench.figures import Figure
from bench.torture.faults import Attack, suffer
from bench.torture.processes import Program
from bench.torture.scene import STEADY, Scene, Size
from bench.torture.stage import Ground, NotRun, Stage, stage, wait_until_up
from diagsite.tests.site import ROOT, Process, Site


def rolling_deploy(attack: Attack, where: Ground, rng: random.Random, size: Size) -> Figure:
    """Each process in turn is stopped and started with the other version."""
    revision = _older_revision()
    old = where.directory / "older"
    _check_out(revision, old)

    def server(site: Site) -> Process:
        return _at(old, Program([], ["serve", "--concurrency", "0"], site.address, **site.environment))

    def worker(site: Site) -> Process:
        return _at(old, Program([], ["procrastinate", "worker"], site.address, **site.environment))

    def replace(scene: Scene, on: Stage) -> None:
        chosen = [on.server, *on.workers][len(scene.blows) % 3]
        chosen.process.root = old if chosen.process.root == ROOT else ROOT
        chosen.hit(signal.SIGTERM)
        wait_until_up(on.site)

    with stage(server=server, workers=[worker, worker], variables=STEADY) as on:
        found = suffer(attack, Size(size.diagnoses, size.clients, size.questions, max(6, size.times)), rng, on, replace)
    return Figure(found.figure, found.must_be, f"{found.measured}; older: {revision[:8]}", found.is_held)


def _at(root: Path, process: Program) -> Process:
    process.root = root
    return process


def _older_revision() -> str:
    """The last release, or else what was there before the tables were changed last."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        raise NotRun("this is no git checkout, so there is no older version")
    tag = _git("describe", "--tags", "--abbrev=0", may_fail=True)
    return tag or f"{_git('log', '-1', '--format=%H', '--', '*/migrations/0*.py')}^"


def _git(*arguments: str, may_fail: bool = False) -> str:
    done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True)
    if done.returncode and not may_fail:
        raise NotRun(f"git {arguments[0]}: {done.stderr.strip()}")
    return done.stdout.strip() if done.returncode == 0 else ""


def _check_out(revision: str, directory: Path) -> None:
    directory.mkdir()
    archive = subprocess.run(["git", "-C", str(ROOT), "archive", revision], capture_output=True)
    if archive.returncode:
        raise NotRun(f"git archive {revision}: {archive.stderr.decode().strip()}")
    subprocess.run(["tar", "-x", "-C", str(directory)], input=archive.stdout, check=True)
