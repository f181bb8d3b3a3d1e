"""Whether a call is still to be made, asked when its turn comes. Those whose turn comes together share one look."""

import asyncio
import uuid

from django.db import InterfaceError, OperationalError

from diagnosis.running import state_machine
from diagnosis.running.answer_writer import run_in_db_thread
from diagnosis.running.state_machine import PlannedCall, Run


class PendingCallChecker:
    """Those of one run. A look each took a third of the processor time of a call.

    left: set once the worker stops, which wants no call any more.
    """

    def __init__(self, run: Run, shutdown: asyncio.Event) -> None:
        self._run, self._shutdown = run, shutdown
        self._waiting: list[tuple[PlannedCall, asyncio.Future[bool]]] = []
        self._check_task: asyncio.Task[None] | None = None

    async def is_pending(self, call: PlannedCall) -> bool:
        """Whether to pay for it still. While the database is away, yes: the answer is held until it is back."""
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((call, future))
        if self._check_task is None:
            self._check_task = asyncio.create_task(self._check_waiting(), name="wanted_calls")
        return await future and not self._shutdown.is_set()

    async def _check_waiting(self) -> None:
        """A call that is asked about while a look is under way waits for the next: what it is told is never older."""
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, []
                await self._resolve(batch)
        finally:
            self._check_task = None

    async def _resolve(self, batch: list[tuple[PlannedCall, asyncio.Future[bool]]]) -> None:
        pending: set[uuid.UUID] | Exception
        try:
            pending = await run_in_db_thread(state_machine.find_pending_answers, self._run, [call for call, _ in batch])
        except (OperationalError, InterfaceError):
            pending = {call.answer_id for call, _ in batch}
        except Exception as error:  # noqa: BLE001 - raised where it is awaited
            pending = error
        for call, future in batch:
            if future.done():  # whoever asked was cancelled meanwhile
                continue
            if isinstance(pending, Exception):
                future.set_exception(pending)
            else:
                future.set_result(call.answer_id in pending)
