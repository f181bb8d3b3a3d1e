"""How much runs at once."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from performance.metrics import limit_wait_seconds

T = TypeVar("T")

concurrency_wait = limit_wait_seconds.labels("concurrency")


@dataclass
class ConcurrencyStatistics:
    """Counts since the controller was made; `active` and `waiting` are of now."""

    active: int = 0
    waiting: int = 0
    done: int = 0
    failed: int = 0

    @property
    def success_rate(self) -> float | None:
        """Share of ended tasks that did not raise, 0-1; None when nothing has ended yet."""
        ended = self.done + self.failed
        return self.done / ended if ended else None


class ConcurrencyController:
    """At most `max_concurrent` coroutines at once in this process; the others wait in order of arrival."""

    def __init__(self, max_concurrent: int = 10) -> None:
        if max_concurrent < 1:
            raise ValueError("max_concurrent must be at least 1")
        self.max_concurrent = max_concurrent
        self.statistics = ConcurrencyStatistics()
        self._semaphore = asyncio.Semaphore(max_concurrent)

    async def execute(self, coro: Coroutine[Any, Any, T], task_name: str = "task") -> T:
        """Await `coro` when its turn comes and return its result; what it raises passes through, counted."""
        try:
            await self._wait_for_turn()
        except BaseException:
            coro.close()
            raise
        try:
            result = await coro
        except BaseException:
            self.statistics.failed += 1
            raise
        else:
            self.statistics.done += 1
            return result
        finally:
            self.statistics.active -= 1
            self._semaphore.release()

    async def _wait_for_turn(self) -> None:
        self.statistics.waiting += 1
        try:
            with concurrency_wait.time():
                await self._semaphore.acquire()
        finally:
            self.statistics.waiting -= 1
        self.statistics.active += 1
