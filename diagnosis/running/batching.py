"""Database work of many calls at once in one thread and one query."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from diagnosis.running.db import run_while_database_is_unavailable

K = TypeVar("K")
V = TypeVar("V")


class Batch(Generic[K, V]):
    """Requests that arrive together share one call of a database function; a failure is raised for each of them.

    A request that arrives meanwhile waits for the next call, so its result is current. While the database is
    unavailable requests wait.
    """

    def __init__(self, work: Callable[[Sequence[K]], Sequence[V]]) -> None:
        """work: returns a result for each request, in their order."""
        self._work = work
        self._waiting: list[tuple[K, asyncio.Future[V]]] = []
        self._task: asyncio.Task[None] | None = None

    async def submit(self, request: K) -> V:
        """Return the result of the request."""
        future: asyncio.Future[V] = asyncio.get_running_loop().create_future()
        self._waiting.append((request, future))
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="batch")
        return await future

    async def _run(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, []
                await self._resolve(batch)
        finally:
            self._task = None

    async def _resolve(self, batch: list[tuple[K, asyncio.Future[V]]]) -> None:
        try:
            results = await run_while_database_is_unavailable(self._work, [request for request, _ in batch])
        except Exception as error:  # noqa: BLE001 - raised where it is awaited
            for _request, future in batch:
                if not future.done():
                    future.set_exception(error)
        else:
            for (_request, future), result in zip(batch, results, strict=True):
                if not future.done():  # else its task was cancelled
                    future.set_result(result)
