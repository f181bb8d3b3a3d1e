"""Store the answers of a run as they arrive. Answers that arrive during a write share the next transaction."""

import asyncio
from dataclasses import dataclass

from django.db import InterfaceError, OperationalError

from diagnosis.exceptions import RunSuperseded
from diagnosis.running import state_machine
from diagnosis.running.db import finish_despite_cancel, run_db_write_with_retry
from diagnosis.running.results import CallResult
from diagnosis.running.state_machine import PlannedCall, Run

ANSWER_BATCH_SIZE = 20  # bounds a transaction, so that clients see the first answers of a burst early


@dataclass(frozen=True)
class _QueuedWrite:
    """A result to store. done: resolved once it is stored, or with the error that prevented it."""

    call: PlannedCall
    result: CallResult
    done: asyncio.Future[None]


class AnswerWriter:
    """Writer of one run. Batching costs no time: each write would wait for the lock on the diagnosis anyway."""

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
        await finish_despite_cancel(write.done)

    async def _drain_queue(self) -> None:
        while self._queue:
            batch = self._queue[:ANSWER_BATCH_SIZE]
            del self._queue[:ANSWER_BATCH_SIZE]
            await self._write_batch(batch)
        self._writer_task = None

    async def _write_batch(self, batch: list[_QueuedWrite]) -> None:
        try:
            results = [(write.call, write.result) for write in batch]
            await run_db_write_with_retry(state_machine.record_answers, self._run, results)
        except asyncio.CancelledError:  # the event loop ends
            for write in [*batch, *self._queue]:
                write.done.cancel()
            raise
        except (RunSuperseded, OperationalError, InterfaceError) as error:  # affects every answer of the run
            self._resolve([*batch, *self._queue], error)
            self._queue.clear()
        except Exception as error:  # noqa: BLE001 - raised where the answer is awaited
            if len(batch) == 1:
                self._resolve(batch, error)
            else:  # store the answers of the batch one by one
                for write in batch:
                    await self._write_batch([write])
        else:
            self._resolve(batch, None)

    def _resolve(self, writes: list[_QueuedWrite], error: Exception | None) -> None:
        for write in writes:
            if error is None:
                write.done.set_result(None)
            else:
                write.done.set_exception(error)
