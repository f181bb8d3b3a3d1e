"""A background thread per process that calls a function periodically and is started on first use."""

import os
import threading
from collections.abc import Callable

import structlog
from django.db import connections

log = structlog.get_logger(__name__)


class PeriodicThread:
    """Call `step` periodically in a daemon thread with its own database connections.

    The first `ensure_running` starts the thread, also after a fork. Exceptions are logged, repeated ones once.
    """

    def __init__(self, name: str, step: Callable[[], object], get_interval_seconds: Callable[[], float]) -> None:
        self._name, self._step, self._get_interval_seconds = name, step, get_interval_seconds
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._pid = 0
        self.is_failing = False

    def ensure_running(self) -> None:
        """Start the thread unless it runs in this process, or the interval is 0."""
        if self._thread is not None and self._pid == os.getpid():  # without the lock: called for every lookup
            return
        if self._get_interval_seconds() <= 0:
            return
        if self._pid != os.getpid():  # a lock held during the fork would stay locked
            self._lock = threading.Lock()
        with self._lock:
            if self._thread is not None and self._pid == os.getpid():
                return
            self._pid = os.getpid()
            self._stopping = threading.Event()
            self._thread = threading.Thread(target=self._run, args=(self._stopping,), name=self._name, daemon=True)
            self._thread.start()

    def stop(self, timeout_seconds: float = 15) -> None:
        """Stop the thread and wait for its end; the next `ensure_running` starts another."""
        thread, self._thread = self._thread, None
        self._stopping.set()
        if thread is not None and self._pid == os.getpid():
            thread.join(timeout=timeout_seconds)

    def _run(self, stopping: threading.Event) -> None:
        while True:
            try:
                self._step()
            except Exception as error:  # noqa: BLE001 - the thread must continue
                if not self.is_failing:
                    log.warning("background_failing", thread=self._name, error=type(error).__name__)
                self.is_failing = True
            else:
                if self.is_failing:
                    log.info("background_works_again", thread=self._name)
                self.is_failing = False
            for connection in connections.all(initialized_only=True):  # of this thread
                connection.close()
            if stopping.wait(self._get_interval_seconds()):
                return
