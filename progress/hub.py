"""The last step of the push, in memory: one subscription per process, one read of the log for all that has grown.

Channels' layer only carries "these streams have grown" between processes. Each process reads what is behind its
cursors once, serialises it once, and sends it to all that stand there; one that takes its time is left to a task of
its own, falls behind and reads the log for itself. A slow sweep compares heads, so a lost wake-up costs at most its
period.
"""

import asyncio
import contextvars
import uuid
from weakref import WeakKeyDictionary

import structlog
from channels.db import database_sync_to_async
from channels.layers import get_channel_layer
from django.conf import settings

from progress.groups import WAKE_UPS
from progress.models import Stream
from progress.reading import Reader
from progress.services import heads
from progress.statistics import report_connections
from progress.topics import Follower, Topic

log = structlog.get_logger(__name__)

SWEEP_SECONDS = 2.0
RETRY_SECONDS = 1.0
MOST_TICK_SECONDS = 1.0
MOST_SECONDS_A_LAYER_CALL_MAY_TAKE = 2.0
MOST_SECONDS_A_SWEEP_WAITS = 10.0  # for the database; then it begins anew

_report_async = database_sync_to_async(report_connections, thread_sensitive=False)
_heads_async = database_sync_to_async(heads, thread_sensitive=False)


class Hub:
    """All topics of one process (one event loop). Its background tasks live while anybody follows anything."""

    def __init__(self) -> None:
        self.topics: dict[uuid.UUID, Topic] = {}
        self._named: dict[bytes, Topic] = {}  # as wake-ups name them
        self.is_subscribed = False
        self._tasks: list[asyncio.Task[None]] = []
        self._reader = Reader()
        self._channel = ""
        self._opening = asyncio.Lock()

    def follow(self, stream: Stream, follower: Follower) -> None:
        """Deliver the stream to the follower from its cursor on, until `unfollow`. Following again starts anew."""
        topic = self.topics.get(stream.pk)
        if topic is None:
            topic = self.topics[stream.pk] = self._named[stream.pk.bytes] = Topic(stream, self._reader)
            self._start()
        topic.add(follower)

    async def unfollow(self, stream_id: uuid.UUID, follower: Follower) -> None:
        """Stop delivering; the last follower of all ends the subscription."""
        topic = self.topics.get(stream_id)
        if topic is None or not topic.remove(follower) or topic.seats:
            return
        del self.topics[stream_id], self._named[stream_id.bytes]
        if not self.topics:
            await self._stop()

    def _start(self) -> None:
        if not self._tasks:
            loops = (self._listen(), self._sweep(), self._tick())
            # In a context of their own: they work for everybody, not for the request that happened to be first.
            self._tasks = [asyncio.create_task(loop, name="hub", context=contextvars.Context()) for loop in loops]
            self._reader.start()

    async def _stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        self._reader.stop()
        channel, self._tasks, self._channel, self.is_subscribed = self._channel, [], "", False
        if channel:
            await self._layer_call("group_discard", channel)
        await self._report()

    # Wake-ups ----------------------------------------------------------------------------------------------------

    async def _listen(self) -> None:
        while True:
            try:
                channel = await self._open_channel()
                if not self.is_subscribed:
                    await self._subscribe()
                message = await get_channel_layer().receive(channel)
                for name in message["streams"]:
                    topic = self._named.get(name)
                    if topic:
                        topic.wake()
            except Exception as error:  # noqa: BLE001 - the layer may be away for a while
                log.warning("channel_layer_unavailable", call="receive", error=repr(error))
                await asyncio.sleep(RETRY_SECONDS)

    async def _open_channel(self) -> str:
        # Without an end to it, a Redis that says nothing would hold up the sweep as well.
        async with asyncio.timeout(MOST_SECONDS_A_LAYER_CALL_MAY_TAKE), self._opening:
            if not self._channel:
                self._channel = await get_channel_layer().new_channel()
            return self._channel

    async def _subscribe(self) -> None:
        """Again and again, for a layer may forget; what fell between the last look and the first time is read now."""
        is_subscribed = await self._layer_call("group_add", await self._open_channel())
        if is_subscribed and not self.is_subscribed:
            for topic in self.topics.values():
                topic.wake()
        self.is_subscribed = is_subscribed

    async def _layer_call(self, method: str, channel: str) -> bool:
        try:
            async with asyncio.timeout(MOST_SECONDS_A_LAYER_CALL_MAY_TAKE):
                await getattr(get_channel_layer(), method)(WAKE_UPS, channel)
        except Exception as error:  # noqa: BLE001 - without the layer the sweep still delivers
            log.warning("channel_layer_unavailable", call=method, error=repr(error))
            return False
        return True

    # Every now and then ------------------------------------------------------------------------------------------

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            # Nothing that a step waits for may keep the next one, or the next sweep, from its turn.
            for step in (self._wake_those_behind, self._subscribe, self._report):
                try:
                    await step()
                except Exception as error:  # noqa: BLE001 - the database may be away; the next sweep tries again
                    log.warning("sweep_failed", step=step.__name__, error=repr(error))

    async def _wake_those_behind(self) -> None:
        async with asyncio.timeout(MOST_SECONDS_A_SWEEP_WAITS):
            now = await _heads_async(list(self.topics))
        for stream_id, topic in self.topics.items():
            topic.serve_those_behind()
            if now.get(stream_id) != (topic.epoch, topic.cursor):
                topic.wake()

    async def _report(self) -> None:
        try:
            async with asyncio.timeout(MOST_SECONDS_A_SWEEP_WAITS):
                await _report_async()
        except Exception as error:  # noqa: BLE001 - statistics must never cost a follower its events
            log.warning("statistics_unwritten", error=repr(error))

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(min(MOST_TICK_SECONDS, settings.PING_SECONDS / 4))
            for topic in list(self.topics.values()):
                for follower in list(topic.seats):
                    follower.tick()


_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()


def hub() -> Hub:
    """The hub of the running event loop."""
    loop = asyncio.get_running_loop()
    if loop not in _hubs:
        _hubs[loop] = Hub()
    return _hubs[loop]
