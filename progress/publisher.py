"""Notifications about new events, sent to all server processes after the commit."""

import asyncio
import uuid
from weakref import WeakKeyDictionary

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.db import transaction

from performance.redis_outage import redis_outage
from progress import metrics
from progress.groups import STREAM_NOTIFICATIONS_GROUP

SEND_TIMEOUT_SECONDS = 1.0  # an unavailable Redis must not block a writer


def notify_subscribers_after_commit(stream_id: uuid.UUID) -> None:
    """Notify the subscribers of a stream when the current transaction has committed."""
    transaction.on_commit(lambda: notify_subscribers(stream_id))


def notify_subscribers(stream_id: uuid.UUID) -> None:
    """Notify the subscribers now, from synchronous code. Never raises."""
    async_to_sync(anotify_subscribers)(stream_id)


_pending_streams: WeakKeyDictionary[asyncio.AbstractEventLoop, set[uuid.UUID]] = WeakKeyDictionary()


async def anotify_subscribers(stream_id: uuid.UUID) -> None:
    """Notify every server process to read the log of a stream. Never raises: a lost notification only delays events.

    Streams that change while a message is being sent share the next message.
    """
    loop = asyncio.get_running_loop()
    pending = _pending_streams.get(loop)
    if pending is not None:  # another task is sending and will include this stream
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
    """Notify about several streams in one message."""
    try:
        async with asyncio.timeout(SEND_TIMEOUT_SECONDS):
            message = {"type": "wake", "streams": [stream_id.bytes for stream_id in stream_ids]}
            await get_channel_layer().group_send(STREAM_NOTIFICATIONS_GROUP, message)
    except Exception as error:  # noqa: BLE001 - the log holds the events if the layer fails
        metrics.stream_notifications_lost.inc(len(stream_ids))
        redis_outage.report_failure("notifications", error)
    else:
        metrics.stream_notifications_sent.inc(len(stream_ids))
