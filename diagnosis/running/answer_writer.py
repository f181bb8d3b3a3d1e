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

from diagnosis.exceptions import RunSuperseded
from diagnosis.running import state_machine
from diagnosis.running.calls import CallResult
from diagnosis.running.state_machine import PlannedCall, Run

log = structlog.get_logger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

MAX_DATABASE_OUTAGE_SECONDS = 60
ANSWER_BATCH_SIZE = 20  # so that whoever follows sees the first of a burst while the last are being stored

# Threads of their own: in the event loop's, whoever reads the log would wait until a burst of answers is written.
_db_executor = ThreadPoolExecutor(8, thread_name_prefix="diagnosis_writes")


async def run_db_write_with_retry(write: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a write in a thread; while the database is away, try again: what is written has been paid for.

    Cancelled meanwhile, it writes to the end first: a worker that loses its database drops its jobs after a while.
    """
    return await _finish_despite_cancel(asyncio.create_task(_retry_write(write, *args, **kwargs)))


async def _finish_despite_cancel(future: asyncio.Future[T]) -> T:
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        await asyncio.wait([future])
        if not future.cancelled() and future.exception():
            log.warning("write_failed", error=repr(future.exception()))
        raise


async def run_in_db_thread(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """The same without trying again: what is only looked up."""
    in_thread = database_sync_to_async(call, thread_sensitive=False, executor=_db_executor)
    result: T = await in_thread(*args, **kwargs)
    return result


async def _retry_write(write: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    in_thread = database_sync_to_async(write, thread_sensitive=False, executor=_db_executor)
    async for attempt in AsyncRetrying(
        retry=retry_if_exception_type((OperationalError, InterfaceError)),
        wait=wait_random_exponential(multiplier=0.1, max=2),
        stop=stop_after_delay(MAX_DATABASE_OUTAGE_SECONDS),
        reraise=True,
    ):
        with attempt:
            result: T = await in_thread(*args, **kwargs)
    return result


@dataclass(frozen=True)
class _QueuedWrite:
    """An answer on its way to the database, and whoever waits for it to be there."""

    call: PlannedCall
    result: CallResult
    done: asyncio.Future[None]


class AnswerWriter:
    """Stores the answers of one run. Those that come while others are being stored share the next transaction.

    Each would wait for the lock on the diagnosis's row anyway.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._queue: list[_QueuedWrite] = []
        self._writer_task: asyncio.Task[None] | None = None

    async def store(self, call: PlannedCall, result: CallResult) -> None:
        """Return once the answer is stored. Raises what `record_answers` and `run_db_write_with_retry` raise."""
        write = _QueuedWrite(call, result, asyncio.get_running_loop().create_future())
        self._queue.append(write)
        if self._writer_task is None:
            self._writer_task = asyncio.create_task(self._drain_queue(), name="answer_writer")
        await _finish_despite_cancel(write.done)

    async def _drain_queue(self) -> None:
        while self._queue:
            batch = self._queue[:ANSWER_BATCH_SIZE]
            del self._queue[:ANSWER_BATCH_SIZE]
            await self._write_batch(batch)
        self._writer_task = None

    async def _write_batch(self, batch: list[_QueuedWrite]) -> None:
        try:
            pairs = [(settled.call, settled.result) for settled in batch]
            await run_db_write_with_retry(state_machine.record_answers, self._run, pairs)
        except asyncio.CancelledError:  # the event loop ends
            for write in [*batch, *self._queue]:
                write.done.cancel()
            raise
        except (RunSuperseded, OperationalError, InterfaceError) as error:  # it is not this or that answer's
            self._fail([*batch, *self._queue], error)
            self._queue.clear()
        except Exception as error:  # noqa: BLE001 - raised where the answer is awaited
            if len(batch) == 1:
                self._fail(batch, error)
            for write in batch if len(batch) > 1 else []:  # one that cannot be stored takes no other with it
                await self._write_batch([write])
        else:
            for write in batch:
                write.done.set_result(None)

    def _fail(self, batch: list[_QueuedWrite], error: Exception) -> None:
        for write in batch:
            write.done.set_exception(error)
