"""Processes that end and come back: started again as Restart=always does, and some in a world that is bent for them."""

import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from testing.services import wait_until
from testing.site import SiteProcess

RESTART_DELAY_SECONDS = 0.2


class ExternalProcess(SiteProcess):
    """A `SiteProcess` that is started as a program of its own: behind a prefix, or from another directory."""

    def __init__(self, prefix: Sequence[str], arguments: list[str], address: str, **extra: str) -> None:
        import sys

        super().__init__(arguments, address, **extra)
        self._command = [*prefix, sys.executable, "manage.py", *arguments]
        self._program: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, again after a kill."""
        assert not self.is_running
        with self.log.open("ab") as log:
            self._program = subprocess.Popen(
                self._command, cwd=self.root, env=self._environment, stdout=log, stderr=log, start_new_session=True
            )

    def send_signal(self, number: signal.Signals) -> None:
        """Send it, and what it has started, a signal."""
        os.killpg(self.pid, number)

    def kill(self) -> None:
        """`kill -9`, and wait until it is gone."""
        if self._program:
            with suppress(ProcessLookupError):
                os.killpg(self._program.pid, signal.SIGKILL)
            self._program.wait()

    def wait(self, seconds: float) -> int:
        """Its exit code."""
        assert self._program
        return self._program.wait(seconds)

    @property
    def pid(self) -> int:
        """Of the one that runs."""
        assert self._program
        return self._program.pid

    @property
    def is_running(self) -> bool:
        """Whether it has not exited."""
        return self._program is not None and self._program.poll() is None


class SupervisedProcess:
    """A process that is started again whenever it ends."""

    def __init__(self, process: SiteProcess) -> None:
        self.process = process

    def signal_and_wait_for_restart(self, number: signal.Signals, seconds: float = 60) -> None:
        """Send it a signal that it does not survive, and return when its successor has been started."""
        before = self.process.pid
        self.process.send_signal(number)
        wait_until(lambda: self.process.pid != before, f"another process than {before}", seconds)

    def suspend_for(self, seconds: float) -> None:
        """SIGSTOP, and SIGCONT after so long."""
        self.process.send_signal(signal.SIGSTOP)
        threading.Event().wait(seconds)
        self.process.send_signal(signal.SIGCONT)


@contextmanager
def supervised_processes(*processes: SiteProcess) -> Iterator[list[SupervisedProcess]]:
    """Start processes, and again whenever one ends; kill them at the end."""
    stopped = threading.Event()

    def supervise() -> None:
        while not stopped.wait(RESTART_DELAY_SECONDS):
            for process in processes:
                if not process.is_running:
                    process.start()

    for process in processes:
        if not process.is_running:
            process.start()
    thread = threading.Thread(target=supervise, name="supervisor", daemon=True)
    thread.start()
    try:
        yield [SupervisedProcess(process) for process in processes]
    finally:
        stopped.set()
        thread.join()
        for process in processes:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGCONT)
            process.kill()


def get_process_tree(pid: int) -> list[Any]:
    """A process and its children."""
    import psutil

    found = psutil.Process(pid)
    return [found, *found.children(recursive=True)]
