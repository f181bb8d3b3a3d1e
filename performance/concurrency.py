"""Concurrency limits, per process or, through Redis, across processes."""

import asyncio
import random
from collections import deque
from collections.abc import Coroutine
from dataclasses import dataclass
from time import monotonic
from typing import Any, TypeVar

from performance.circuit_breaker import REDIS_UNAVAILABLE_ERRORS
from performance.exceptions import ConcurrencyLimitExceeded
from performance.leases import DistributedSemaphore
from performance.metrics import limit_wait_seconds
from performance.redis_outage import redis_outage

T = TypeVar("T")

SLOT_POLL_INTERVAL_SECONDS = 0.05  # average interval at which a waiting process checks for a free slot
concurrency_wait_seconds = limit_wait_seconds.labels("concurrency")


@dataclass
class ConcurrencyStatistics:
    """Totals since the controller was created; `active` and `waiting` are current counts."""

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
    """Run at most `max_concurrent` coroutines at once; the others wait, first come first served within a process.

    max_waiting: how many may wait, None for any number; more are rejected at once.
    name, redis_url: with both, the limit applies across all processes that use the same values. While Redis is
    unavailable each process applies the limit on its own.
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
        self._recent_durations: deque[float] = deque(maxlen=20)  # seconds

    async def execute(self, coro: Coroutine[Any, Any, T], task_name: str = "task") -> T:
        """Await `coro` when a slot is free and return its result; its exceptions are counted and pass through.

        Raises ConcurrencyLimitExceeded, with the time to wait, when `max_waiting` tasks are waiting.
        """
        try:
            lease_id = await self._acquire_slot(task_name)
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
            try:  # release the lease first: the next local task tries to acquire one immediately
                if self._shared_semaphore and lease_id:
                    await self._shared_semaphore.release(lease_id)
            finally:
                self._local_semaphore.release()

    async def _acquire_slot(self, task_name: str) -> str | None:
        """Wait for a slot; returns the id of the lease, None when the slot is not shared."""
        statistics = self.statistics
        if self.max_waiting is not None and self._local_semaphore.locked() and statistics.waiting >= self.max_waiting:
            statistics.rejected += 1
            raise ConcurrencyLimitExceeded(
                f"{task_name}: {statistics.waiting} tasks are waiting already", self.estimate_wait_seconds()
            )
        statistics.waiting += 1
        try:
            with concurrency_wait_seconds.time():
                await self._local_semaphore.acquire()
                lease_id = await self._acquire_lease()
        finally:
            statistics.waiting -= 1
        statistics.active += 1
        return lease_id

    async def _acquire_lease(self) -> str | None:
        """Wait for a slot shared with other processes; None when slots are not shared or Redis is unavailable."""
        try:
            while self._shared_semaphore:
                lease_id = await self._shared_semaphore.acquire()
                if lease_id:
                    return lease_id
                await asyncio.sleep(SLOT_POLL_INTERVAL_SECONDS * random.uniform(0.5, 1.5))
        except REDIS_UNAVAILABLE_ERRORS as error:
            redis_outage.report_failure("concurrency limit", error)
        except BaseException:
            self._local_semaphore.release()
            raise
        return None

    def estimate_wait_seconds(self) -> float:
        """Estimate how long a new task would wait, from the durations of recent tasks; at least 1."""
        average = sum(self._recent_durations) / len(self._recent_durations) if self._recent_durations else 1.0
        return max(1.0, average * (self.statistics.waiting + 1) / self.max_concurrent)
