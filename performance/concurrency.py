"""How much runs at once: in this process, and with Redis over all of them."""

import asyncio
import random
from collections import deque
from collections.abc import Coroutine
from dataclasses import dataclass
from time import monotonic
from typing import Any, TypeVar

import structlog

from performance.exceptions import TooBusy
from performance.leases import AWAY, Leases
from performance.metrics import limit_wait_seconds

log = structlog.get_logger(__name__)

T = TypeVar("T")

SECONDS_BETWEEN_TRIES = 0.05  # for a place that another process gives back, on average
concurrency_wait = limit_wait_seconds.labels("concurrency")


@dataclass
class ConcurrencyStatistics:
    """Counts since the controller was made; `active` and `waiting` are of now."""

    active: int = 0
    waiting: int = 0
    done: int = 0
    failed: int = 0
    refused: int = 0

    @property
    def success_rate(self) -> float | None:
        """Share of ended tasks that did not raise, 0-1; None when nothing has ended yet."""
        ended = self.done + self.failed
        return self.done / ended if ended else None


class ConcurrencyController:
    """At most `max_concurrent` coroutines at once; the others wait, in order of arrival within a process.

    max_waiting: how many may wait, None for any number; more are refused at once.
    name, redis_url: with both, the bound holds over all processes that give the same. While Redis is away each process
    keeps to it by itself: too much for a moment is better than nothing at all.
    """

    def __init__(
        self, max_concurrent: int = 10, *, max_waiting: int | None = None, name: str = "", redis_url: str = ""
    ) -> None:
        if max_concurrent < 1:
            raise ValueError("max_concurrent must be at least 1")
        self.max_concurrent, self.max_waiting = max_concurrent, max_waiting
        self.statistics = ConcurrencyStatistics()
        self._semaphore = asyncio.Semaphore(max_concurrent)
        self._leases = Leases(name, max_concurrent, redis_url) if name and redis_url else None
        self._lately: deque[float] = deque(maxlen=20)  # seconds that tasks took

    async def execute(self, coro: Coroutine[Any, Any, T], task_name: str = "task") -> T:
        """Await `coro` when its turn comes and return its result; what it raises passes through, counted.

        Raises TooBusy, with how long to wait, when `max_waiting` wait already.
        """
        try:
            holder = await self._wait_for_turn(task_name)
        except BaseException:
            coro.close()
            raise
        started = monotonic()
        try:
            result = await coro
        except BaseException:
            self.statistics.failed += 1
            raise
        else:
            self.statistics.done += 1
            return result
        finally:
            self._lately.append(monotonic() - started)
            self.statistics.active -= 1
            try:  # the place first: who is let in here looks for it at once
                if self._leases and holder:
                    await self._leases.give_back(holder)
            finally:
                self._semaphore.release()

    async def _wait_for_turn(self, task_name: str) -> str | None:
        if self.max_waiting is not None and self._semaphore.locked() and self.statistics.waiting >= self.max_waiting:
            self.statistics.refused += 1
            raise TooBusy(f"{task_name}: {self.statistics.waiting} wait already", self.seconds_of_waiting())
        self.statistics.waiting += 1
        try:
            with concurrency_wait.time():
                await self._semaphore.acquire()
                holder = await self._take_lease()
        finally:
            self.statistics.waiting -= 1
        self.statistics.active += 1
        return holder

    def seconds_of_waiting(self) -> float:
        """How long who comes now would wait, going by the last tasks; 1 or more."""
        average = sum(self._lately) / len(self._lately) if self._lately else 1.0
        return max(1.0, average * (self.statistics.waiting + 1) / self.max_concurrent)

    async def _take_lease(self) -> str | None:
        """A place of those that all processes share; None when there is nothing to share, or nobody to ask."""
        try:
            while self._leases:
                holder = await self._leases.take()
                if holder:
                    return holder
                await asyncio.sleep(SECONDS_BETWEEN_TRIES * random.uniform(0.5, 1.5))
        except AWAY as error:
            log.warning("concurrency_unshared", error=repr(error))
        except BaseException:
            self._semaphore.release()
            raise
        return None
