"""A small thread per process that does one thing again and again, and that nobody has to remember to start."""

import os
import threading
from collections.abc import Callable

import structlog
from django.db import connections

log = structlog.get_logger(__name__)


class PeriodicThread:
    """Calls `step` every `seconds` in a daemon thread of its own, with database connections of its own.

    It starts at the first `ensure_running`, again after a fork, and never lets an exception out; what fails is logged
    once until it works again.
    """

    def __init__(self, name: str, step: Callable[[], object], get_interval_seconds: Callable[[], float]) -> None:
        self._name, self._step, self._get_interval_seconds = name, step, get_interval_seconds
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._pid = 0
        self.is_failing = False

    def ensure_running(self) -> None:
        """Start the thread unless it runs in this very process. Costs next to nothing when it does."""
        if self._thread is not None and self._pid == os.getpid():
            return
        self._start()

    def _start(self) -> None:
        if self._get_interval_seconds() <= 0:
            return
        if self._pid != os.getpid():  # a lock that was held while forking would stay held
            self._lock = threading.Lock()
        with self._lock:
            if self._thread is not None and self._pid == os.getpid():
                return
            self._pid = os.getpid()
            self._stopping = threading.Event()
            self._thread = threading.Thread(target=self._run, args=(self._stopping,), name=self._name, daemon=True)
            self._thread.start()

    def stop(self, timeout_seconds: float = 15) -> None:
        """End the thread and wait for it, so long at most; the next `ensure_running` starts another."""
        thread, self._thread = self._thread, None
        self._stopping.set()
        if thread is not None and self._pid == os.getpid():
            thread.join(timeout=timeout_seconds)

    def _run(self, stopping: threading.Event) -> None:
        while True:
            self._run_step()
            for connection in connections.all(initialized_only=True):  # this thread's own
                connection.close()
            if stopping.wait(self._get_interval_seconds()):
                return

    def _run_step(self) -> None:
        try:
            self._step()
        except Exception as error:  # noqa: BLE001 - whatever it is, the thread must live on
            if not self.is_failing:
                log.warning("background_failing", thread=self._name, error=type(error).__name__)
            self.is_failing = True
        else:
            if self.is_failing:
                log.info("background_works_again", thread=self._name)
            self.is_failing = False
