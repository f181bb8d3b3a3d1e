"""Delivery of events to the subscribers of one process.

The channel layer only carries the ids of streams with new events between processes. Each process reads the new events
once, serializes them once, and delivers them to all subscribers at that position; a slow subscriber falls behind and
reads the log itself. A sweep compares the heads of all streams, so a lost notification costs at most its interval.

With each sweep the hub sends a message to itself. A subscription can be lost without any error, when a proxy or a NAT
drops its connection; then no message arrives, and the hub opens the connections of the layer again.
"""

import asyncio
import contextvars
import uuid
from weakref import WeakKeyDictionary

import structlog
from channels.db import database_sync_to_async
from channels.layers import get_channel_layer
from django.conf import settings

from performance.redis_outage import CONNECTION_ERRORS, redis_outage
from progress import metrics
from progress.groups import STREAM_NOTIFICATIONS_GROUP
from progress.hub.log_reader import LogReader
from progress.hub.topics import Subscriber, Topic
from progress.models import Stream
from progress.services import get_stream_heads
from progress.statistics import report_connections

log = structlog.get_logger(__name__)

SWEEP_INTERVAL_SECONDS = 2.0
LAYER_RETRY_SECONDS = 1.0
MAX_TICK_INTERVAL_SECONDS = 1.0
LAYER_CALL_TIMEOUT_SECONDS = 2.0
SWEEP_QUERY_TIMEOUT_SECONDS = 10.0  # then the next sweep tries again
MAX_UNHEARD_ECHOES = 3  # then the subscription counts as lost

_report_connections_async = database_sync_to_async(report_connections, thread_sensitive=False)
_get_stream_heads_async = database_sync_to_async(get_stream_heads, thread_sensitive=False)


class Hub:
    """All topics of one process (one event loop). Its background tasks run while there are subscribers."""

    def __init__(self) -> None:
        self.topics: dict[uuid.UUID, Topic] = {}
        self._topics_by_id_bytes: dict[bytes, Topic] = {}  # as in notifications
        self.has_joined_group = False
        self._tasks: list[asyncio.Task[None]] = []
        self._reader = LogReader()
        self._channel = ""
        self._channel_lock = asyncio.Lock()
        self._unheard_echoes = 0

    @property
    def is_push_working(self) -> bool:
        """Whether notifications arrive, as far as this process knows; without subscribers it needs none."""
        return not self.topics or (self.has_joined_group and self._unheard_echoes < MAX_UNHEARD_ECHOES)

    def subscribe(self, stream: Stream, subscriber: Subscriber) -> None:
        """Deliver the stream to the subscriber from its cursor on, until `unsubscribe`. Repeating it restarts there."""
        topic = self.topics.get(stream.pk)
        if topic is None:
            topic = self.topics[stream.pk] = self._topics_by_id_bytes[stream.pk.bytes] = Topic(stream, self._reader)
            if not self._tasks:
                loops = (self._run_listen_loop(), self._run_sweep_loop(), self._run_tick_loop())
                # In new contexts: they serve all subscribers, not the request of the first one.
                self._tasks = [asyncio.create_task(loop, name="hub", context=contextvars.Context()) for loop in loops]
                self._reader.start()
        topic.add(subscriber)

    async def unsubscribe(self, stream_id: uuid.UUID, subscriber: Subscriber) -> None:
        """Stop delivering; the last subscriber of the process ends the background tasks."""
        topic = self.topics.get(stream_id)
        if topic is None or not topic.remove(subscriber) or topic.subscriptions:
            return
        del self.topics[stream_id], self._topics_by_id_bytes[stream_id.bytes]
        if self.topics:
            return
        for task in self._tasks:
            task.cancel()
        self._reader.stop()
        channel, self._tasks, self._channel, self.has_joined_group = self._channel, [], "", False
        self._unheard_echoes = 0
        metrics.push_working.set(1)
        if channel:
            await self._call_layer("group_discard", channel)
        await self._report_connections()

    # Notifications ----------------------------------------------------------------------------------------------------

    async def _run_listen_loop(self) -> None:
        while True:
            try:
                channel = await self._get_channel()
                if not self.has_joined_group:
                    await self._join_group()
                message = await get_channel_layer().receive(channel)
                self._unheard_echoes = 0
                for name in message["streams"]:
                    topic = self._topics_by_id_bytes.get(name)
                    if topic:
                        topic.request_read()
            except Exception as error:  # noqa: BLE001 - the layer may be unavailable for a while
                redis_outage.report_failure("notifications", error)
                await asyncio.sleep(LAYER_RETRY_SECONDS)

    async def _get_channel(self) -> str:
        # The timeout covers the lock too: a Redis that does not respond must not block the sweep.
        async with asyncio.timeout(LAYER_CALL_TIMEOUT_SECONDS), self._channel_lock:
            if not self._channel:
                self._channel = await get_channel_layer().new_channel()
            return self._channel

    async def _join_group(self) -> None:
        """Join the group; repeated by the sweep, as a layer may lose members. The first time, read what was missed."""
        has_joined = await self._call_layer("group_add", await self._get_channel())
        if has_joined and not self.has_joined_group:
            for topic in self.topics.values():
                topic.request_read()
        self.has_joined_group = has_joined

    async def _call_layer(self, method: str, channel: str) -> bool:
        try:
            async with asyncio.timeout(LAYER_CALL_TIMEOUT_SECONDS):
                await getattr(get_channel_layer(), method)(STREAM_NOTIFICATIONS_GROUP, channel)
        except Exception as error:  # noqa: BLE001 - without the layer the sweep still delivers
            redis_outage.report_failure("notifications", error)
            return False
        redis_outage.report_success()
        return True

    async def _check_echo(self) -> None:
        """Count the echoes that were not heard, replace a lost subscription, and send the next echo."""
        metrics.push_working.set(self.is_push_working)
        if self._unheard_echoes and self._unheard_echoes % MAX_UNHEARD_ECHOES == 0:
            if not redis_outage.is_active:
                log.warning("subscription_lost", unheard_echoes=self._unheard_echoes)
            await self._reopen_layer()
        self._unheard_echoes += 1
        try:
            async with asyncio.timeout(LAYER_CALL_TIMEOUT_SECONDS):
                await get_channel_layer().send(await self._get_channel(), {"type": "wake", "streams": []})
        except CONNECTION_ERRORS as error:
            redis_outage.report_failure("notifications", error)

    async def _reopen_layer(self) -> None:
        """Close the connections of the channel layer, and listen and join again over new ones."""
        metrics.push_reopened.inc()
        listen_task = self._tasks[0]
        listen_task.cancel()
        await asyncio.wait([listen_task], timeout=LAYER_CALL_TIMEOUT_SECONDS)
        self._channel, self.has_joined_group = "", False
        try:
            async with asyncio.timeout(LAYER_CALL_TIMEOUT_SECONDS):
                await get_channel_layer().flush()
        finally:
            self._tasks[0] = asyncio.create_task(self._run_listen_loop(), name="hub", context=contextvars.Context())

    # Periodic tasks ------------------------------------------------------------------------------------------

    async def _run_sweep_loop(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_INTERVAL_SECONDS)
            # Each step has a timeout, so that none blocks the others or the next sweep.
            for step in (self._check_stream_heads, self._join_group, self._check_echo, self._report_connections):
                try:
                    await step()
                except Exception as error:  # noqa: BLE001 - the database may be unavailable; the next sweep tries again
                    if redis_outage.is_active and isinstance(error, CONNECTION_ERRORS):
                        redis_outage.report_failure("notifications", error)
                    else:
                        log.warning("sweep_failed", step=step.__name__, error=repr(error))

    async def _check_stream_heads(self) -> None:
        async with asyncio.timeout(SWEEP_QUERY_TIMEOUT_SECONDS):
            stream_heads = await _get_stream_heads_async(list(self.topics))
        for stream_id, topic in self.topics.items():
            if stream_heads.get(stream_id) != (topic.epoch, topic.cursor):
                topic.request_read()

    async def _report_connections(self) -> None:
        try:
            async with asyncio.timeout(SWEEP_QUERY_TIMEOUT_SECONDS):
                await _report_connections_async()
        except Exception as error:  # noqa: BLE001 - a failure of the statistics must not affect delivery
            log.warning("statistics_not_written", error=repr(error))

    async def _run_tick_loop(self) -> None:
        while True:
            await asyncio.sleep(min(MAX_TICK_INTERVAL_SECONDS, settings.PING_SECONDS / 4))
            for topic in list(self.topics.values()):
                for subscriber in list(topic.subscriptions):
                    subscriber.on_tick()


_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()


def get_hub() -> Hub:
    """Return the hub of the running event loop."""
    loop = asyncio.get_running_loop()
    if loop not in _hubs:
        _hubs[loop] = Hub()
    return _hubs[loop]
