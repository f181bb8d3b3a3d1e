"""Long polling of the same log: what a client does while its socket is cut."""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any

from channels.db import database_sync_to_async

from errors.exceptions import NotFound
from progress import metrics
from progress.hub import hub
from progress.models import Stream
from progress.services import LogPage, read_log

MOST_SECONDS_TO_WAIT = 25

read_log_async = database_sync_to_async(read_log, thread_sensitive=False)


class _Waiter:
    """A follower that only wants to know that there is something."""

    def __init__(self, epoch: str, cursor: int) -> None:
        self.epoch = epoch
        self.cursor = cursor
        self.woken = asyncio.Event()

    async def deliver(self, frames: Sequence[str]) -> None:
        self.woken.set()

    async def reset(self, page: LogPage) -> None:
        self.woken.set()

    async def end(self) -> None:
        self.woken.set()

    async def lose(self, error: Exception) -> None:
        self.woken.set()

    def tick(self) -> None:
        """A poll ends by its own time-out."""


async def poll(stream: Stream, after: int, epoch: str, wait: float) -> dict[str, Any]:
    """The entries behind a cursor, waiting up to `wait` seconds (25 at most) for the first.

    Returns {epoch, last, closed, events} or {epoch, last, closed, reset: true} when the cursor is of another life.
    Raises NotFound when the stream has been deleted meanwhile.
    """
    try:
        page = await read_log_async(stream.pk, after)
        if not (page.entries or page.is_closed or _is_foreign(page, after, epoch)):
            await _wait_for_growth(stream, _Waiter(page.epoch, after), min(wait, MOST_SECONDS_TO_WAIT))
            page = await read_log_async(stream.pk, after)
    except Stream.DoesNotExist as error:
        raise NotFound from error
    answer: dict[str, Any] = {"epoch": page.epoch, "last": page.last, "closed": page.is_closed}
    if _is_foreign(page, after, epoch):
        return answer | {"reset": True}
    return answer | {"events": page.entries}


def _is_foreign(page: LogPage, after: int, epoch: str) -> bool:
    return after > page.last or bool(epoch and epoch != page.epoch and after > 0)


async def _wait_for_growth(stream: Stream, waiter: _Waiter, seconds: float) -> None:
    metrics.polls_open.inc()
    try:
        hub().follow(stream, waiter)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await waiter.woken.wait()
    finally:
        metrics.polls_open.dec()
        await hub().unfollow(stream.pk, waiter)
