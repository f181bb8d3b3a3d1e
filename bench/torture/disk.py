"""The disk under the database is full for some seconds: a small tmpfs of its own, and ballast."""

import random
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bench.figures import Figure
from bench.torture.faults import Attack, suffer
from bench.torture.scene import Scene, Size
from bench.torture.stage import Ground, NotRun, Stage, stage
from diagsite.embedded import EmbeddedDatabaseError, EmbeddedPostgres
from diagsite.tests.services import start_postgres
from diagsite.tests.site import manage

MEBIBYTES = 400


@contextmanager
def small_disk(directory: Path) -> Iterator[Path]:
    """A file system of its own."""
    directory.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={MEBIBYTES}m,mode=0755", "tmpfs", str(directory)]
    done = subprocess.run(mount, capture_output=True, text=True)
    if done.returncode:
        raise NotRun(f"a tmpfs cannot be mounted: {done.stderr.strip() or done.returncode}")
    try:
        yield directory
    finally:
        subprocess.run(["umount", "--lazy", str(directory)], check=False)


def full_disk(attack: Attack, where: Ground, rng: random.Random, size: Size) -> Figure:
    """Full, and room again."""
    with small_disk(where.directory / "disk") as disk:
        postgres = start_postgres(disk / "postgres")
        try:
            for command in ("migrate", "seed"):
                manage([command], postgres.get_uri())
            with stage(postgres=postgres) as on:
                return suffer(attack, size, rng, on, lambda scene, on: _fill(scene, on, disk))
        finally:
            postgres.leave()


def _fill(scene: Scene, on: Stage, disk: Path) -> None:
    ballast = disk / "ballast"
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(1 << 20))
    until = time.monotonic() + scene.rng.uniform(4, 8)
    while time.monotonic() < until:  # what is freed meanwhile is taken as well
        with suppress(OSError), ballast.open("ab", buffering=0) as file:
            while time.monotonic() < until:
                file.write(bytes(1 << 14))
        threading.Event().wait(0.1)
    ballast.unlink()
    assert on.postgres
    _bring_back(on.postgres)


def _bring_back(postgres: EmbeddedPostgres) -> None:
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
