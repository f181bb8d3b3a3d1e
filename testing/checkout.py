"""A copy of the project with a `var` of its own, for what `make run` does to the machine around it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import psutil

from testing.site import FAST_SETTINGS, PROJECT_ROOT

# The settings of the tests' own process say nothing about a house.
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
# What nothing needs that runs in a house; half of all files.
_NOT_COPIED = (".*", "var", "node_modules", "tests", "testing", "bench", "docs")


class Checkout:
    """The project in a directory, runnable; what is installed is borrowed from the tests' own environment."""

    def __init__(self, root: Path) -> None:
        self.root = root
        shutil.copytree(PROJECT_ROOT, root, ignore=shutil.ignore_patterns(*_NOT_COPIED))
        python = root / ".venv" / "bin" / "python"
        python.parent.mkdir(parents=True)
        python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        python.chmod(0o755)
        shutil.copy(
            PROJECT_ROOT / "requirements.lock", root / ".venv" / "installed-requirements.lock"
        )  # the stamp: nothing is installed

    def environment(self, **extra: str) -> dict[str, str]:
        """The environment of a person's shell, in a hurry."""
        inherited = {name: value for name, value in os.environ.items() if name not in _REMOVED_VARIABLES}
        return {**inherited, **FAST_SETTINGS, "LOG_LEVEL": "INFO", **extra}

    def run_expecting_failure(self, *command: str, **extra: str) -> list[str]:
        """The lines that a command prints that must fail, without what make says of it."""
        done = subprocess.run(
            command,
            cwd=self.root,
            env=self.environment(**extra),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode != 0, done.stdout
        return [line for line in (done.stdout + done.stderr).splitlines() if not line.startswith("make:")]

    def find_processes(self) -> list[psutil.Process]:
        """What runs in it or from it."""
        return [process for process in psutil.process_iter() if self._belongs_to_checkout(process)]

    def _belongs_to_checkout(self, process: psutil.Process) -> bool:
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                return False
            return process.cwd().startswith(str(self.root)) or str(self.root) in " ".join(process.cmdline())
        except psutil.Error:
            return False
