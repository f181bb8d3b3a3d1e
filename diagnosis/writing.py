"""The writes of a run: what has been paid for is not lost, and answers that come together are stored together."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

import structlog
from channels.db import database_sync_to_async
from django.db import InterfaceError, OperationalError
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from diagnosis import transitions
from diagnosis.asking import Outcome
from diagnosis.exceptions import RunOver
from diagnosis.transitions import PlannedCall, Run

log = structlog.get_logger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

MOST_SECONDS_WITHOUT_DATABASE = 60
MOST_ANSWERS_A_WRITE = 20  # so that whoever follows sees the first of a burst while the last are being stored

# Threads of their own: in the event loop's, whoever reads the log would wait until a burst of answers is written.
_writers = ThreadPoolExecutor(8, thread_name_prefix="diagnosis_writes")


async def durably(write: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a write in a thread; while the database is away, try again: what is written has been paid for.

    Cancelled meanwhile, it writes to the end first: a worker that loses its database drops its jobs after a while.
    """
    return await _to_the_end(asyncio.create_task(_write_until_written(write, *args, **kwargs)))


async def _to_the_end(writing: asyncio.Future[T]) -> T:
    try:
        return await asyncio.shield(writing)
    except asyncio.CancelledError:
        await asyncio.wait([writing])
        if not writing.cancelled() and writing.exception():
            log.warning("write_failed", error=repr(writing.exception()))
        raise


async def once(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """The same without trying again: what is only looked up."""
    in_thread = database_sync_to_async(call, thread_sensitive=False, executor=_writers)
    result: T = await in_thread(*args, **kwargs)
    return result


async def _write_until_written(write: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    in_thread = database_sync_to_async(write, thread_sensitive=False, executor=_writers)
    async for attempt in AsyncRetrying(
        retry=retry_if_exception_type((OperationalError, InterfaceError)),
        wait=wait_random_exponential(multiplier=0.1, max=2),
        stop=stop_after_delay(MOST_SECONDS_WITHOUT_DATABASE),
        reraise=True,
    ):
        with attempt:
            result: T = await in_thread(*args, **kwargs)
    return result


@dataclass(frozen=True)
class _Settled:
    """An answer on its way to the database, and whoever waits for it to be there."""

    call: PlannedCall
    outcome: Outcome
    stored: asyncio.Future[None]


class AnswerWriter:
    """Stores the answers of one run. Those that come while others are being stored share the next transaction.

    Each would wait for the lock on the diagnosis's row anyway.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._waiting: list[_Settled] = []
        self._writing: asyncio.Task[None] | None = None

    async def store(self, call: PlannedCall, outcome: Outcome) -> None:
        """Return once the answer is stored. Raises what `transitions.settle_answers` raises; see `durably` too."""
        settled = _Settled(call, outcome, asyncio.get_running_loop().create_future())
        self._waiting.append(settled)
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_all(), name="answer_writer")
        await _to_the_end(settled.stored)

    async def _write_all(self) -> None:
        while self._waiting:
            batch = self._waiting[:MOST_ANSWERS_A_WRITE]
            del self._waiting[:MOST_ANSWERS_A_WRITE]
            await self._write(batch)
        self._writing = None

    async def _write(self, batch: list[_Settled]) -> None:
        try:
            pairs = [(settled.call, settled.outcome) for settled in batch]
            await durably(transitions.settle_answers, self._run, pairs)
        except asyncio.CancelledError:  # the event loop ends
            for settled in [*batch, *self._waiting]:
                settled.stored.cancel()
            raise
        except (RunOver, OperationalError, InterfaceError) as error:  # it is not this or that answer's
            self._fail([*batch, *self._waiting], error)
            self._waiting.clear()
        except Exception as error:  # noqa: BLE001 - raised where the answer is awaited
            if len(batch) == 1:
                self._fail(batch, error)
            for settled in batch if len(batch) > 1 else []:  # one that cannot be stored takes no other with it
                await self._write([settled])
        else:
            for settled in batch:
                settled.stored.set_result(None)

    def _fail(self, batch: list[_Settled], error: Exception) -> None:
        for settled in batch:
            settled.stored.set_exception(error)
