"""Follow one diagnosis in the terminal, as far as its end: with a worker of its own when there is none."""

import asyncio
import contextlib
import signal
import sys
import time
from typing import Any

import structlog
from channels.db import database_sync_to_async
from django.conf import settings
from django.db import DatabaseError, transaction
from django.utils.translation import gettext as _
from rich.console import Console

from diagnosis import jobs
from diagnosis.choices import Status
from diagnosis.models import Diagnosis
from diagnosis.orders import cancel_diagnosis
from diagnosis.transitions import end_diagnosis
from diagsite.demo_server import demo_platform, demo_platform_answers
from diagsite.terminal import LiveBar
from diagsite.working import keep_database_up, keep_sweeping, keep_working
from progress.services import read_log

log = structlog.get_logger(__name__)

LOOK_SECONDS = 0.2
WORKER_LOOK_SECONDS = 2.0
DRAIN_SECONDS = 8.0

_read_log = database_sync_to_async(read_log, thread_sensitive=False)
_has_live_worker = database_sync_to_async(jobs.has_live_worker, thread_sensitive=False)
_cancel = database_sync_to_async(cancel_diagnosis, thread_sensitive=False)


def _end_as_timed_out(diagnosis: Diagnosis) -> None:
    with transaction.atomic():
        if end_diagnosis(diagnosis.pk, Status.TIMED_OUT):
            jobs.abort_run(Diagnosis.objects.get(pk=diagnosis.pk).job_id)


_time_out = database_sync_to_async(_end_as_timed_out, thread_sensitive=False)


class TerminalRun:
    """One diagnosis, watched by whoever has started it. `wants_cancel`: they pressed Ctrl-C, and meant it."""

    def __init__(self, diagnosis: Diagnosis, console: Console, *, timeout_seconds: float | None = None) -> None:
        self._diagnosis = diagnosis
        self._console = console
        self._bar = LiveBar(console, diagnosis.brand)
        self._ends_at = float("inf") if timeout_seconds is None else time.monotonic() + timeout_seconds
        self._interrupts: asyncio.Queue[None] = asyncio.Queue()
        self._is_told = False  # to cancel or to end: once is enough
        self._own: list[asyncio.Task[None]] = []
        self._resources = contextlib.ExitStack()
        self._look_at = 0.0
        self._cursor = 0
        self.wants_cancel = False

    async def run(self) -> None:
        """Return when the diagnosis has ended, whichever way."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, self._interrupt)
        with self._resources, self._bar:
            try:
                while not await self._is_over():
                    await self._sleep()
            finally:
                await self._stop_own_worker()

    async def _is_over(self) -> bool:
        """Show what is new, and see to it that there can be more."""
        try:
            page = await _read_log(self._diagnosis.stream_id, self._cursor)
            self._cursor = page.entries[-1][0] if page.entries else self._cursor
            if self._bar.show(page.entries):
                return True
            await self._end_if_told()
            await self._require_worker()
        except DatabaseError as error:  # it comes back, and nothing is lost meanwhile
            log.warning("log_unreadable", error=repr(error))
        return False

    async def _end_if_told(self) -> None:
        is_late = time.monotonic() > self._ends_at
        if not self._is_told and (self.wants_cancel or is_late):
            await (_cancel if self.wants_cancel else _time_out)(self._diagnosis)
            self._is_told = True

    async def _require_worker(self) -> None:
        if self._own or time.monotonic() < self._look_at:
            return
        self._look_at = time.monotonic() + WORKER_LOOK_SECONDS
        if await _has_live_worker(settings.JOB_STALLED_SECONDS):
            return
        if self._diagnosis.is_demo and not await asyncio.to_thread(demo_platform_answers):
            self._resources.enter_context(demo_platform())
        works = (keep_database_up(), keep_sweeping(), keep_working(jobs.QUEUE, settings.DIAGNOSES_AT_ONCE))
        self._own = [asyncio.create_task(work) for work in works]

    async def _stop_own_worker(self) -> None:
        for task in self._own:
            task.cancel()
        if self._own:
            await asyncio.wait(self._own, timeout=DRAIN_SECONDS)

    def _interrupt(self) -> None:
        if self.wants_cancel:  # a third Ctrl-C, or a second one where nobody is asked
            raise SystemExit(130)
        self._interrupts.put_nowait(None)

    async def _sleep(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._interrupts.get(), LOOK_SECONDS)
            self.wants_cancel = await self._is_sure()

    async def _is_sure(self) -> bool:
        """Ask once. Another Ctrl-C is an answer, and so is nobody being there to ask."""
        if not (sys.stdin.isatty() and self._console.is_terminal):
            return True
        self._bar.pause()
        self._console.print(_("取消这次诊断？已经得到的回答会保留。[Y/n] "), end="")
        answer = await self._read_answer()
        self._bar.resume()
        return answer.strip().lower() not in ("n", "no", "否", "不")

    async def _read_answer(self) -> str:
        """A line from the terminal; none after another Ctrl-C."""
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
        return line.result() if line.done() else ""
