"""Follow a diagnosis in the terminal until it ends; runs a worker if none is running."""

import asyncio
import contextlib
import signal
import sys
import time
from typing import Any

import structlog
from channels.db import database_sync_to_async
from django.conf import settings
from django.db import DatabaseError
from django.utils.translation import gettext as _
from rich.console import Console

from diagnosis.choices import DiagnosisStatus
from diagnosis.models import Diagnosis
from diagnosis.orders.services import cancel_diagnosis
from diagnosis.running import queue
from diagsite.cli.progress_display import ProgressDisplay
from diagsite.server.demo_platform import is_demo_platform_up, serve_demo_platform
from diagsite.server.embedded_worker import (
    WORKER_DRAIN_SECONDS,
    run_sweep_loop,
    run_worker_forever,
    supervise_embedded_database,
)
from progress.services import read_log

log = structlog.get_logger(__name__)

TERMINAL_POLL_SECONDS = 0.2
WORKER_CHECK_SECONDS = 2.0

_read_log_async = database_sync_to_async(read_log, thread_sensitive=False)
_has_live_worker_async = database_sync_to_async(queue.has_live_worker, thread_sensitive=False)
_cancel_async = database_sync_to_async(cancel_diagnosis, thread_sensitive=False)


class TerminalRun:
    """A diagnosis followed in the terminal. is_cancel_requested: the user pressed Ctrl-C and confirmed it."""

    def __init__(self, diagnosis: Diagnosis, console: Console, *, timeout_seconds: float | None = None) -> None:
        self._diagnosis = diagnosis
        self._console = console
        self._bar = ProgressDisplay(console, diagnosis.brand)
        self._deadline = float("inf") if timeout_seconds is None else time.monotonic() + timeout_seconds
        self._interrupts: asyncio.Queue[None] = asyncio.Queue()
        self._is_end_requested = False  # cancelling or timing out happens once
        self._worker_tasks: list[asyncio.Task[None]] = []
        self._resources = contextlib.ExitStack()
        self._next_worker_check = 0.0
        self._cursor = 0
        self.is_cancel_requested = False

    async def run(self) -> None:
        """Return when the diagnosis has ended."""

        def interrupt() -> None:
            if self.is_cancel_requested:  # a further Ctrl-C after the confirmation
                raise SystemExit(130)
            self._interrupts.put_nowait(None)

        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, interrupt)
        with self._resources, self._bar:
            try:
                while not await self._poll():
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._interrupts.get(), TERMINAL_POLL_SECONDS)
                        self.is_cancel_requested = await self._confirm_cancel()
            finally:
                for task in self._worker_tasks:
                    task.cancel()
                if self._worker_tasks:
                    await asyncio.wait(self._worker_tasks, timeout=WORKER_DRAIN_SECONDS)

    async def _poll(self) -> bool:
        """Show new events, cancel or time out if requested, and start a worker if none is running."""
        try:
            page = await _read_log_async(self._diagnosis.stream_id, self._cursor)
            self._cursor = page.entries[-1][0] if page.entries else self._cursor
            if self._bar.show_events(page.entries):
                return True
            is_late = time.monotonic() > self._deadline
            if not self._is_end_requested and (self.is_cancel_requested or is_late):
                status = DiagnosisStatus.CANCELLED if self.is_cancel_requested else DiagnosisStatus.TIMED_OUT
                await _cancel_async(self._diagnosis, status)
                self._is_end_requested = True
            await self._ensure_worker()
        except DatabaseError as error:  # temporary; the log keeps the events
            log.warning("log_unreadable", error=repr(error))
        return False

    async def _ensure_worker(self) -> None:
        if self._worker_tasks or time.monotonic() < self._next_worker_check:
            return
        self._next_worker_check = time.monotonic() + WORKER_CHECK_SECONDS
        if await _has_live_worker_async(settings.JOB_STALLED_SECONDS):
            return
        if self._diagnosis.is_demo and not await asyncio.to_thread(is_demo_platform_up):
            self._resources.enter_context(serve_demo_platform())
        coroutines = (
            supervise_embedded_database(),
            run_sweep_loop(),
            run_worker_forever(queue.DIAGNOSIS_QUEUE, settings.DIAGNOSES_AT_ONCE),
        )
        self._worker_tasks = [asyncio.create_task(work) for work in coroutines]

    async def _confirm_cancel(self) -> bool:
        """Ask the user in the terminal; without a terminal, or after another Ctrl-C, the answer is yes."""
        if not (sys.stdin.isatty() and self._console.is_terminal):
            return True
        self._bar.pause()
        self._console.print(_("取消这次诊断？已经得到的回答会保留。[Y/n] "), end="")
        loop = asyncio.get_running_loop()
        line: asyncio.Future[str] = loop.create_future()

        def read() -> None:
            loop.remove_reader(sys.stdin)
            line.set_result(sys.stdin.readline())

        loop.add_reader(sys.stdin, read)
        interrupt = asyncio.ensure_future(self._interrupts.get())
        either: list[asyncio.Future[Any]] = [line, interrupt]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        loop.remove_reader(sys.stdin)
        interrupt.cancel()
        self._bar.resume()
        return not line.done() or line.result().strip().lower() not in ("n", "no", "否", "不")
