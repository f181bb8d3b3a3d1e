"""Check right before a call whether it must still be made."""

import asyncio
import uuid

from django.db import InterfaceError, OperationalError
from django.utils import timezone

from diagnosis.choices import FailureReason
from diagnosis.exceptions import CallFailed, CallNoLongerNeeded
from diagnosis.models import Platform
from diagnosis.running import state_machine
from diagnosis.running.db import run_in_db_thread
from diagnosis.running.state_machine import PlannedCall, Run


class PendingCallChecker:
    """Checker of one run. Checks that are requested together share one query.

    paused: reason by platform; platforms paused when the run began, and those that it paused itself.
    shutdown: set when the worker stops; no call is needed after that.
    """

    def __init__(self, run: Run, shutdown: asyncio.Event) -> None:
        now = timezone.now()
        platforms: dict[str, Platform] = {call.platform.pk: call.platform for call in run.calls}
        self.paused = {
            pk: FailureReason(platform.pause_reason or FailureReason.QUOTA)
            for pk, platform in platforms.items()
            if platform.paused_until and platform.paused_until > now
        }
        self._run, self._shutdown = run, shutdown
        self._waiting: list[tuple[PlannedCall, asyncio.Future[bool]]] = []
        self._check_task: asyncio.Task[None] | None = None

    async def check(self, call: PlannedCall) -> None:
        """Raise CallNoLongerNeeded if the answer is not pending, CallFailed if the platform is paused."""
        if not await self.is_pending(call):
            raise CallNoLongerNeeded
        if call.platform.pk in self.paused:
            raise CallFailed(self.paused[call.platform.pk], "not called: the platform is paused")

    async def is_pending(self, call: PlannedCall) -> bool:
        """Return whether this run must still make the call. True while the database is unavailable."""
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((call, future))
        if self._check_task is None:
            self._check_task = asyncio.create_task(self._check_waiting(), name="pending_calls")
        return await future and not self._shutdown.is_set()

    async def _check_waiting(self) -> None:
        """Resolve what is waiting. A request that arrives during a query waits for the next: its result is current."""
        while self._waiting:
            batch, self._waiting = self._waiting, []
            calls = [call for call, _ in batch]
            pending: set[uuid.UUID] | Exception
            try:
                pending = await run_in_db_thread(state_machine.find_pending_answers, self._run, calls)
            except (OperationalError, InterfaceError):
                pending = {call.answer_id for call in calls}
            except Exception as error:  # noqa: BLE001 - raised where it is awaited
                pending = error
            for call, future in batch:
                if future.done():  # its task was cancelled
                    continue
                if isinstance(pending, Exception):
                    future.set_exception(pending)
                else:
                    future.set_result(call.answer_id in pending)
        self._check_task = None
