"""One followed stream in this process: its log is read once, and each subscriber receives it at its own pace."""

import asyncio
import uuid
from collections.abc import Sequence
from typing import Protocol

import structlog
from django.db import Error as DatabaseError

from progress.hub.log_reader import LogReader, SerializedPage
from progress.models import Stream
from progress.services import LogPage

log = structlog.get_logger(__name__)

READ_RETRY_SECONDS = 1.0


class Subscriber(Protocol):
    """A receiver of a stream's events. All methods except `on_tick` may wait without delaying other subscribers.

    epoch, cursor: the last entry that was delivered; the hub advances them.
    """

    epoch: str
    cursor: int

    async def deliver(self, frames: Sequence[str]) -> None:
        """Receive the serialized entries after the cursor."""

    async def reset(self, page: LogPage) -> None:
        """The cursor belongs to another epoch, or the log has been pruned; following entries start at 1."""

    async def end(self) -> None:
        """The stream is closed and all entries have been delivered."""

    async def fail(self, error: Exception) -> None:
        """The stream has been deleted (Stream.DoesNotExist), or delivery has failed."""

    def on_tick(self) -> None:
        """Called about once a second, to ping or to close; must not block."""


class _Subscription:
    """A subscriber, and the task that delivers to it as long as it is subscribed."""

    __slots__ = ("_wakeup", "subscriber", "task")

    task: asyncio.Task[None]

    def __init__(self, subscriber: Subscriber) -> None:
        self.subscriber = subscriber
        self._wakeup: asyncio.Future[SerializedPage | None] | None = None

    @property
    def is_idle(self) -> bool:
        """Whether the task waits at the end of the topic."""
        return self._wakeup is not None

    async def wait(self) -> SerializedPage | None:
        """Wait for `wake`, and return its page."""
        self._wakeup = asyncio.get_running_loop().create_future()
        return await self._wakeup

    def wake(self, page: SerializedPage | None = None) -> None:
        """Let an idle task deliver the page and what follows it; without a page, read the log from the cursor on."""
        if self._wakeup and not self._wakeup.done():  # it is done if the task has been cancelled
            self._wakeup.set_result(page)
        self._wakeup = None


class Topic:
    """One stream in this process: how far its log has been read, and its subscribers."""

    def __init__(self, stream: Stream, reader: LogReader) -> None:
        self.stream_id: uuid.UUID = stream.pk
        self.epoch, self.cursor, self.is_closed = stream.epoch, stream.last_seq, stream.is_closed
        self.subscriptions: dict[Subscriber, _Subscription] = {}
        self._reader = reader
        self._is_reading = False
        self._needs_reread = False

    def request_read(self) -> None:
        """Read the log; requests during a read are combined into one further read."""
        if self._is_reading:
            self._needs_reread = True
        else:
            self._is_reading = True
            self._reader.request(self.stream_id, self.cursor, self._on_page_read)

    def add(self, subscriber: Subscriber) -> None:
        """Deliver to the subscriber from its cursor on. Adding it again restarts delivery from its cursor."""
        self.remove(subscriber)
        subscription = self.subscriptions[subscriber] = _Subscription(subscriber)
        # Its context is the subscriber's, so that log lines carry the right request id.
        subscription.task = asyncio.create_task(self._run_delivery(subscription), name="subscriber")

    def remove(self, subscriber: Subscriber) -> bool:
        """Stop delivering; False if it was not subscribed."""
        subscription = self.subscriptions.pop(subscriber, None)
        if subscription:
            subscription.task.cancel()
        return subscription is not None

    def _on_page_read(self, page: SerializedPage | Exception) -> None:
        self._is_reading = False
        if isinstance(page, Stream.DoesNotExist):
            self._start_catch_up()
        elif isinstance(page, Exception):  # the sweep tries again
            log.warning("log_unreadable", stream=str(self.stream_id), error=repr(page))
        else:
            self._push(page)
        if self._needs_reread:
            self._needs_reread = False
            self.request_read()

    def _push(self, page: SerializedPage) -> None:
        """Deliver a page to the subscribers at its start; the others read the log themselves."""
        start, epoch, was_closed = self.cursor, self.epoch, self.is_closed
        self.epoch, self.is_closed = page.log_page.epoch, page.log_page.is_closed
        if self.epoch != epoch or page.log_page.last_seq < start:  # the log has been reset
            self.cursor = page.log_page.last_seq
            self._start_catch_up()
        elif page.frames:
            self.cursor = page.end_cursor
            self._needs_reread = self._needs_reread or self.cursor < page.log_page.last_seq
            for subscription in self.subscriptions.values():
                if subscription.is_idle and subscription.subscriber.cursor < page.end_cursor:
                    subscription.wake(page if subscription.subscriber.cursor == start else None)
        elif self.is_closed != was_closed:
            self._start_catch_up()

    def _start_catch_up(self) -> None:
        for subscription in self.subscriptions.values():
            subscription.wake()

    async def _run_delivery(self, subscription: _Subscription) -> None:
        """Deliver from the subscriber's cursor on until the stream ends or the subscriber is removed."""
        subscriber = subscription.subscriber
        page: SerializedPage | None = None
        try:
            while True:
                if page:
                    await subscriber.deliver(page.frames)
                    subscriber.cursor = page.end_cursor
                else:
                    page = await self._read_until_end(subscriber)
                if page.log_page.is_closed and _is_at_end(subscriber, page.log_page):
                    # Without another read: a client that has received the last event may disconnect at once.
                    await _deliver_end(subscriber, page.log_page)
                    return
                if subscriber.epoch != self.epoch or subscriber.cursor > self.cursor:
                    self.request_read()
                # No await between this comparison and the wait, so that no page is missed.
                is_at_end = subscriber.epoch == self.epoch and subscriber.cursor >= self.cursor
                page = await subscription.wait() if is_at_end else None
        except Exception as error:
            if not isinstance(error, Stream.DoesNotExist):
                log.exception("subscriber_failed", stream=str(self.stream_id))
            await subscriber.fail(error)

    async def _read_until_end(self, subscriber: Subscriber) -> SerializedPage:
        """Read the log for one subscriber and deliver it up to its end; return the last page."""
        while True:
            try:
                page = await self._reader.read(self.stream_id, subscriber.cursor)
            except DatabaseError as error:
                log.warning("log_unreadable", stream=str(self.stream_id), error=repr(error))
                await asyncio.sleep(READ_RETRY_SECONDS)
                continue
            await _deliver_page(subscriber, page)
            if _is_at_end(subscriber, page.log_page):
                return page


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
    """Whether a closed log is empty; a closed log ends with an event, so it has been pruned."""
    return page.is_closed and page.last_seq == 0
