"""One followed stream of this process: its log is read once, and each follower is given it at its own pace."""

import asyncio
import contextvars
import types
import uuid
from collections.abc import Awaitable, Coroutine, Generator, Sequence
from functools import partial
from typing import Any, Protocol

import structlog
from django.db import Error as DatabaseTrouble

from progress.models import Stream
from progress.reading import Page, Reader
from progress.services import LogPage

log = structlog.get_logger(__name__)

RETRY_SECONDS = 1.0


class Follower(Protocol):
    """Whoever wants a stream's events. All but `tick` may take their time: nobody else waits for them.

    epoch, cursor: the last entry that it has been given; the hub moves them on.
    """

    epoch: str
    cursor: int

    async def deliver(self, frames: Sequence[str]) -> None:
        """Take the entries behind the cursor, serialised."""

    async def reset(self, page: LogPage) -> None:
        """The cursor is of another life of the log, or the log has been pruned: what follows begins at 1."""

    async def end(self) -> None:
        """The stream is closed and the follower has all of it."""

    async def lose(self, error: Exception) -> None:
        """The stream is gone (Stream.DoesNotExist), or we have failed."""

    def tick(self) -> None:
        """About a second has gone by: ping or give up if it is time for that, but without blocking."""


class _Seat:
    """A follower's place: it stands at the end of the topic and is pushed to, or a task of its own brings it there."""

    __slots__ = ("context", "follower", "task")

    def __init__(self, follower: Follower) -> None:
        self.follower = follower
        self.context = contextvars.copy_context()  # what it does is logged under its own request
        self.task: asyncio.Task[None] | None = None

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        self.task = asyncio.create_task(work, name="follower", context=self.context)


class Topic:
    """One stream in this process: where its log has been read to, and whoever follows it."""

    def __init__(self, stream: Stream, reader: Reader) -> None:
        self.stream_id: uuid.UUID = stream.pk
        self.epoch, self.cursor, self.is_closed = stream.epoch, stream.last_seq, stream.is_closed
        self.seats: dict[Follower, _Seat] = {}
        self._reader = reader
        self._is_read = False  # just now
        self._is_woken = False  # meanwhile

    def wake(self) -> None:
        """Have the log read; however often that is asked for meanwhile, it is one more read."""
        if self._is_read:
            self._is_woken = True
        else:
            self._is_read = True
            self._reader.ask(self.stream_id, self.cursor, self._take)

    def add(self, follower: Follower) -> None:
        """Bring the follower to the end of the log and keep it there. Adding it again begins anew from its cursor."""
        self.remove(follower)
        seat = self.seats[follower] = _Seat(follower)
        seat.begin(self._serve(seat))

    def remove(self, follower: Follower) -> bool:
        """Stop delivering; False when it was not here."""
        seat = self.seats.pop(follower, None)
        if seat and seat.task:
            seat.task.cancel()
        return seat is not None

    # Pushing -----------------------------------------------------------------------------------------------------

    def _take(self, page: Page | Exception) -> None:
        self._is_read = False
        if isinstance(page, Stream.DoesNotExist):
            self._bring_all()
        elif isinstance(page, Exception):  # the sweep comes back to it
            log.warning("log_unreadable", stream=str(self.stream_id), error=repr(page))
        else:
            self._push(page)
        if self._is_woken:
            self._is_woken = False
            self.wake()

    def _push(self, page: Page) -> None:
        begin, epoch, was_closed = self.cursor, self.epoch, self.is_closed
        self.epoch, self.is_closed = page.log.epoch, page.log.is_closed
        if self.epoch != epoch or page.log.last < begin:  # another life: the followers look for themselves
            self.cursor = page.log.last
            self._bring_all()
        elif page.frames:
            self.cursor = page.reach
            self._is_woken = self._is_woken or self.cursor < page.log.last
            for seat in list(self.seats.values()):
                if seat.task is None:
                    self._push_to(seat, begin, page)
        elif self.is_closed != was_closed:
            self._bring_all()

    def _push_to(self, seat: _Seat, begin: int, page: Page) -> None:
        follower = seat.follower
        if follower.cursor == begin:
            rest = _start(follower.deliver(page.frames))
            if rest is None:
                follower.cursor = page.reach
            if rest or self.is_closed:
                seat.begin(self._serve(seat, page, rest))
        elif follower.cursor < page.reach:  # it was ahead of us, and is not any more
            seat.begin(self._serve(seat))

    def _bring_all(self) -> None:
        for seat in self.seats.values():
            if seat.task is None:
                seat.begin(self._serve(seat))

    def serve_those_behind(self) -> None:
        """A follower whose neighbour has failed in a push may have been left out of it."""
        for seat in list(self.seats.values()):
            if seat.task is None and (seat.follower.epoch, seat.follower.cursor) != (self.epoch, self.cursor):
                seat.begin(self._serve(seat))

    # Catching up -------------------------------------------------------------------------------------------------

    async def _serve(self, seat: _Seat, page: Page | None = None, rest: Awaitable[None] | None = None) -> None:
        """Bring it to the end of the topic, from where it is pushed to; the rest of a page may be under way."""
        follower = seat.follower
        try:
            if page and rest:
                await rest
                follower.cursor = page.reach
            if page and page.log.is_closed and _is_at_end(follower, page.log):
                # Now: who has been given the end may hang up before the log could be read again.
                await _end(follower, page.log)
            else:
                await self._catch_up(seat)
        except Exception as error:
            if not isinstance(error, Stream.DoesNotExist):
                log.exception("follower_failed", stream=str(self.stream_id))
            await follower.lose(error)

    async def _catch_up(self, seat: _Seat) -> None:
        follower = seat.follower
        while True:
            try:
                page = await self._reader.read(self.stream_id, follower.cursor)
            except DatabaseTrouble as error:
                log.warning("log_unreadable", stream=str(self.stream_id), error=repr(error))
                await asyncio.sleep(RETRY_SECONDS)
                continue
            await _give(follower, page)
            if not _is_at_end(follower, page.log):
                continue
            if page.log.is_closed:
                await _end(follower, page.log)
                return
            if follower.epoch != self.epoch or follower.cursor > self.cursor:
                self.wake()
            if follower.epoch == self.epoch and follower.cursor >= self.cursor:
                seat.task = None  # nothing is awaited since the look at the topic, so nothing is missed
                return


async def _give(follower: Follower, page: Page) -> None:
    if page.log.epoch != follower.epoch or follower.cursor > page.log.last:
        follower.epoch, follower.cursor = page.log.epoch, 0
        if not _is_pruned(page.log):
            await follower.reset(page.log)
    elif page.frames:
        await follower.deliver(page.frames)
        follower.cursor = page.reach


async def _end(follower: Follower, page: LogPage) -> None:
    if _is_pruned(page):
        await follower.reset(page)
    await follower.end()


def _is_at_end(follower: Follower, page: LogPage) -> bool:
    return (follower.epoch, follower.cursor) == (page.epoch, page.last)


def _is_pruned(page: LogPage) -> bool:
    """A closed log ends with an event, so one that is closed and empty has been pruned."""
    return page.is_closed and page.last == 0


def _start(work: Coroutine[Any, Any, None]) -> Awaitable[None] | None:
    """Run it until it first waits. Returns its rest, or None when it has ended by then, as a send nearly always has.

    A task for each would cost more than the send itself. (Python 3.12 calls such tasks eager.) Until it first waits it
    runs in the caller's task and context.
    """
    try:
        waits_for = work.send(None)
    except StopIteration:
        return None
    except Exception as error:  # noqa: BLE001 - raised where the rest is awaited
        return _fail(error)
    return _go_on(work, waits_for)


@types.coroutine
def _go_on(work: Coroutine[Any, Any, None], waits_for: Any) -> Generator[Any, Any, None]:
    while True:
        try:
            answer = yield waits_for
        except BaseException as error:  # noqa: BLE001 - a cancellation too is for the work
            step = partial(work.throw, error)
        else:
            step = partial(work.send, answer)
        try:
            waits_for = step()
        except StopIteration:
            return


async def _fail(error: Exception) -> None:
    raise error
