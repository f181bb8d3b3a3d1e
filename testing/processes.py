"""Processes of a site that are started again whenever they end, as systemd's Restart=always does."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from testing.services import wait_until
from testing.site import SiteProcess

RESTART_DELAY_SECONDS = 0.2


class SupervisedProcess:
    """A process that is started again whenever it ends."""

    def __init__(self, process: SiteProcess) -> None:
        self.process = process

    def signal_and_wait_for_restart(self, signal_number: signal.Signals, seconds: float = 180) -> None:
        """Send a signal that ends the process, and return when its successor has been started."""
        before = self.process.pid
        self.process.send_signal(signal_number)
        wait_until(lambda: self.process.pid != before, f"a successor of process {before}", seconds)

    def suspend_for(self, seconds: float) -> None:
        """Freeze the process with SIGSTOP, and let it continue after so many seconds."""
        self.process.send_signal(signal.SIGSTOP)
        threading.Event().wait(seconds)
        self.process.send_signal(signal.SIGCONT)


@contextmanager
def supervised_processes(*processes: SiteProcess) -> Iterator[list[SupervisedProcess]]:
    """Start processes that are not running, restart those that end during the block, and kill all after it."""
    stopped = threading.Event()

    def start_ended() -> None:
        for process in processes:
            if not process.is_running:
                process.start()

    def supervise() -> None:
        while not stopped.wait(RESTART_DELAY_SECONDS):
            start_ended()

    start_ended()
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
