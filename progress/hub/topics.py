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

from progress.hub.log_reader import LogReader, SerializedPage
from progress.models import Stream
from progress.services import LogPage

log = structlog.get_logger(__name__)

READ_RETRY_SECONDS = 1.0


class Subscriber(Protocol):
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

    async def fail(self, error: Exception) -> None:
        """The stream is gone (Stream.DoesNotExist), or we have failed."""

    def on_tick(self) -> None:
        """About a second has gone by: ping or give up if it is time for that, but without blocking."""


class _Subscription:
    """A follower's place: it stands at the end of the topic and is pushed to, or a task of its own brings it there."""

    __slots__ = ("context", "subscriber", "task")

    def __init__(self, subscriber: Subscriber) -> None:
        self.subscriber = subscriber
        self.context = contextvars.copy_context()  # what it does is logged under its own request
        self.task: asyncio.Task[None] | None = None

    def start_task(self, coro: Coroutine[Any, Any, None]) -> None:
        self.task = asyncio.create_task(coro, name="follower", context=self.context)


class Topic:
    """One stream in this process: where its log has been read to, and whoever follows it."""

    def __init__(self, stream: Stream, reader: LogReader) -> None:
        self.stream_id: uuid.UUID = stream.pk
        self.epoch, self.cursor, self.is_closed = stream.epoch, stream.last_seq, stream.is_closed
        self.subscriptions: dict[Subscriber, _Subscription] = {}
        self._reader = reader
        self._is_reading = False  # just now
        self._needs_reread = False  # meanwhile

    def request_read(self) -> None:
        """Have the log read; however often that is asked for meanwhile, it is one more read."""
        if self._is_reading:
            self._needs_reread = True
        else:
            self._is_reading = True
            self._reader.request(self.stream_id, self.cursor, self._on_page_read)

    def add(self, subscriber: Subscriber) -> None:
        """Bring the follower to the end of the log and keep it there. Adding it again begins anew from its cursor."""
        self.remove(subscriber)
        subscription = self.subscriptions[subscriber] = _Subscription(subscriber)
        subscription.start_task(self._run_catch_up(subscription))

    def remove(self, subscriber: Subscriber) -> bool:
        """Stop delivering; False when it was not here."""
        subscription = self.subscriptions.pop(subscriber, None)
        if subscription and subscription.task:
            subscription.task.cancel()
        return subscription is not None

    # Pushing -----------------------------------------------------------------------------------------------------

    def _on_page_read(self, page: SerializedPage | Exception) -> None:
        self._is_reading = False
        if isinstance(page, Stream.DoesNotExist):
            self._catch_up_all()
        elif isinstance(page, Exception):  # the sweep comes back to it
            log.warning("log_unreadable", stream=str(self.stream_id), error=repr(page))
        else:
            self._push(page)
        if self._needs_reread:
            self._needs_reread = False
            self.request_read()

    def _push(self, page: SerializedPage) -> None:
        start, epoch, was_closed = self.cursor, self.epoch, self.is_closed
        self.epoch, self.is_closed = page.log_page.epoch, page.log_page.is_closed
        if self.epoch != epoch or page.log_page.last_seq < start:  # another life: the followers look for themselves
            self.cursor = page.log_page.last_seq
            self._catch_up_all()
        elif page.frames:
            self.cursor = page.end_cursor
            self._needs_reread = self._needs_reread or self.cursor < page.log_page.last_seq
            for subscription in list(self.subscriptions.values()):
                if subscription.task is None:
                    self._push_to_subscription(subscription, start, page)
        elif self.is_closed != was_closed:
            self._catch_up_all()

    def _push_to_subscription(self, subscription: _Subscription, start: int, page: SerializedPage) -> None:
        subscriber = subscription.subscriber
        if subscriber.cursor == start:
            rest = _start_eagerly(subscriber.deliver(page.frames))
            if rest is None:
                subscriber.cursor = page.end_cursor
            if rest or self.is_closed:
                subscription.start_task(self._run_catch_up(subscription, page, rest))
        elif subscriber.cursor < page.end_cursor:  # it was ahead of us, and is not any more
            subscription.start_task(self._run_catch_up(subscription))

    def _catch_up_all(self) -> None:
        for subscription in self.subscriptions.values():
            if subscription.task is None:
                subscription.start_task(self._run_catch_up(subscription))

    def catch_up_laggards(self) -> None:
        """A follower whose neighbour has failed in a push may have been left out of it."""
        for subscription in list(self.subscriptions.values()):
            if subscription.task is None and (subscription.subscriber.epoch, subscription.subscriber.cursor) != (
                self.epoch,
                self.cursor,
            ):
                subscription.start_task(self._run_catch_up(subscription))

    # Catching up -------------------------------------------------------------------------------------------------

    async def _run_catch_up(
        self, subscription: _Subscription, page: SerializedPage | None = None, rest: Awaitable[None] | None = None
    ) -> None:
        """Bring it to the end of the topic, from where it is pushed to; the rest of a page may be under way."""
        subscriber = subscription.subscriber
        try:
            if page and rest:
                await rest
                subscriber.cursor = page.end_cursor
            if page and page.log_page.is_closed and _is_at_end(subscriber, page.log_page):
                # Now: who has been given the end may hang up before the log could be read again.
                await _deliver_end(subscriber, page.log_page)
            else:
                await self._catch_up(subscription)
        except Exception as error:
            if not isinstance(error, Stream.DoesNotExist):
                log.exception("follower_failed", stream=str(self.stream_id))
            await subscriber.fail(error)

    async def _catch_up(self, subscription: _Subscription) -> None:
        subscriber = subscription.subscriber
        while True:
            try:
                page = await self._reader.read(self.stream_id, subscriber.cursor)
            except DatabaseTrouble as error:
                log.warning("log_unreadable", stream=str(self.stream_id), error=repr(error))
                await asyncio.sleep(READ_RETRY_SECONDS)
                continue
            await _deliver_page(subscriber, page)
            if not _is_at_end(subscriber, page.log_page):
                continue
            if page.log_page.is_closed:
                await _deliver_end(subscriber, page.log_page)
                return
            if subscriber.epoch != self.epoch or subscriber.cursor > self.cursor:
                self.request_read()
            if subscriber.epoch == self.epoch and subscriber.cursor >= self.cursor:
                subscription.task = None  # nothing is awaited since the look at the topic, so nothing is missed
                return


async def _deliver_page(subscriber: Subscriber, page: SerializedPage) -> None:
    if page.log_page.epoch != subscriber.epoch or subscriber.cursor > page.log_page.last_seq:
        subscriber.epoch, subscriber.cursor = page.log_page.epoch, 0
        if not _is_pruned(page.log_page):
            await subscriber.reset(page.log_page)
    elif page.frames:
        await subscriber.deliver(page.frames)
        subscriber.cursor = page.end_cursor


async def _deliver_end(subscriber: Subscriber, page: LogPage) -> None:
    if _is_pruned(page):
        await subscriber.reset(page)
    await subscriber.end()


def _is_at_end(subscriber: Subscriber, page: LogPage) -> bool:
    return (subscriber.epoch, subscriber.cursor) == (page.epoch, page.last_seq)


def _is_pruned(page: LogPage) -> bool:
    """A closed log ends with an event, so one that is closed and empty has been pruned."""
    return page.is_closed and page.last_seq == 0


def _start_eagerly(coro: Coroutine[Any, Any, None]) -> Awaitable[None] | None:
    """Run it until it first waits. Returns its rest, or None when it has ended by then, as a send nearly always has.

    A task for each would cost more than the send itself. (Python 3.12 calls such tasks eager.) Until it first waits it
    runs in the caller's task and context.
    """
    try:
        awaited = coro.send(None)
    except StopIteration:
        return None
    except Exception as error:  # noqa: BLE001 - raised where the rest is awaited
        return _raise_when_awaited(error)
    return _resume(coro, awaited)


@types.coroutine
def _resume(coro: Coroutine[Any, Any, None], awaited: Any) -> Generator[Any, Any, None]:
    while True:
        try:
            result = yield awaited
        except BaseException as error:  # noqa: BLE001 - a cancellation too is for the work
            step = partial(coro.throw, error)
        else:
            step = partial(coro.send, result)
        try:
            awaited = step()
        except StopIteration:
            return


async def _raise_when_awaited(error: Exception) -> None:
    raise error
