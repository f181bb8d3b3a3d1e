"""Long polling of the event log, for clients without a socket."""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any

from channels.db import database_sync_to_async

from errors.exceptions import NotFound
from progress import metrics
from progress.hub.hub import get_hub
from progress.models import Stream
from progress.services import LogPage, read_log

MAX_POLL_SECONDS = 25

read_log_async = database_sync_to_async(read_log, thread_sensitive=False)


class _PollSubscriber:
    """A subscriber that only waits for the first event."""

    def __init__(self, epoch: str, cursor: int) -> None:
        self.epoch = epoch
        self.cursor = cursor
        self.has_news = asyncio.Event()

    async def deliver(self, frames: Sequence[str]) -> None:
        self.has_news.set()

    async def reset(self, page: LogPage) -> None:
        self.has_news.set()

    async def end(self) -> None:
        self.has_news.set()

    async def fail(self, error: Exception) -> None:
        self.has_news.set()

    def on_tick(self) -> None:
        """A poll ends by its own timeout."""


async def poll_stream(stream: Stream, after: int, epoch: str, wait_seconds: float) -> dict[str, Any]:
    """Return the entries after a cursor; wait up to `wait_seconds` (at most MAX_POLL_SECONDS) for the first.

    Returns {epoch, last, closed, events}, or {epoch, last, closed, reset: true} for a cursor of another epoch. Raises
    NotFound if the stream has been deleted.
    """
    try:
        page = await read_log_async(stream.pk, after)
        if not (page.entries or page.is_closed or _is_stale_cursor(page, after, epoch)):
            await _wait_for_events(stream, _PollSubscriber(page.epoch, after), min(wait_seconds, MAX_POLL_SECONDS))
            page = await read_log_async(stream.pk, after)
    except Stream.DoesNotExist as error:
        raise NotFound from error
    body: dict[str, Any] = {"epoch": page.epoch, "last": page.last_seq, "closed": page.is_closed}
    if _is_stale_cursor(page, after, epoch):
        return body | {"reset": True}
    return body | {"events": page.entries}


def _is_stale_cursor(page: LogPage, after: int, epoch: str) -> bool:
    return after > page.last_seq or bool(epoch and epoch != page.epoch and after > 0)


async def _wait_for_events(stream: Stream, subscriber: _PollSubscriber, seconds: float) -> None:
    metrics.polls_open.inc()
    try:
        get_hub().subscribe(stream, subscriber)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await subscriber.has_news.wait()
    finally:
        metrics.polls_open.dec()
        await get_hub().unsubscribe(stream.pk, subscriber)
