"""The last step of the push, in memory: one subscription per process, one read of the log per stream and wake-up.

Channels' layer only carries "stream X has grown" between processes. Each process reads the log once and keeps the
page with its serialised frames; every follower takes it in a task of its own, so a slow or dead one holds nobody up:
it falls behind and reads the log for itself. A slow sweep compares heads, so a lost wake-up costs at most its period.
"""

import asyncio
import contextvars
import json
import uuid
from collections.abc import Iterator, Sequence
from typing import Protocol
from weakref import WeakKeyDictionary

import structlog
from channels.db import database_sync_to_async
from channels.layers import get_channel_layer
from django.conf import settings
from django.db import Error as DatabaseTrouble

from progress.groups import stream_group
from progress.models import Stream
from progress.services import Entry, LogPage, heads, read_log
from progress.statistics import report_connections

log = structlog.get_logger(__name__)

SWEEP_SECONDS = 2.0
RETRY_SECONDS = 1.0
MOST_TICK_SECONDS = 1.0
MOST_SECONDS_A_LAYER_CALL_MAY_TAKE = 2.0
MOST_FRAME_BYTES = 60 * 1024

read_log_async = database_sync_to_async(read_log, thread_sensitive=False)
_report_async = database_sync_to_async(report_connections, thread_sensitive=False)
_heads_async = database_sync_to_async(heads, thread_sensitive=False)


class Follower(Protocol):
    """Whoever wants a stream's events. All but `tick` are awaited in a task of its own, so they may take their time.

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

    async def lose(self, error: Exception) -> None:
        """The stream is gone (Stream.DoesNotExist), or we have failed."""

    def tick(self) -> None:
        """About a second has gone by: ping or give up if it is time for that, but without blocking."""


def encode_frames(entries: Sequence[Entry]) -> Iterator[str]:
    """`events` frames of at most 60 KiB that carry the entries in order."""
    batch: list[str] = []
    size = 0
    for entry in entries:
        text = json.dumps(entry, ensure_ascii=False, separators=(",", ":"))
        bytes_more = len(text.encode()) + 1
        if batch and size + bytes_more > MOST_FRAME_BYTES:
            yield f'{{"type":"events","e":[{",".join(batch)}]}}'
            batch, size = [], 0
        batch.append(text)
        size += bytes_more
    if batch:
        yield f'{{"type":"events","e":[{",".join(batch)}]}}'


class Topic:
    """One stream in this process: the page of its log that was read last, and whoever follows it."""

    def __init__(self, stream: Stream) -> None:
        self.stream_id: uuid.UUID = stream.pk
        self.page = LogPage(stream.epoch, stream.last_seq, stream.is_closed, [])
        self.cursor = stream.last_seq  # the page ends here, and
        self._begin = stream.last_seq  # begins behind this
        self.followers: dict[Follower, asyncio.Task[None]] = {}
        self.is_subscribed = False
        self._frames: list[str] = []
        self._gone: Stream.DoesNotExist | None = None
        self._woken = asyncio.Event()
        self._grown = asyncio.Event()
        self.reader = asyncio.create_task(self._read(), name="topic_reader", context=contextvars.Context())

    def wake(self) -> None:
        """Have the log read; however often that is asked for meanwhile, it is one more read."""
        self._woken.set()

    async def serve(self, follower: Follower) -> None:
        """Bring the follower to the end of the log and keep it there, until the stream has ended."""
        while True:
            grown = self._grown  # before looking, so that what comes meanwhile is another round
            try:
                page = await self._catch_up(follower)
            except DatabaseTrouble as error:
                log.warning("log_unreadable", stream=str(self.stream_id), error=repr(error))
                await asyncio.sleep(RETRY_SECONDS)
                continue
            if page.is_closed and follower.cursor == page.last:
                if _is_pruned(page):
                    await follower.reset(page)
                await follower.end()
                return
            await grown.wait()

    async def _catch_up(self, follower: Follower) -> LogPage:
        """Give the follower all there is; returns the page at whose end it stands then."""
        if self._gone:
            raise self._gone
        while (follower.epoch, follower.cursor) != (self.page.epoch, self.cursor):
            page, frames = await self._next_page(follower)
            if page.epoch != follower.epoch or follower.cursor > page.last:
                follower.epoch, follower.cursor = page.epoch, 0
                if not _is_pruned(page):
                    await follower.reset(page)
            elif frames:
                await follower.deliver(frames)
                follower.cursor = page.entries[-1][0]
            else:
                return page
        return self.page

    async def _next_page(self, follower: Follower) -> tuple[LogPage, list[str]]:
        if (follower.epoch, follower.cursor) == (self.page.epoch, self._begin):
            return self.page, self._frames
        page = await read_log_async(self.stream_id, follower.cursor)
        return page, list(encode_frames(page.entries))

    async def _read(self) -> None:
        while True:
            await self._woken.wait()
            self._woken.clear()
            try:
                self._take(await read_log_async(self.stream_id, self.cursor))
            except Stream.DoesNotExist as error:
                self._gone = error
                self._tell()
            except Exception as error:  # noqa: BLE001 - the database may be away; the sweep comes back to it
                log.warning("log_unreadable", stream=str(self.stream_id), error=repr(error))

    def _take(self, page: LogPage) -> None:
        is_news = bool(page.entries) or page.is_closed != self.page.is_closed
        if page.epoch != self.page.epoch or page.last < self.cursor:  # another life: the followers look for themselves
            is_news, page = True, LogPage(page.epoch, page.last, page.is_closed, [])
            self.cursor = page.last
        if not is_news:
            return
        self._begin, self.page = self.cursor, page
        self._frames = list(encode_frames(page.entries))
        if page.entries:
            self.cursor = page.entries[-1][0]
        if self.cursor < page.last:
            self.wake()
        self._tell()

    def _tell(self) -> None:
        grown, self._grown = self._grown, asyncio.Event()
        grown.set()


def _is_pruned(page: LogPage) -> bool:
    """A closed log ends with an event, so one that is closed and empty has been pruned."""
    return page.is_closed and page.last == 0


class Hub:
    """All topics of one process (one event loop). Its background tasks live while anybody follows anything."""

    def __init__(self) -> None:
        self.topics: dict[uuid.UUID, Topic] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._channel = ""
        self._opening = asyncio.Lock()

    def follow(self, stream: Stream, follower: Follower) -> None:
        """Deliver the stream to the follower from its cursor on, until `unfollow`. Following again starts anew."""
        topic = self.topics.get(stream.pk)
        if topic is None:
            topic = self.topics[stream.pk] = Topic(stream)
            self._start()
        earlier = topic.followers.pop(follower, None)
        if earlier:
            earlier.cancel()
        topic.followers[follower] = asyncio.create_task(self._serve(topic, follower), name="follower")

    async def unfollow(self, stream_id: uuid.UUID, follower: Follower) -> None:
        """Stop delivering; the last follower of a stream ends its subscription."""
        topic = self.topics.get(stream_id)
        task = topic.followers.pop(follower, None) if topic else None
        if topic is None or task is None:
            return
        task.cancel()
        if topic.followers:
            return
        del self.topics[stream_id]
        topic.reader.cancel()
        await self._layer_call("group_discard", topic)
        if not self.topics:
            self._stop()
            await self._report()

    async def _serve(self, topic: Topic, follower: Follower) -> None:
        try:
            await self._subscribe(topic)  # first, so that nothing falls between reading and waiting
            topic.wake()
            await topic.serve(follower)
        except Stream.DoesNotExist as error:
            await follower.lose(error)
        except Exception as error:
            log.exception("follower_failed", stream=str(topic.stream_id))
            await follower.lose(error)

    def _start(self) -> None:
        if not self._tasks:
            loops = (self._listen(), self._sweep(), self._tick())
            # In a context of their own: they work for everybody, not for the request that happened to be first.
            self._tasks = [asyncio.create_task(loop, name="hub", context=contextvars.Context()) for loop in loops]

    def _stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        self._tasks = []
        self._channel = ""

    async def _subscribe(self, topic: Topic) -> None:
        if not topic.is_subscribed:
            topic.is_subscribed = await self._layer_call("group_add", topic)

    async def _layer_call(self, method: str, topic: Topic) -> bool:
        try:
            async with asyncio.timeout(MOST_SECONDS_A_LAYER_CALL_MAY_TAKE):
                await getattr(get_channel_layer(), method)(stream_group(topic.stream_id), await self._open_channel())
        except Exception as error:  # noqa: BLE001 - without the layer the sweep still delivers
            log.warning("channel_layer_unavailable", call=method, error=repr(error))
            return False
        return True

    async def _open_channel(self) -> str:
        async with self._opening:
            if not self._channel:
                self._channel = await get_channel_layer().new_channel()
            return self._channel

    async def _listen(self) -> None:
        while True:
            try:
                message = await get_channel_layer().receive(await self._open_channel())
                topic = self.topics.get(uuid.UUID(message["stream"]))
                if topic:
                    topic.wake()
            except Exception as error:  # noqa: BLE001 - the layer may be away for a while
                log.warning("channel_layer_unavailable", call="receive", error=repr(error))
                await asyncio.sleep(RETRY_SECONDS)

    async def _report(self) -> None:
        try:
            await _report_async()
        except Exception as error:  # noqa: BLE001 - statistics must never cost a follower its events
            log.warning("statistics_unwritten", error=repr(error))

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            await self._report()
            try:
                await self._wake_those_behind()
                await self._subscribe_again()
            except Exception as error:  # noqa: BLE001 - the database may be away; the next sweep tries again
                log.warning("sweep_failed", error=repr(error))

    async def _wake_those_behind(self) -> None:
        now = await _heads_async(list(self.topics))
        for stream_id, topic in self.topics.items():
            if now.get(stream_id) != (topic.page.epoch, topic.cursor):
                topic.wake()

    async def _subscribe_again(self) -> None:
        """What the layer refused while it was away."""
        for topic in [topic for topic in self.topics.values() if not topic.is_subscribed]:
            await self._subscribe(topic)
            if not topic.is_subscribed:
                return

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(min(MOST_TICK_SECONDS, settings.PING_SECONDS / 4))
            for topic in list(self.topics.values()):
                for follower in list(topic.followers):
                    follower.tick()


_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()


def hub() -> Hub:
    """The hub of the running event loop."""
    loop = asyncio.get_running_loop()
    if loop not in _hubs:
        _hubs[loop] = Hub()
    return _hubs[loop]
