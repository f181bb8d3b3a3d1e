"""The hub: however many follow, one read; whatever goes wrong, every follower gets everything once and in order."""

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
from testing.sockets import RECEIVE_TIMEOUT_SECONDS, append_numbered_events_async, complete_stream_async, run_in_thread

pytestmark = pytest.mark.django_db


class Recorder:
    """A follower that keeps what it is given. A slow one takes a frame only when it is let."""

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
            await self._tell()

    async def reset(self, page: LogPage) -> None:
        self.resets.append(page)
        await self._tell()

    async def end(self) -> None:
        self.has_ended = True
        await self._tell()

    async def fail(self, error: Exception) -> None:
        self.error = error
        await self._tell()

    def on_tick(self) -> None:
        self.ticks += 1

    async def _tell(self) -> None:
        async with self.changed:
            self.changed.notify_all()

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until the condition holds."""
        async with asyncio.timeout(RECEIVE_TIMEOUT_SECONDS), self.changed:
            await self.changed.wait_for(lambda: bool(condition()))

    async def has_seen(self, last: int) -> None:
        """Wait until it has been given the event `last`; all up to it must have come once and in order."""
        await self.until(lambda: self.seen and self.seen[-1] >= last)
        assert self.seen == list(range(self.seen[0], self.seen[0] + len(self.seen)))


async def until(condition: Callable[[], object]) -> None:
    """Wait until the condition holds."""
    async with asyncio.timeout(RECEIVE_TIMEOUT_SECONDS):
        while not condition():
            await asyncio.sleep(0.005)


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    """A hub of the test's own, whose followers are taken off at the end."""
    made = Hub()
    yield made
    for stream_id, topic in list(made.topics.items()):
        for follower in list(topic.subscriptions):
            await made.unsubscribe(stream_id, follower)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The cursors of the hub's reads of the log, as they happen."""
    cursors: list[int] = []
    real = log_reader.read_pages

    def counting(wanted: Sequence[tuple[Any, int]]) -> list[SerializedPage | None]:
        cursors.extend(after for _stream, after in wanted)
        return real(wanted)

    monkeypatch.setattr(log_reader, "read_pages", counting)
    return cursors


@pytest.fixture
def deaf(monkeypatch: pytest.MonkeyPatch) -> None:
    """A channel layer that loses every wake-up."""

    async def lose(*_args: Any) -> None:
        return None

    monkeypatch.setattr(get_channel_layer(), "group_send", lose)


@pytest.fixture
def quick_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "SWEEP_INTERVAL_SECONDS", 0.05)
    monkeypatch.setattr(hub_module, "LAYER_RETRY_SECONDS", 0.02)
    monkeypatch.setattr(topics, "READ_RETRY_SECONDS", 0.02)


async def follow(hub: Hub, stream: Stream, *recorders: Recorder) -> None:
    """Follow, and wait until they stand at the end of the log."""
    for recorder in recorders:
        hub.subscribe(stream, recorder)
    topic = hub.topics[stream.pk]
    await until(lambda: hub.has_joined_group and all(topic.subscriptions[one].task is None for one in recorders))


async def test_a_wake_up_is_one_read_however_many_follow(hub: Hub, stream: Stream, reads: list[int]) -> None:
    recorders = [Recorder(stream.epoch) for _ in range(50)]
    await follow(hub, stream, *recorders)
    assert len(reads) <= 2  # for all that came together
    reads.clear()
    for number in range(1, 6):
        await append_numbered_events_async(stream, number)
        for recorder in recorders:
            await recorder.has_seen(number)
    assert reads == sorted(reads)
    assert len(reads) <= 6  # one per wake-up, and perhaps the one that was under way when the first came


async def test_a_follower_gets_what_was_there_and_what_comes(hub: Hub, stream: Stream) -> None:
    await append_numbered_events_async(stream, 1, 2, 3)
    recorder = Recorder(stream.epoch)
    hub.subscribe(stream, recorder)
    await recorder.has_seen(3)
    await append_numbered_events_async(stream, 4)
    await recorder.has_seen(4)
    assert recorder.seen == [1, 2, 3, 4]


async def test_a_follower_begins_behind_its_cursor(hub: Hub, stream: Stream) -> None:
    await append_numbered_events_async(stream, 1, 2, 3)
    recorder = Recorder(stream.epoch, 2)
    hub.subscribe(stream, recorder)
    await recorder.has_seen(3)
    assert recorder.seen == [3]


async def test_a_long_log_comes_whole(hub: Hub, stream: Stream) -> None:
    await append_numbered_events_async(stream, *range(1, 451))
    fresh = await run_in_thread(Stream.objects.get)(pk=stream.pk)
    for row in (stream, fresh):  # known as empty, and as it is
        recorder = Recorder(stream.epoch)
        hub.subscribe(row, recorder)
        await recorder.has_seen(450)
        assert recorder.seen[0] == 1


async def test_those_that_join_while_events_are_appended_get_each_once_and_in_order(
    hub: Hub, stream: Stream, request: pytest.FixtureRequest
) -> None:
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed of {request.node.name}: {seed}")
    dice = random.Random(seed)
    total, recorders = 150, [Recorder(stream.epoch)]
    hub.subscribe(stream, recorders[0])

    async def write() -> None:
        for first in range(1, total, 3):
            await append_numbered_events_async(stream, first, first + 1, first + 2)
        await complete_stream_async(stream)

    writing = asyncio.create_task(write())
    while not writing.done() and len(recorders) < 40:
        await asyncio.sleep(dice.uniform(0, 0.02))
        joiner = Recorder(stream.epoch, dice.choice([0, *recorders[0].seen]))
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


async def test_a_lost_wake_up_is_found_by_the_sweep(hub: Hub, stream: Stream, deaf: None, quick_sweep: None) -> None:
    recorder = Recorder(stream.epoch)
    await follow(hub, stream, recorder)
    await append_numbered_events_async(stream, 1)
    await recorder.has_seen(1)


@pytest.mark.parametrize("what", ["new_channel", "statistics", "heads"])
async def test_whatever_hangs_a_lost_wake_up_costs_no_more_than_a_while(
    hub: Hub, stream: Stream, deaf: None, quick_sweep: None, monkeypatch: pytest.MonkeyPatch, what: str
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

    if what == "new_channel":
        monkeypatch.setattr(get_channel_layer(), "new_channel", hang)
    else:
        monkeypatch.setattr(
            hub_module,
            *(
                ("_report_connections_async", hang)
                if what == "statistics"
                else ("_get_stream_heads_async", hang_at_first)
            ),
        )
    recorder = Recorder(stream.epoch)
    hub.subscribe(stream, recorder)
    for number in (1, 2, 3):
        await append_numbered_events_async(stream, number)
        await recorder.has_seen(number)
    await until(lambda: hung)


async def test_a_follower_whose_neighbour_failed_in_the_push_is_served_by_the_sweep(
    hub: Hub, stream: Stream, quick_sweep: None
) -> None:
    class Broken(Recorder):
        def deliver(self, frames: Sequence[str]) -> Any:
            raise RuntimeError("a bug of ours")

    broken, other = Broken(stream.epoch), Recorder(stream.epoch)
    await follow(hub, stream, broken, other)
    await append_numbered_events_async(stream, 1)
    await other.has_seen(1)
    await broken.until(lambda: broken.error)


async def test_a_connection_that_cannot_even_be_closed_does_not_end_the_reading(
    hub: Hub, stream: Stream, quick_sweep: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken:
        connection: Any = None

        def close(self) -> None:
            raise OperationalError("it is broken")

    recorder, failures = Recorder(stream.epoch), 0
    await follow(hub, stream, recorder)

    def fail(*_args: Any) -> list[SerializedPage | None]:
        nonlocal failures
        failures += 1
        raise OperationalError("the database is away")

    with monkeypatch.context() as away:
        away.setattr(log_reader, "read_pages", fail)
        away.setattr(log_reader, "connection", Broken())
        await append_numbered_events_async(stream, 1)
        await until(lambda: failures > 2 * log_reader.MAX_CONCURRENT_READS)
    await recorder.has_seen(1)


async def test_streams_that_grow_while_a_wake_up_is_on_its_way_share_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent: list[list[bytes]] = []
    gate = asyncio.Event()

    async def slow(_group: str, message: dict[str, Any]) -> None:
        sent.append(message["streams"])
        await gate.wait()

    monkeypatch.setattr(get_channel_layer(), "group_send", slow)
    streams = [uuid.uuid4() for _ in range(50)]
    sending = [asyncio.create_task(anotify_subscribers(one)) for one in streams for _ in range(2)]
    await until(lambda: sent)
    gate.set()
    await asyncio.gather(*sending)
    assert sent[0] == [streams[0].bytes]
    assert len(sent) == 2
    assert sorted(sent[1]) == sorted(one.bytes for one in streams)


async def test_a_follower_at_the_end_of_a_closed_stream_is_told_so(hub: Hub, closed_stream: Stream) -> None:
    for cursor, seen in ((4, []), (0, [1, 2, 3, 4]), (3, [4])):
        recorder = Recorder(closed_stream.epoch, cursor)
        hub.subscribe(closed_stream, recorder)
        await recorder.until(lambda: recorder.has_ended)  # noqa: B023
        assert recorder.seen == seen
        assert recorder.resets == []


async def test_a_stream_that_closed_unseen_is_found_closed(hub: Hub, stream: Stream) -> None:
    await complete_stream_async(stream)
    recorder = Recorder(stream.epoch)
    hub.subscribe(stream, recorder)  # as it was known before
    await recorder.until(lambda: recorder.has_ended)
    assert recorder.seen == [1]


@pytest.mark.parametrize(("epoch", "cursor"), [("another", 2), (None, 900)], ids=["epoch", "cursor"])
async def test_a_cursor_of_another_life_is_reset_and_everything_comes(
    hub: Hub, closed_stream: Stream, epoch: str | None, cursor: int
) -> None:
    recorder = Recorder(epoch or closed_stream.epoch, cursor)
    hub.subscribe(closed_stream, recorder)
    await recorder.until(lambda: recorder.has_ended)
    assert [page.last_seq for page in recorder.resets] == [4]
    assert recorder.seen == [1, 2, 3, 4]


@pytest.mark.parametrize("cursor", [0, 2])
async def test_a_follower_of_a_log_that_was_pruned_meanwhile_is_reset_once_and_let_go(
    hub: Hub, closed_stream: Stream, cursor: int
) -> None:
    await run_in_thread(prune_streams)(timezone.now())
    recorder = Recorder(closed_stream.epoch, cursor)
    hub.subscribe(closed_stream, recorder)  # as it was known before
    await recorder.until(lambda: recorder.has_ended)
    assert [(page.last_seq, page.is_closed) for page in recorder.resets] == [(0, True)]
    assert recorder.epoch != closed_stream.epoch
    assert recorder.seen == []


async def test_who_comes_to_a_pruned_log_is_told_so_although_it_had_seen_nothing(
    hub: Hub, closed_stream: Stream
) -> None:
    await run_in_thread(prune_streams)(timezone.now())
    pruned = await run_in_thread(Stream.objects.get)(pk=closed_stream.pk)
    recorder = Recorder(pruned.epoch)
    hub.subscribe(pruned, recorder)
    await recorder.until(lambda: recorder.has_ended)
    assert len(recorder.resets) == 1


async def test_followers_of_a_stream_that_is_deleted_are_told(hub: Hub, stream: Stream, quick_sweep: None) -> None:
    recorder = Recorder(stream.epoch)
    await follow(hub, stream, recorder)
    await run_in_thread(Stream.objects.filter(pk=stream.pk).delete)()
    await recorder.until(lambda: recorder.error)
    assert isinstance(recorder.error, Stream.DoesNotExist)


async def test_a_follower_that_takes_nothing_holds_nobody_up(hub: Hub, stream: Stream, owner: AbstractUser) -> None:
    other = await run_in_thread(open_stream)(owner)
    dead, alive, elsewhere = Recorder(stream.epoch, is_slow=True), Recorder(stream.epoch), Recorder(other.epoch)
    await follow(hub, stream, dead, alive)
    await follow(hub, other, elsewhere)
    for number in range(1, 4):
        await append_numbered_events_async(stream, number)
        await append_numbered_events_async(other, number)
        await alive.has_seen(number)
        await elsewhere.has_seen(number)
    ticks = dead.ticks
    await until(lambda: dead.ticks > ticks)
    joiner = Recorder(stream.epoch)
    hub.subscribe(stream, joiner)
    await joiner.has_seen(3)
    assert dead.seen == []


async def test_a_slow_follower_catches_up_by_itself(hub: Hub, stream: Stream) -> None:
    slow, quick = Recorder(stream.epoch, is_slow=True), Recorder(stream.epoch)
    await follow(hub, stream, slow, quick)
    for number in range(1, 31):
        await append_numbered_events_async(stream, number)
        await quick.has_seen(number)
    slow.gate.set()
    await slow.has_seen(30)
    assert slow.seen == list(range(1, 31))


async def test_following_again_begins_again_from_the_cursor(hub: Hub, stream: Stream) -> None:
    await append_numbered_events_async(stream, 1, 2, 3)
    recorder = Recorder(stream.epoch)
    hub.subscribe(stream, recorder)
    await recorder.has_seen(3)
    recorder.cursor, recorder.seen = 1, []
    hub.subscribe(stream, recorder)
    await recorder.has_seen(3)
    await append_numbered_events_async(stream, 4)
    await recorder.has_seen(4)
    assert recorder.seen == [2, 3, 4]


async def test_the_last_to_leave_ends_the_subscription_and_the_tasks(hub: Hub, stream: Stream) -> None:
    before = asyncio.all_tasks()
    first, second = Recorder(stream.epoch), Recorder(stream.epoch)
    await follow(hub, stream, first, second)
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


async def test_after_the_last_has_left_the_next_is_served_as_well(hub: Hub, stream: Stream) -> None:
    for number in (1, 2, 3):
        recorder = Recorder(stream.epoch, number - 1)
        hub.subscribe(stream, recorder)
        await append_numbered_events_async(stream, number)
        await recorder.has_seen(number)
        await hub.unsubscribe(stream.pk, recorder)


async def test_leaving_twice_or_without_having_come_is_nothing(hub: Hub, stream: Stream) -> None:
    recorder = Recorder(stream.epoch)
    await hub.unsubscribe(stream.pk, recorder)
    hub.subscribe(stream, recorder)
    for _ in range(2):
        await hub.unsubscribe(stream.pk, recorder)


async def test_while_the_database_is_away_followers_wait_and_lose_nothing(
    hub: Hub, stream: Stream, quick_sweep: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, failures = log_reader.read_pages, 0
    recorder = Recorder(stream.epoch)
    await follow(hub, stream, recorder)

    def fail(*_args: Any) -> list[SerializedPage | None]:
        nonlocal failures
        failures += 1
        raise OperationalError("the database is away")

    monkeypatch.setattr(log_reader, "read_pages", fail)
    newcomer = Recorder(stream.epoch)
    await append_numbered_events_async(stream, 1, 2)
    fresh = await run_in_thread(Stream.objects.get)(pk=stream.pk)
    hub.subscribe(fresh, newcomer)
    await until(lambda: failures > 3)
    monkeypatch.setattr(log_reader, "read_pages", real)
    for one in (recorder, newcomer):
        await one.has_seen(2)
        assert one.error is None


async def test_without_a_channel_layer_the_sweep_delivers_and_the_subscription_is_made_up_for(
    hub: Hub, stream: Stream, quick_sweep: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer = get_channel_layer()

    async def refuse(*_args: Any) -> None:
        raise ConnectionError("no Redis")

    with monkeypatch.context() as away:
        for call in ("new_channel", "group_add", "group_send"):
            away.setattr(layer, call, refuse)
        recorder = Recorder(stream.epoch)
        hub.subscribe(stream, recorder)
        await append_numbered_events_async(stream, 1)
        await recorder.has_seen(1)
        assert not hub.has_joined_group
    await until(lambda: hub.has_joined_group)


async def test_a_layer_that_hangs_delays_a_newcomer_and_no_more(
    hub: Hub, stream: Stream, quick_sweep: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "LAYER_CALL_TIMEOUT_SECONDS", 0.05)

    async def hang(*_args: Any) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(get_channel_layer(), "group_add", hang)
    recorder = Recorder(stream.epoch)
    hub.subscribe(stream, recorder)
    await append_numbered_events_async(stream, 1)
    await recorder.has_seen(1)


async def test_a_channel_that_takes_its_time_to_open_is_opened_once(
    hub: Hub, stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As over Redis, where the listener and the first follower used to open one each and miss each other."""
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
    recorder = Recorder(stream.epoch)
    await follow(hub, stream, recorder)
    await append_numbered_events_async(stream, 1)
    await recorder.has_seen(1)
    assert opened == 1


async def test_a_follower_that_fails_is_told_and_the_others_go_on(hub: Hub, stream: Stream) -> None:
    class Broken(Recorder):
        async def deliver(self, frames: Sequence[str]) -> None:
            raise RuntimeError("a bug")

    broken, sound = Broken(stream.epoch), Recorder(stream.epoch)
    await follow(hub, stream, broken, sound)
    await append_numbered_events_async(stream, 1)
    await sound.has_seen(1)
    await broken.until(lambda: broken.error)


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)


@given(st.lists(st.tuples(st.just("result"), st.dictionaries(texts, texts, max_size=3)), max_size=60))
def test_frames_hold_the_entries_in_order_and_stay_small(events: list[tuple[str, dict[str, str]]]) -> None:
    entries = [(seq, kind, data) for seq, (kind, data) in enumerate(events, 1)]
    assert _unpacked(list(encode_frames(entries))) == [list(entry) for entry in entries]


def test_frames_split_before_60_kib() -> None:
    entries = [(seq, "result", {"mentioned": ["山岚" * 150] * 10}) for seq in range(1, 201)]
    frames = list(encode_frames(entries))
    assert _unpacked(frames) == [list(entry) for entry in entries]
    assert len(frames) > 1
    assert max(len(frame.encode()) for frame in frames) <= MAX_FRAME_BYTES + len('{"type":"events","e":[]}')


def test_an_event_larger_than_a_frame_travels_alone() -> None:
    entries = [(1, "a", {}), (2, "b", {"text": "x" * MAX_FRAME_BYTES}), (3, "c", {})]
    assert [len(json.loads(frame)["e"]) for frame in encode_frames(entries)] == [1, 1, 1]


def _unpacked(frames: list[str]) -> list[Any]:
    return [entry for frame in frames for entry in json.loads(frame)["e"]]


async def test_what_a_follower_is_given_is_what_the_log_holds(hub: Hub, stream: Stream) -> None:
    kept: list[str] = []

    class Keeper(Recorder):
        async def deliver(self, frames: Sequence[str]) -> None:
            kept.extend(frames)
            await super().deliver(frames)

    await append_numbered_events_async(stream, 1, 2)
    keeper = Keeper(stream.epoch)
    hub.subscribe(stream, keeper)
    await keeper.has_seen(2)
    page = await run_in_thread(read_log)(stream.pk, 0)
    assert _unpacked(kept) == [list(entry) for entry in page.entries]
