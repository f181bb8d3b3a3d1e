"""Copies of the project with a `var` of their own, whose database is the embedded one."""

import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from diagsite.server.embedded_postgres import EmbeddedPostgres
from testing.services import find_free_port
from testing.site import (
    FAST_SETTINGS,
    PLATFORM_KEY_SETTINGS,
    PROJECT_ROOT,
    Site,
    SiteProcess,
    copy_seeded_data_directory,
)

# Settings and make's own variables of the tests' process.
_REMOVED_VARIABLES = (
    "MAKEFLAGS",
    "MFLAGS",
    "MAKELEVEL",
    "DATABASE_URL",
    "REDIS_URL",
    "ENVIRONMENT",
    "DEMO",
    "LOG_LEVEL",
    "LOG_FILE",
    "PORT",
    "LANG",
    "LC_ALL",
)
# Half of all files; a site does not need them. Bytecode is copied, as compiling it takes seconds.
_NOT_COPIED = (".*", "var", "node_modules", "tests", "testing", "bench", "docs")


def copy_project(root: Path) -> None:
    """Copy what a site needs into a directory that does not exist yet."""
    shutil.copytree(PROJECT_ROOT, root, ignore=shutil.ignore_patterns(*_NOT_COPIED))


class Checkout:
    """A copy of the project in a directory, ready for `make run`; it uses the packages of this process."""

    def __init__(self, root: Path) -> None:
        self.root = root
        copy_project(root)
        python = root / ".venv" / "bin" / "python"
        python.parent.mkdir(parents=True)
        python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        python.chmod(0o755)
        shutil.copy(
            PROJECT_ROOT / "requirements.lock", root / ".venv" / "installed-requirements.lock"
        )  # the stamp: nothing is installed
        bundler = Path("tools", "bundles", "node_modules")
        if (PROJECT_ROOT / bundler).exists():
            (root / bundler).symlink_to(PROJECT_ROOT / bundler)

    def environment(self, **extra: str) -> dict[str, str]:
        """Return the environment of a user's shell, with fast settings."""
        inherited = {name: value for name, value in os.environ.items() if name not in _REMOVED_VARIABLES}
        return {**inherited, **FAST_SETTINGS, "LOG_LEVEL": "INFO", **extra}

    def run_expecting_failure(self, *command: str, **extra: str) -> list[str]:
        """Run a command that must fail, and return the lines it printed without those of make itself."""
        done = subprocess.run(
            command,
            cwd=self.root,
            env=self.environment(**{"PORT": str(find_free_port())} | extra),  # another site may use the default
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=240,
        )
        assert done.returncode != 0, done.stdout
        return [line for line in (done.stdout + done.stderr).splitlines() if not line.startswith("make:")]

    def find_processes(self) -> list[psutil.Process]:
        """Return the processes that run in the directory or from it."""
        return [process for process in psutil.process_iter() if self._belongs_to_checkout(process)]

    def _belongs_to_checkout(self, process: psutil.Process) -> bool:
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                return False
            return process.cwd().startswith(str(self.root)) or str(self.root) in " ".join(process.cmdline())
        except psutil.Error:
            return False


@contextmanager
def running_embedded_site(
    directory: Path, *, concurrency: int = 10, **extra: str
) -> Iterator[tuple[Site, EmbeddedPostgres]]:
    """Run the block with a site in a copy of the project, and with its embedded PostgreSQL."""
    root = directory / uuid.uuid4().hex[:8]
    copy_project(root)
    copy_seeded_data_directory(root / "var" / "postgres")
    database = EmbeddedPostgres(root / "var" / "postgres")
    options: dict[str, Any] = {**PLATFORM_KEY_SETTINGS, **extra}
    site = Site(database.get_uri(), **options)
    # Without a database URL: the site starts its embedded PostgreSQL.
    site.server = SiteProcess(["serve", "--migrate", "--concurrency", str(concurrency)], "", **site.environment)
    site.server.root = root
    try:
        site.start()
        site.address = database.get_uri()  # only now: in a long path its socket is elsewhere
        yield site, database
    finally:
        site.server.kill()
        database.start()  # as its last user, this process stops it in any case
        database.release()
