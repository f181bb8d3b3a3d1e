"""The one door out: after a commit, wake whoever follows the stream."""

import asyncio
import uuid
from weakref import WeakKeyDictionary

import structlog
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.db import transaction

from progress import metrics
from progress.groups import WAKE_UPS

log = structlog.get_logger(__name__)

MOST_SECONDS_A_SEND_MAY_TAKE = 1.0  # an absent Redis must not hold a writer up


def wake_after_commit(stream_id: uuid.UUID) -> None:
    """Send one wake-up for the stream once the surrounding transaction has committed."""
    transaction.on_commit(lambda: wake(stream_id))


def wake(stream_id: uuid.UUID) -> None:
    """Send a wake-up now, from a synchronous context. Never raises."""
    async_to_sync(send_wakeup)(stream_id)


_waiting: WeakKeyDictionary[asyncio.AbstractEventLoop, set[uuid.UUID]] = WeakKeyDictionary()


async def send_wakeup(stream_id: uuid.UUID) -> None:
    """Tell every serving process to read the stream's log. Never raises: a lost wake-up costs latency only.

    Streams that grow while a message is on its way share the next one.
    """
    loop = asyncio.get_running_loop()
    waiting = _waiting.get(loop)
    if waiting is not None:  # somebody sends, and takes this one along
        waiting.add(stream_id)
        return
    streams = {stream_id}
    try:
        while streams:
            _waiting[loop] = set()
            await send_wakeups(streams)
            streams = _waiting[loop]
    finally:
        del _waiting[loop]


async def send_wakeups(stream_ids: set[uuid.UUID]) -> None:
    """The same for many at once, in one message."""
    try:
        async with asyncio.timeout(MOST_SECONDS_A_SEND_MAY_TAKE):
            message = {"type": "wake", "streams": [stream_id.bytes for stream_id in stream_ids]}
            await get_channel_layer().group_send(WAKE_UPS, message)
    except Exception as error:  # noqa: BLE001 - any fault of the layer: the log already holds the events
        metrics.wakeups_lost.inc(len(stream_ids))
        log.warning("wakeup_lost", streams=[str(stream_id) for stream_id in stream_ids], error=repr(error))
    else:
        metrics.wakeups_sent.inc(len(stream_ids))
