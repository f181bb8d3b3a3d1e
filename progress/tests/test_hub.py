"""The hub: shared reads, and delivery of each event once and in order under failures."""

import asyncio
import json
import random
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest
from channels.layers import get_channel_layer
from django.contrib.auth.models import AbstractUser
from django.db import OperationalError
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from progress.groups import STREAM_NOTIFICATIONS_GROUP
from progress.hub import hub as hub_module
from progress.hub import log_reader, topics
from progress.hub.hub import Hub
from progress.hub.log_reader import MAX_FRAME_BYTES, SerializedPage, encode_frames
from progress.models import Stream
from progress.publisher import anotify_subscribers
from progress.services import LogPage, open_stream, prune_streams, read_log
from testing.clients.sockets import (
    RECEIVE_TIMEOUT_SECONDS,
    append_numbered_events_async,
    complete_stream_async,
    run_in_thread,
)

pytestmark = pytest.mark.django_db


class RecordingSubscriber:
    """A subscriber that records its events. A slow one waits for `gate` before each frame."""

    def __init__(self, epoch: str, cursor: int = 0, *, is_slow: bool = False) -> None:
        self.epoch = epoch
        self.cursor = cursor
        self.seen: list[int] = []
        self.resets: list[LogPage] = []
        self.has_ended = False
        self.error: Exception | None = None
        self.ticks = 0
        self.gate = asyncio.Event()
        if not is_slow:
            self.gate.set()
        self.changed = asyncio.Condition()

    async def deliver(self, frames: Sequence[str]) -> None:
        for frame in frames:
            await self.gate.wait()
            self.seen += [entry[0] for entry in json.loads(frame)["e"]]
            await self._notify()

    async def reset(self, page: LogPage) -> None:
        self.resets.append(page)
        await self._notify()

    async def end(self) -> None:
        self.has_ended = True
        await self._notify()

    async def fail(self, error: Exception) -> None:
        self.error = error
        await self._notify()

    def on_tick(self) -> None:
        self.ticks += 1

    async def _notify(self) -> None:
        async with self.changed:
            self.changed.notify_all()

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until the condition holds."""
        async with asyncio.timeout(RECEIVE_TIMEOUT_SECONDS), self.changed:
            await self.changed.wait_for(lambda: bool(condition()))

    async def has_seen(self, last: int) -> None:
        """Wait until the event `last` has been delivered; all events must have been delivered once and in order."""
        await self.until(lambda: self.seen and self.seen[-1] >= last)
        assert self.seen == list(range(self.seen[0], self.seen[0] + len(self.seen)))


async def until(condition: Callable[[], object]) -> None:
    """Wait until the condition holds."""
    async with asyncio.timeout(RECEIVE_TIMEOUT_SECONDS):
        while not condition():
            await asyncio.sleep(0.005)


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    """A new hub; its subscribers are removed after the test."""
    test_hub = Hub()
    yield test_hub
    for stream_id, topic in list(test_hub.topics.items()):
        for subscriber in list(topic.subscriptions):
            await test_hub.unsubscribe(stream_id, subscriber)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The cursors of the hub's reads of the log."""
    cursors: list[int] = []
    read_pages = log_reader.read_pages

    def record_and_read(wanted: Sequence[tuple[Any, int]]) -> list[SerializedPage | None]:
        cursors.extend(after for _stream, after in wanted)
        return read_pages(wanted)

    monkeypatch.setattr(log_reader, "read_pages", record_and_read)
    return cursors


@pytest.fixture
def lost_notifications(monkeypatch: pytest.MonkeyPatch) -> None:
    """A channel layer that loses every notification."""

    async def ignore(*_args: Any) -> None:
        pass

    monkeypatch.setattr(get_channel_layer(), "group_send", ignore)


@pytest.fixture
def quick_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "SWEEP_INTERVAL_SECONDS", 0.05)
    monkeypatch.setattr(hub_module, "LAYER_RETRY_SECONDS", 0.02)
    monkeypatch.setattr(topics, "READ_RETRY_SECONDS", 0.02)


async def subscribe(hub: Hub, stream: Stream, *recorders: RecordingSubscriber) -> None:
    """Subscribe, and wait until all are at the end of the log."""
    for recorder in recorders:
        hub.subscribe(stream, recorder)
    topic = hub.topics[stream.pk]
    await until(lambda: hub.has_joined_group and all(topic.subscriptions[recorder].is_idle for recorder in recorders))


async def test_a_notification_causes_one_read_for_all_subscribers(hub: Hub, stream: Stream, reads: list[int]) -> None:
    recorders = [RecordingSubscriber(stream.epoch) for _ in range(50)]
    await subscribe(hub, stream, *recorders)
    assert len(reads) <= 2  # shared by all that subscribed together
    reads.clear()
    for number in range(1, 6):
        await append_numbered_events_async(stream, number)
        for recorder in recorders:
            await recorder.has_seen(number)
    assert reads == sorted(reads)
    assert len(reads) <= 6  # one per notification, and possibly one in progress at the first


async def test_a_subscriber_receives_existing_and_new_events(hub: Hub, stream: Stream) -> None:
    await append_numbered_events_async(stream, 1, 2, 3)
    recorder = RecordingSubscriber(stream.epoch)
    hub.subscribe(stream, recorder)
    await recorder.has_seen(3)
    await append_numbered_events_async(stream, 4)
    await recorder.has_seen(4)
    assert recorder.seen == [1, 2, 3, 4]


async def test_a_subscriber_starts_after_its_cursor(hub: Hub, stream: Stream) -> None:
    await append_numbered_events_async(stream, 1, 2, 3)
    recorder = RecordingSubscriber(stream.epoch, 2)
    hub.subscribe(stream, recorder)
    await recorder.has_seen(3)
    assert recorder.seen == [3]


async def test_a_long_log_is_delivered_completely(hub: Hub, stream: Stream) -> None:
    await append_numbered_events_async(stream, *range(1, 451))
    fresh = await run_in_thread(Stream.objects.get)(pk=stream.pk)
    for row in (stream, fresh):  # the row as it was before, and the current row
        recorder = RecordingSubscriber(stream.epoch)
        hub.subscribe(row, recorder)
        await recorder.has_seen(450)
        assert recorder.seen[0] == 1


async def test_subscribers_joining_during_writes_receive_each_event_once_in_order(
    hub: Hub, stream: Stream, request: pytest.FixtureRequest
) -> None:
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed of {request.node.name}: {seed}")
    rng = random.Random(seed)
    total, recorders = 150, [RecordingSubscriber(stream.epoch)]
    hub.subscribe(stream, recorders[0])

    async def write() -> None:
        for first in range(1, total, 3):
            await append_numbered_events_async(stream, first, first + 1, first + 2)
        await complete_stream_async(stream)

    writing = asyncio.create_task(write())
    while not writing.done() and len(recorders) < 40:
        await asyncio.sleep(rng.uniform(0, 0.02))
        joiner = RecordingSubscriber(stream.epoch, rng.choice([0, *recorders[0].seen]))
        hub.subscribe(stream, joiner)
        recorders.append(joiner)
    await writing
    for recorder in recorders:
        await recorder.until(lambda: recorder.has_ended)  # noqa: B023
        if recorder.seen:
            await recorder.has_seen(total + 1)
        else:
            assert recorder.cursor == total + 1
    assert len(recorders) > 5


async def test_the_sweep_delivers_after_a_lost_notification(
    hub: Hub, stream: Stream, lost_notifications: None, quick_sweep: None
) -> None:
    recorder = RecordingSubscriber(stream.epoch)
    await subscribe(hub, stream, recorder)
    await append_numbered_events_async(stream, 1)
    await recorder.has_seen(1)


@pytest.mark.parametrize("hanging_call", ["new_channel", "statistics", "heads"])
async def test_hanging_calls_do_not_block_the_sweep(
    hub: Hub,
    stream: Stream,
    lost_notifications: None,
    quick_sweep: None,
    monkeypatch: pytest.MonkeyPatch,
    hanging_call: str,
) -> None:
    heads, hung = hub_module._get_stream_heads_async, 0
    monkeypatch.setattr(hub_module, "LAYER_CALL_TIMEOUT_SECONDS", 0.05)
    monkeypatch.setattr(hub_module, "SWEEP_QUERY_TIMEOUT_SECONDS", 0.2)

    async def hang(*_args: Any) -> Any:
        nonlocal hung
        hung += 1
        await asyncio.Event().wait()

    async def hang_at_first(streams: Any) -> Any:
        return await (heads(streams) if hung else hang())

    if hanging_call == "new_channel":
        monkeypatch.setattr(get_channel_layer(), "new_channel", hang)
    else:
        monkeypatch.setattr(
            hub_module,
            *(
                ("_report_connections_async", hang)
                if hanging_call == "statistics"
                else ("_get_stream_heads_async", hang_at_first)
            ),
        )
    recorder = RecordingSubscriber(stream.epoch)
    hub.subscribe(stream, recorder)
    for number in (1, 2, 3):
        await append_numbered_events_async(stream, number)
        await recorder.has_seen(number)
    await until(lambda: hung)


async def test_a_failing_push_does_not_affect_other_subscribers(hub: Hub, stream: Stream, quick_sweep: None) -> None:
    class Broken(RecordingSubscriber):
        def deliver(self, frames: Sequence[str]) -> Any:
            raise RuntimeError("a bug")

    broken, other = Broken(stream.epoch), RecordingSubscriber(stream.epoch)
    await subscribe(hub, stream, broken, other)
    await append_numbered_events_async(stream, 1)
    await other.has_seen(1)
    await broken.until(lambda: broken.error)


async def test_reading_continues_when_a_broken_connection_cannot_be_closed(
    hub: Hub, stream: Stream, quick_sweep: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken:
        connection: Any = None

        def close(self) -> None:
            raise OperationalError("it is broken")

    recorder, failures = RecordingSubscriber(stream.epoch), 0
    await subscribe(hub, stream, recorder)

    def fail(*_args: Any) -> list[SerializedPage | None]:
        nonlocal failures
        failures += 1
        raise OperationalError("the database is unavailable")

    with monkeypatch.context() as away:
        away.setattr(log_reader, "read_pages", fail)
        away.setattr(log_reader, "connection", Broken())
        await append_numbered_events_async(stream, 1)
        await until(lambda: failures > 2 * log_reader.MAX_CONCURRENT_READS)
    await recorder.has_seen(1)


async def test_streams_changed_during_a_notification_share_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent: list[list[bytes]] = []
    gate = asyncio.Event()

    async def slow(_group: str, message: dict[str, Any]) -> None:
        sent.append(message["streams"])
        await gate.wait()

    monkeypatch.setattr(get_channel_layer(), "group_send", slow)
    streams = [uuid.uuid4() for _ in range(50)]
    sending = [asyncio.create_task(anotify_subscribers(stream_id)) for stream_id in streams for _ in range(2)]
    await until(lambda: sent)
    gate.set()
    await asyncio.gather(*sending)
    assert sent[0] == [streams[0].bytes]
    assert len(sent) == 2
    assert sorted(sent[1]) == sorted(stream_id.bytes for stream_id in streams)


async def test_a_subscriber_at_the_end_of_a_closed_stream_ends(hub: Hub, closed_stream: Stream) -> None:
    for cursor, seen in ((4, []), (0, [1, 2, 3, 4]), (3, [4])):
        recorder = RecordingSubscriber(closed_stream.epoch, cursor)
        hub.subscribe(closed_stream, recorder)
        await recorder.until(lambda: recorder.has_ended)  # noqa: B023
        assert recorder.seen == seen
        assert recorder.resets == []


async def test_a_stream_closed_before_subscribing_ends(hub: Hub, stream: Stream) -> None:
    await complete_stream_async(stream)
    recorder = RecordingSubscriber(stream.epoch)
    hub.subscribe(stream, recorder)  # the row as it was before
    await recorder.until(lambda: recorder.has_ended)
    assert recorder.seen == [1]


@pytest.mark.parametrize(("epoch", "cursor"), [("another", 2), (None, 900)], ids=["epoch", "cursor"])
async def test_an_invalid_cursor_is_reset_and_all_events_are_delivered(
    hub: Hub, closed_stream: Stream, epoch: str | None, cursor: int
) -> None:
    recorder = RecordingSubscriber(epoch or closed_stream.epoch, cursor)
    hub.subscribe(closed_stream, recorder)
    await recorder.until(lambda: recorder.has_ended)
    assert [page.last_seq for page in recorder.resets] == [4]
    assert recorder.seen == [1, 2, 3, 4]


@pytest.mark.parametrize("cursor", [0, 2])
async def test_a_subscriber_of_a_pruned_log_is_reset_once_and_ended(
    hub: Hub, closed_stream: Stream, cursor: int
) -> None:
    await run_in_thread(prune_streams)(timezone.now())
    recorder = RecordingSubscriber(closed_stream.epoch, cursor)
    hub.subscribe(closed_stream, recorder)  # the row as it was before
    await recorder.until(lambda: recorder.has_ended)
    assert [(page.last_seq, page.is_closed) for page in recorder.resets] == [(0, True)]
    assert recorder.epoch != closed_stream.epoch
    assert recorder.seen == []


async def test_a_new_subscriber_of_a_pruned_log_is_reset(hub: Hub, closed_stream: Stream) -> None:
    await run_in_thread(prune_streams)(timezone.now())
    pruned = await run_in_thread(Stream.objects.get)(pk=closed_stream.pk)
    recorder = RecordingSubscriber(pruned.epoch)
    hub.subscribe(pruned, recorder)
    await recorder.until(lambda: recorder.has_ended)
    assert len(recorder.resets) == 1


async def test_subscribers_of_a_deleted_stream_fail(hub: Hub, stream: Stream, quick_sweep: None) -> None:
    recorder = RecordingSubscriber(stream.epoch)
    await subscribe(hub, stream, recorder)
    await run_in_thread(Stream.objects.filter(pk=stream.pk).delete)()
    await recorder.until(lambda: recorder.error)
    assert isinstance(recorder.error, Stream.DoesNotExist)


async def test_a_blocked_subscriber_does_not_delay_others(hub: Hub, stream: Stream, owner: AbstractUser) -> None:
    other = await run_in_thread(open_stream)(owner)
    blocked, healthy, other_subscriber = (
        RecordingSubscriber(stream.epoch, is_slow=True),
        RecordingSubscriber(stream.epoch),
        RecordingSubscriber(other.epoch),
    )
    await subscribe(hub, stream, blocked, healthy)
    await subscribe(hub, other, other_subscriber)
    for number in range(1, 4):
        await append_numbered_events_async(stream, number)
        await append_numbered_events_async(other, number)
        await healthy.has_seen(number)
        await other_subscriber.has_seen(number)
    ticks = blocked.ticks
    await until(lambda: blocked.ticks > ticks)
    joiner = RecordingSubscriber(stream.epoch)
    hub.subscribe(stream, joiner)
    await joiner.has_seen(3)
    assert blocked.seen == []


async def test_a_slow_subscriber_catches_up(hub: Hub, stream: Stream) -> None:
    slow, quick = RecordingSubscriber(stream.epoch, is_slow=True), RecordingSubscriber(stream.epoch)
    await subscribe(hub, stream, slow, quick)
    for number in range(1, 31):
        await append_numbered_events_async(stream, number)
        await quick.has_seen(number)
    slow.gate.set()
    await slow.has_seen(30)
    assert slow.seen == list(range(1, 31))


async def test_subscribing_again_restarts_from_the_cursor(hub: Hub, stream: Stream) -> None:
    await append_numbered_events_async(stream, 1, 2, 3)
    recorder = RecordingSubscriber(stream.epoch)
    hub.subscribe(stream, recorder)
    await recorder.has_seen(3)
    recorder.cursor, recorder.seen = 1, []
    hub.subscribe(stream, recorder)
    await recorder.has_seen(3)
    await append_numbered_events_async(stream, 4)
    await recorder.has_seen(4)
    assert recorder.seen == [2, 3, 4]


async def test_the_last_unsubscribe_leaves_the_group_and_ends_the_tasks(hub: Hub, stream: Stream) -> None:
    before = asyncio.all_tasks()
    first, second = RecordingSubscriber(stream.epoch), RecordingSubscriber(stream.epoch)
    await subscribe(hub, stream, first, second)
    groups = get_channel_layer().groups
    assert STREAM_NOTIFICATIONS_GROUP in groups
    await hub.unsubscribe(stream.pk, first)
    await append_numbered_events_async(stream, 1)
    await second.has_seen(1)
    assert first.seen == []
    await hub.unsubscribe(stream.pk, second)
    assert STREAM_NOTIFICATIONS_GROUP not in groups
    assert hub.topics == {}
    await until(lambda: asyncio.all_tasks() <= before)


async def test_the_hub_restarts_for_a_new_subscriber(hub: Hub, stream: Stream) -> None:
    for number in (1, 2, 3):
        recorder = RecordingSubscriber(stream.epoch, number - 1)
        hub.subscribe(stream, recorder)
        await append_numbered_events_async(stream, number)
        await recorder.has_seen(number)
        await hub.unsubscribe(stream.pk, recorder)


async def test_unsubscribing_twice_has_no_effect(hub: Hub, stream: Stream) -> None:
    recorder = RecordingSubscriber(stream.epoch)
    await hub.unsubscribe(stream.pk, recorder)
    hub.subscribe(stream, recorder)
    for _ in range(2):
        await hub.unsubscribe(stream.pk, recorder)


async def test_subscribers_wait_while_the_database_is_unavailable(
    hub: Hub, stream: Stream, quick_sweep: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, failures = log_reader.read_pages, 0
    recorder = RecordingSubscriber(stream.epoch)
    await subscribe(hub, stream, recorder)

    def fail(*_args: Any) -> list[SerializedPage | None]:
        nonlocal failures
        failures += 1
        raise OperationalError("the database is unavailable")

    monkeypatch.setattr(log_reader, "read_pages", fail)
    newcomer = RecordingSubscriber(stream.epoch)
    await append_numbered_events_async(stream, 1, 2)
    fresh = await run_in_thread(Stream.objects.get)(pk=stream.pk)
    hub.subscribe(fresh, newcomer)
    await until(lambda: failures > 3)
    monkeypatch.setattr(log_reader, "read_pages", real)
    for subscriber in (recorder, newcomer):
        await subscriber.has_seen(2)
        assert subscriber.error is None


async def test_the_sweep_delivers_without_a_channel_layer_and_joins_later(
    hub: Hub, stream: Stream, quick_sweep: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer = get_channel_layer()

    async def refuse(*_args: Any) -> None:
        raise ConnectionError("no Redis")

    with monkeypatch.context() as away:
        for call in ("new_channel", "group_add", "group_send"):
            away.setattr(layer, call, refuse)
        recorder = RecordingSubscriber(stream.epoch)
        hub.subscribe(stream, recorder)
        await append_numbered_events_async(stream, 1)
        await recorder.has_seen(1)
        assert not hub.has_joined_group
    await until(lambda: hub.has_joined_group)


async def test_a_hanging_channel_layer_does_not_block_delivery(
    hub: Hub, stream: Stream, quick_sweep: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "LAYER_CALL_TIMEOUT_SECONDS", 0.05)

    async def hang(*_args: Any) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(get_channel_layer(), "group_add", hang)
    recorder = RecordingSubscriber(stream.epoch)
    hub.subscribe(stream, recorder)
    await append_numbered_events_async(stream, 1)
    await recorder.has_seen(1)


async def test_a_slow_channel_is_opened_once(hub: Hub, stream: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    layer, opened = get_channel_layer(), 0
    real = layer.new_channel

    async def slow() -> str:
        nonlocal opened
        opened += 1
        await asyncio.sleep(0.05)
        name: str = await real()
        return name

    monkeypatch.setattr(layer, "new_channel", slow)
    monkeypatch.setattr(hub_module, "SWEEP_INTERVAL_SECONDS", 3600)
    recorder = RecordingSubscriber(stream.epoch)
    await subscribe(hub, stream, recorder)
    await append_numbered_events_async(stream, 1)
    await recorder.has_seen(1)
    assert opened == 1


async def test_a_failing_subscriber_does_not_affect_others(hub: Hub, stream: Stream) -> None:
    class Broken(RecordingSubscriber):
        async def deliver(self, frames: Sequence[str]) -> None:
            raise RuntimeError("a bug")

    broken, healthy = Broken(stream.epoch), RecordingSubscriber(stream.epoch)
    await subscribe(hub, stream, broken, healthy)
    await append_numbered_events_async(stream, 1)
    await healthy.has_seen(1)
    await broken.until(lambda: broken.error)


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)


@given(st.lists(st.tuples(st.just("result"), st.dictionaries(texts, texts, max_size=3)), max_size=60))
def test_frames_contain_the_entries_in_order(events: list[tuple[str, dict[str, str]]]) -> None:
    entries = [(seq, kind, data) for seq, (kind, data) in enumerate(events, 1)]
    assert unpack_entries(list(encode_frames(entries))) == [list(entry) for entry in entries]


def test_frames_split_before_60_kib() -> None:
    entries = [(seq, "result", {"mentioned": ["山岚" * 150] * 10}) for seq in range(1, 201)]
    frames = list(encode_frames(entries))
    assert unpack_entries(frames) == [list(entry) for entry in entries]
    assert len(frames) > 1
    assert max(len(frame.encode()) for frame in frames) <= MAX_FRAME_BYTES + len('{"type":"events","e":[]}')


def test_an_event_larger_than_a_frame_has_its_own_frame() -> None:
    entries = [(1, "a", {}), (2, "b", {"text": "x" * MAX_FRAME_BYTES}), (3, "c", {})]
    assert [len(json.loads(frame)["e"]) for frame in encode_frames(entries)] == [1, 1, 1]


def unpack_entries(frames: list[str]) -> list[Any]:
    return [entry for frame in frames for entry in json.loads(frame)["e"]]


async def test_delivered_frames_equal_the_log(hub: Hub, stream: Stream) -> None:
    frames_seen: list[str] = []

    class FrameRecorder(RecordingSubscriber):
        async def deliver(self, frames: Sequence[str]) -> None:
            frames_seen.extend(frames)
            await super().deliver(frames)

    await append_numbered_events_async(stream, 1, 2)
    recorder = FrameRecorder(stream.epoch)
    hub.subscribe(stream, recorder)
    await recorder.has_seen(2)
    page = await run_in_thread(read_log)(stream.pk, 0)
    assert unpack_entries(frames_seen) == [list(entry) for entry in page.entries]
