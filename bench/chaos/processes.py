"""Processes of the site that are started as separate programs."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from testing.site import PROJECT_ROOT, Site, SiteProcess


class ExternalProcess(SiteProcess):
    """A `SiteProcess` that is not forked: run by another program (`prefix`), or from another directory."""

    def __init__(
        self, arguments: list[str], site: Site, *, prefix: Sequence[str] = (), root: Path = PROJECT_ROOT, **extra: Any
    ) -> None:
        super().__init__(arguments, site.address, **site.environment, **extra)
        self.root = root
        self._command = [*prefix, sys.executable, "manage.py", *arguments]
        self._program: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; also again after it has ended."""
        assert not self.is_running
        with self.log.open("ab") as log:
            self._program = subprocess.Popen(
                self._command, cwd=self.root, env=self._environment, stdout=log, stderr=log, start_new_session=True
            )

    def send_signal(self, signal_number: signal.Signals) -> None:
        """Send a signal to it and to all processes it has started."""
        os.killpg(self.pid, signal_number)

    def kill(self) -> None:
        """Send SIGKILL and wait until it has ended."""
        if self._program:
            with suppress(ProcessLookupError):
                os.killpg(self._program.pid, signal.SIGKILL)
            self._program.wait()

    def wait(self, seconds: float) -> int:
        """Wait for its end and return its exit code. Raises subprocess.TimeoutExpired."""
        assert self._program
        return self._program.wait(seconds)

    @property
    def pid(self) -> int:
        """The process id of the last start."""
        assert self._program
        return self._program.pid

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._program is not None and self._program.poll() is None
