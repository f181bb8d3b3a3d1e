"""The admission of every paid call: whether it is wanted, allowed and within budget, decided from current rows.

While a call waits for the limits of its platform, `admit` reads the platform's row again and again; right before the
call it reserves the cost, in the same step as it decides for the last time. A call that is refused uses no limit, and
ends at once with its reason. While the database is unavailable or accepts no writes, calls wait: an unknown state is
never taken for a wanted call.
"""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from weakref import WeakKeyDictionary

from diagnosis.choices import CallPurpose, FailureReason
from diagnosis.exceptions import CallFailed, CallNoLongerNeeded, CallRefused
from diagnosis.models import Platform
from diagnosis.platforms.endpoint import Endpoint
from diagnosis.platforms.limits import PlatformLimits, get_platform_limits, get_row_limits
from diagnosis.replies import Usage
from diagnosis.running import state_machine
from diagnosis.running.batching import Batch
from diagnosis.running.paid_calls import PaidCalls
from diagnosis.running.state_machine import Run
from diagnosis.spending.ledger import CallRequest, Reservation
from performance.call_limits import CallSlot, Wait

# Together less than the second within which an operator's edit applies.
MAX_ROW_AGE_SECONDS = 0.25  # of a platform's row, while calls wait
MAX_DECISION_AGE_SECONDS = 0.7  # of the decision, when the call begins
MAX_DECISIONS = 10  # for one call, while the database is too slow for that


@dataclass(frozen=True)
class Call:
    """A call that is to be made. probe_claim: the end of the pause that a probe may ignore."""

    platform_id: str
    purpose: CallPurpose
    text: str
    seed: int = 0
    answer_id: uuid.UUID | None = None
    probe_claim: datetime | None = None


@dataclass
class AdmittedCall:
    """A call that may be made now, with the current row of its platform. It has been counted and reserved."""

    platform: Platform
    limits: PlatformLimits
    slot: CallSlot
    reservation: Reservation
    is_settled: bool = False


class Admission:
    """Admits the calls of a run or, without a run, calls that belong to no diagnosis.

    shutdown: set when the worker stops; no call is wanted after that.
    """

    def __init__(self, run: Run | None = None, shutdown: asyncio.Event | None = None) -> None:
        self._run, self._shutdown = run, shutdown
        self._paid_calls = PaidCalls(self._find_wanted)

    @asynccontextmanager
    async def admit(self, call: Call) -> AsyncIterator[AdmittedCall]:
        """Wait until the call may be made. The block makes it and stores its answer: at most those are ever unstored.

        Raises CallRefused with the reason of a refusal, CallNoLongerNeeded if the answer is not wanted any more.
        """
        limits = get_platform_limits(call.platform_id)
        slot = await self._wait_for_slot(call, limits)
        was_made = False
        try:
            reservation = await self._reserve(call)
            was_made = True
            admitted = AdmittedCall(reservation.platform, limits, slot, reservation)
            try:
                yield admitted
            finally:
                if not admitted.is_settled:
                    self.settle(admitted, None)
        finally:
            await limits.release(slot, was_made=was_made)

    async def _reserve(self, call: Call) -> Reservation:
        """Decide and reserve, and once more if the decision is old by then, as while the database is slow."""
        for attempt in range(MAX_DECISIONS):
            reservation, decided_at = await self._paid_calls.reserve(self._build_request(call))
            try:
                self._refuse_on_shutdown()
                refuse_unavailable(reservation.platform, call.probe_claim)
            except (CallNoLongerNeeded, CallRefused):
                self._paid_calls.cancel(reservation)
                raise
            is_current = time.monotonic() - decided_at <= MAX_DECISION_AGE_SECONDS
            if is_current or attempt == MAX_DECISIONS - 1:  # the state of this moment is the best there is
                break
            self._paid_calls.cancel(reservation)
        return reservation

    def settle(self, admitted: AdmittedCall, usage: Usage | None) -> None:
        """Charge what the call consumed, in the background; None if it is unknown."""
        self._paid_calls.settle(admitted.reservation, usage)
        admitted.is_settled = True

    async def flush(self) -> None:
        """Return once every call is settled, or the database was unavailable for too long."""
        await self._paid_calls.flush()

    def _refuse_on_shutdown(self) -> None:
        if self._shutdown and self._shutdown.is_set():
            raise CallNoLongerNeeded

    def _find_wanted(self, requests: Sequence[CallRequest]) -> list[bool]:
        """Return for each call whether its result is still wanted."""
        if self._run is None:
            return [True] * len(requests)
        answers = [request for request in requests if request.purpose == CallPurpose.ANSWER]
        answer_ids = [request.answer_id for request in answers if request.answer_id]
        wanted = state_machine.find_wanted_answers(self._run, answer_ids) if answer_ids else set()
        is_current = len(answers) < len(requests) and state_machine.is_current(self._run)
        return [
            request.answer_id in wanted if request.purpose == CallPurpose.ANSWER else is_current for request in requests
        ]

    async def _wait_for_slot(self, call: Call, limits: PlatformLimits) -> CallSlot:
        """Wait for the limits that the platform's row has at the time; the calls of different owners take turns."""
        group = str(self._run.owner_id) if self._run and self._run.owner_id else ""
        async with limits.get_group_line(group):
            while True:
                async with limits.line:
                    acquired = await self._acquire_in_turn(call, limits, group)
                if isinstance(acquired, CallSlot):
                    return acquired
                await limits.wait(acquired, max_seconds=MAX_ROW_AGE_SECONDS)

    async def _acquire_in_turn(self, call: Call, limits: PlatformLimits, group: str) -> CallSlot | Wait:
        """Wait for a slot and return it; return the wait if only this owner's calls must wait."""
        while True:
            platform = await _get_batches().get_recent_platform(call.platform_id)
            if platform is None:
                raise CallNoLongerNeeded
            self._refuse_on_shutdown()
            refuse_unavailable(platform, call.probe_claim)
            acquired = await limits.try_acquire(get_row_limits(platform), group)
            if isinstance(acquired, CallSlot) or acquired.is_for_group:
                return acquired
            await limits.wait(acquired, max_seconds=MAX_ROW_AGE_SECONDS)

    def _build_request(self, call: Call) -> CallRequest:
        return CallRequest(
            platform_id=call.platform_id,
            purpose=call.purpose,
            text=call.text,
            owner_id=self._run.owner_id if self._run else None,
            schedule_id=self._run.schedule_id if self._run else None,
            workspace_id=self._run.workspace_id if self._run else None,
            diagnosis_id=self._run.diagnosis_id if self._run else None,
            answer_id=call.answer_id,
        )


def refuse_unavailable(platform: Platform, probe_claim: datetime | None = None) -> None:
    """Raise CallRefused with the reason why the platform must not be called, if there is one.

    probe_claim: the end of a pause that does not count, as a probe set it itself.
    """
    if not platform.is_enabled:
        raise CallRefused(FailureReason.OPERATOR, "not called: the platform is disabled")
    if platform.is_paused and platform.paused_until != probe_claim:
        reason = FailureReason(platform.pause_reason or FailureReason.OPERATOR)
        raise CallRefused(reason, "not called: the platform is paused")
    try:
        Endpoint.from_platform(platform)
    except CallFailed as failure:
        raise CallRefused(failure.reason, failure.detail) from failure


def forget_platform(platform_id: str) -> None:
    """Let the next call in this event loop read the row of a platform that has just been changed."""
    _get_batches().forget(platform_id)


class _LoopBatches:
    """Database work of all calls of one event loop."""

    def __init__(self) -> None:
        self._platforms = Batch(_load_platforms)
        self._recent_platforms: dict[str, tuple[float, Platform]] = {}

    def remember(self, platform: Platform) -> None:
        """Keep a row that has just been read."""
        self._recent_platforms[platform.pk] = (time.monotonic(), platform)

    def forget(self, platform_id: str) -> None:
        """Read the row again before the next call."""
        self._recent_platforms.pop(platform_id, None)

    async def get_recent_platform(self, platform_id: str) -> Platform | None:
        """Return a row read within MAX_ROW_AGE_SECONDS; None if it does not exist."""
        read_at, platform = self._recent_platforms.get(platform_id, (0.0, None))
        if platform is None or time.monotonic() - read_at > MAX_ROW_AGE_SECONDS:
            platform = await self._platforms.submit(platform_id)
            if platform:
                self.remember(platform)
        return platform


def _load_platforms(platform_ids: Sequence[str]) -> list[Platform | None]:
    platforms = Platform.objects.in_bulk(set(platform_ids))
    return [platforms.get(platform_id) for platform_id in platform_ids]


_batches_by_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, _LoopBatches] = WeakKeyDictionary()


def _get_batches() -> _LoopBatches:
    return _batches_by_loop.setdefault(asyncio.get_running_loop(), _LoopBatches())
