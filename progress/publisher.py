"""The one door out: after a commit, wake whoever follows the stream."""

import asyncio
import uuid
from weakref import WeakKeyDictionary

import structlog
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.db import transaction

from progress import metrics
from progress.groups import STREAM_NOTIFICATIONS_GROUP

log = structlog.get_logger(__name__)

SEND_TIMEOUT_SECONDS = 1.0  # an absent Redis must not hold a writer up


def notify_subscribers_after_commit(stream_id: uuid.UUID) -> None:
    """Send one wake-up for the stream once the surrounding transaction has committed."""
    transaction.on_commit(lambda: notify_subscribers(stream_id))


def notify_subscribers(stream_id: uuid.UUID) -> None:
    """Send a wake-up now, from a synchronous context. Never raises."""
    async_to_sync(anotify_subscribers)(stream_id)


_pending_streams: WeakKeyDictionary[asyncio.AbstractEventLoop, set[uuid.UUID]] = WeakKeyDictionary()


async def anotify_subscribers(stream_id: uuid.UUID) -> None:
    """Tell every serving process to read the stream's log. Never raises: a lost wake-up costs latency only.

    Streams that grow while a message is on its way share the next one.
    """
    loop = asyncio.get_running_loop()
    pending = _pending_streams.get(loop)
    if pending is not None:  # somebody sends, and takes this one along
        pending.add(stream_id)
        return
    streams = {stream_id}
    try:
        while streams:
            _pending_streams[loop] = set()
            await send_stream_notification(streams)
            streams = _pending_streams[loop]
    finally:
        del _pending_streams[loop]


async def send_stream_notification(stream_ids: set[uuid.UUID]) -> None:
    """The same for many at once, in one message."""
    try:
        async with asyncio.timeout(SEND_TIMEOUT_SECONDS):
            message = {"type": "wake", "streams": [stream_id.bytes for stream_id in stream_ids]}
            await get_channel_layer().group_send(STREAM_NOTIFICATIONS_GROUP, message)
    except Exception as error:  # noqa: BLE001 - any fault of the layer: the log already holds the events
        metrics.stream_notifications_lost.inc(len(stream_ids))
        log.warning("wakeup_lost", streams=[str(stream_id) for stream_id in stream_ids], error=repr(error))
    else:
        metrics.stream_notifications_sent.inc(len(stream_ids))
