"""The ledger of calls. Reservations requested together share a transaction, and so do settlements."""

import asyncio
import time
from collections.abc import Callable, Sequence
from itertools import compress
from typing import TypeVar

import structlog
from django.db import InterfaceError, OperationalError

from diagnosis.choices import FailureReason
from diagnosis.exceptions import BudgetExhausted, CallNoLongerNeeded, CallRefused
from diagnosis.replies import Usage
from diagnosis.running.db import run_db_write_with_retry
from diagnosis.spending import ledger
from diagnosis.spending.ledger import CallRequest, Reservation

log = structlog.get_logger(__name__)

T = TypeVar("T")


class PaidCalls:
    """Reserves calls and settles them. While the database is unavailable, no call is reserved."""

    def __init__(self, find_wanted: Callable[[Sequence[CallRequest]], Sequence[bool]]) -> None:
        """find_wanted: called right before calls are reserved, in their thread; the others are not reserved."""
        self._find_wanted = find_wanted
        self._requests: list[tuple[CallRequest, asyncio.Future[tuple[Reservation, float]]]] = []
        self._settlements: list[tuple[Reservation, Usage | None]] = []
        self._cancelled: list[Reservation] = []
        self._reserve_task: asyncio.Task[None] | None = None
        self._settle_task: asyncio.Task[None] | None = None

    async def reserve(self, request: CallRequest) -> tuple[Reservation, float]:
        """Count a call right before it is made; return also the monotonic time at which it was wanted.

        Raises CallNoLongerNeeded, CallRefused if a budget has no room, or a database error.
        """
        future: asyncio.Future[tuple[Reservation, float]] = asyncio.get_running_loop().create_future()
        self._requests.append((request, future))
        if self._reserve_task is None or self._reserve_task.done():
            self._reserve_task = asyncio.create_task(self._reserve_waiting(), name="reserve_calls")
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled() and not future.exception():
                self.cancel(future.result()[0])
            raise

    def settle(self, reservation: Reservation, usage: Usage | None) -> None:
        """Settle a call soon, in the background; see `flush`. usage: None if it is unknown."""
        self._settlements.append((reservation, usage))
        self._start_settling()

    def cancel(self, reservation: Reservation) -> None:
        """Uncount a call that is not made after all, in the background."""
        self._cancelled.append(reservation)
        self._start_settling()

    async def flush(self) -> None:
        """Return once every call is settled, or the database was unavailable for too long."""
        # A task that was cancelled before its first step has not reset its attribute.
        while pending := [task for task in (self._reserve_task, self._settle_task) if task and not task.done()]:
            await asyncio.wait(pending)

    async def _reserve_waiting(self) -> None:
        while self._requests:
            batch, self._requests = self._requests, []
            decided_at = time.monotonic()
            outcomes: Sequence[Reservation | Exception]
            try:
                outcomes = await run_db_write_with_retry(self._reserve_wanted, [request for request, _ in batch])
            except Exception as error:  # noqa: BLE001 - raised where it is awaited
                outcomes = [error] * len(batch)
            for (_request, future), outcome in zip(batch, outcomes, strict=True):
                self._resolve(future, outcome, decided_at)
        self._reserve_task = None

    def _reserve_wanted(self, requests: Sequence[CallRequest]) -> list[Reservation | Exception]:
        wanted = self._find_wanted(requests)
        reserved = iter(ledger.reserve_calls(list(compress(requests, wanted))) if any(wanted) else ())
        return [next(reserved) if is_wanted else CallNoLongerNeeded() for is_wanted in wanted]

    def _resolve(
        self, future: asyncio.Future[tuple[Reservation, float]], outcome: Reservation | Exception, decided_at: float
    ) -> None:
        if isinstance(outcome, Reservation):
            if future.done():  # its task was cancelled
                self.cancel(outcome)
            else:
                future.set_result((outcome, decided_at))
        elif not future.done():
            future.set_exception(_build_failure(outcome) if isinstance(outcome, BudgetExhausted) else outcome)

    def _start_settling(self) -> None:
        if self._settle_task is None or self._settle_task.done():
            self._settle_task = asyncio.create_task(self._settle_waiting(), name="settle_calls")

    async def _settle_waiting(self) -> None:
        while self._settlements or self._cancelled:
            settlements, self._settlements = self._settlements, []
            cancelled, self._cancelled = self._cancelled, []
            if settlements:
                await self._write(ledger.settle_calls, settlements)
            if cancelled:
                await self._write(ledger.cancel_reservations, cancelled)
        self._settle_task = None

    async def _write(self, write: Callable[[list[T]], None], rows: list[T]) -> None:
        try:
            await run_db_write_with_retry(write, rows)
        except (OperationalError, InterfaceError) as error:  # settle_abandoned_calls settles them later
            log.warning("calls_not_settled", calls=len(rows), error=repr(error))
        except Exception:  # must not keep the others from being settled
            log.exception("calls_not_settled", calls=len(rows))


def _build_failure(refusal: BudgetExhausted) -> CallRefused:
    return CallRefused(FailureReason.BUDGET, f"the budget of {refusal.scope} {refusal.key} is exhausted")
