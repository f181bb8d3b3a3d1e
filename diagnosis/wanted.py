"""Whether a call is still to be made, asked when its turn comes. Those whose turn comes together share one look."""

import asyncio
import uuid

from django.db import InterfaceError, OperationalError

from diagnosis import transitions
from diagnosis.transitions import PlannedCall, Run
from diagnosis.writing import once


class WantedCalls:
    """Those of one run. A look each took a third of the processor time of a call.

    left: set once the worker stops, which wants no call any more.
    """

    def __init__(self, run: Run, left: asyncio.Event) -> None:
        self._run, self._left = run, left
        self._asked: list[tuple[PlannedCall, asyncio.Future[bool]]] = []
        self._looking: asyncio.Task[None] | None = None

    async def has(self, call: PlannedCall) -> bool:
        """Whether to pay for it still. While the database is away, yes: the answer is held until it is back."""
        is_wanted: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._asked.append((call, is_wanted))
        if self._looking is None:
            self._looking = asyncio.create_task(self._look(), name="wanted_calls")
        return await is_wanted and not self._left.is_set()

    async def _look(self) -> None:
        """A call that is asked about while a look is under way waits for the next: what it is told is never older."""
        try:
            while self._asked:
                asked, self._asked = self._asked, []
                await self._answer(asked)
        finally:
            self._looking = None

    async def _answer(self, asked: list[tuple[PlannedCall, asyncio.Future[bool]]]) -> None:
        wanted: set[uuid.UUID] | Exception
        try:
            wanted = await once(transitions.wanted, self._run, [call for call, _ in asked])
        except (OperationalError, InterfaceError):
            wanted = {call.answer_id for call, _ in asked}
        except Exception as error:  # noqa: BLE001 - raised where it is awaited
            wanted = error
        for call, future in asked:
            if future.done():  # whoever asked was cancelled meanwhile
                continue
            if isinstance(wanted, Exception):
                future.set_exception(wanted)
            else:
                future.set_result(call.answer_id in wanted)
