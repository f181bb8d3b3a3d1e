"""The one door out: after a commit, wake whoever follows the stream."""

import asyncio
import uuid

import structlog
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.db import transaction

from progress import metrics
from progress.groups import stream_group

log = structlog.get_logger(__name__)

MOST_SECONDS_A_SEND_MAY_TAKE = 1.0  # an absent Redis must not hold a writer up


def wake_after_commit(stream_id: uuid.UUID) -> None:
    """Send one wake-up for the stream once the surrounding transaction has committed."""
    transaction.on_commit(lambda: wake(stream_id))


def wake(stream_id: uuid.UUID) -> None:
    """Send a wake-up now, from a synchronous context. Never raises."""
    async_to_sync(send_wakeup)(stream_id)


async def send_wakeup(stream_id: uuid.UUID) -> None:
    """Tell every process that follows the stream to read its log. Never raises: a lost wake-up costs latency only."""
    try:
        async with asyncio.timeout(MOST_SECONDS_A_SEND_MAY_TAKE):
            await get_channel_layer().group_send(stream_group(stream_id), {"type": "wake", "stream": stream_id.hex})
    except Exception as error:  # noqa: BLE001 - any fault of the layer: the log already holds the event
        metrics.wakeups_lost.inc()
        log.warning("wakeup_lost", stream=str(stream_id), error=repr(error))
    else:
        metrics.wakeups_sent.inc()
