"""How much runs at once: in this process, and with Redis over all of them."""

import asyncio
import random
from collections import deque
from collections.abc import Coroutine
from dataclasses import dataclass
from time import monotonic
from typing import Any, TypeVar

import structlog

from performance.exceptions import ConcurrencyLimitExceeded
from performance.leases import REDIS_UNAVAILABLE_ERRORS, DistributedSemaphore
from performance.metrics import limit_wait_seconds

log = structlog.get_logger(__name__)

T = TypeVar("T")

LEASE_POLL_INTERVAL_SECONDS = 0.05  # for a place that another process gives back, on average
concurrency_wait_seconds = limit_wait_seconds.labels("concurrency")


@dataclass
class ConcurrencyStatistics:
    """Counts since the controller was made; `active` and `waiting` are of now."""

    active: int = 0
    waiting: int = 0
    done: int = 0
    failed: int = 0
    rejected: int = 0

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
        self._local_semaphore = asyncio.Semaphore(max_concurrent)
        self._shared_semaphore = DistributedSemaphore(name, max_concurrent, redis_url) if name and redis_url else None
        self._recent_durations: deque[float] = deque(maxlen=20)  # seconds that tasks took

    async def execute(self, coro: Coroutine[Any, Any, T], task_name: str = "task") -> T:
        """Await `coro` when its turn comes and return its result; what it raises passes through, counted.

        Raises ConcurrencyLimitExceeded, with how long to wait, when `max_waiting` wait already.
        """
        try:
            holder = await self._acquire(task_name)
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
            self._recent_durations.append(monotonic() - started)
            self.statistics.active -= 1
            try:  # the place first: who is let in here looks for it at once
                if self._shared_semaphore and holder:
                    await self._shared_semaphore.release(holder)
            finally:
                self._local_semaphore.release()

    async def _acquire(self, task_name: str) -> str | None:
        if (
            self.max_waiting is not None
            and self._local_semaphore.locked()
            and self.statistics.waiting >= self.max_waiting
        ):
            self.statistics.rejected += 1
            raise ConcurrencyLimitExceeded(
                f"{task_name}: {self.statistics.waiting} wait already", self.estimate_wait_seconds()
            )
        self.statistics.waiting += 1
        try:
            with concurrency_wait_seconds.time():
                await self._local_semaphore.acquire()
                holder = await self._acquire_lease()
        finally:
            self.statistics.waiting -= 1
        self.statistics.active += 1
        return holder

    def estimate_wait_seconds(self) -> float:
        """How long who comes now would wait, going by the last tasks; 1 or more."""
        average = sum(self._recent_durations) / len(self._recent_durations) if self._recent_durations else 1.0
        return max(1.0, average * (self.statistics.waiting + 1) / self.max_concurrent)

    async def _acquire_lease(self) -> str | None:
        """A place of those that all processes share; None when there is nothing to share, or nobody to ask."""
        try:
            while self._shared_semaphore:
                holder = await self._shared_semaphore.acquire()
                if holder:
                    return holder
                await asyncio.sleep(LEASE_POLL_INTERVAL_SECONDS * random.uniform(0.5, 1.5))
        except REDIS_UNAVAILABLE_ERRORS as error:
            log.warning("concurrency_unshared", error=repr(error))
        except BaseException:
            self._local_semaphore.release()
            raise
        return None
