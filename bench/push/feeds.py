"""What brings events to a server: the log with its wake-ups to ours, lines or Channels' layer to the others."""

import json
import socket
import time
import uuid
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import msgpack
import psycopg
import redis

PADDING = "x" * 140  # so that a frame of one event has about 200 bytes


class Feed(Protocol):
    """Brings each of the client's sockets its events in turn."""

    @property
    def targets(self) -> Sequence[tuple[str, str]]:
        """A path and a first frame each."""

    def send(self, events: int) -> int:
        """Bring so many more, each socket one after another; returns how many it were."""

    def close(self) -> None:
        """Let go of connections."""


class LogFeed:
    """Streams whose log is written beforehand and revealed by their heads: a transaction and a wake-up for many.

    So the events come from the log through the same query as ever, and the database is busy with reading.
    """

    def __init__(self, address: str, redis_url: str, token: str, *, sockets: int, events: int) -> None:
        """events: how many are written beforehand for each socket."""
        self._connection = psycopg.connect(address, autocommit=True)
        self._redis = redis.Redis.from_url(redis_url)
        self._events = events
        self._streams = [uuid.uuid4() for _ in range(sockets)]
        self._next, self._published = 0, 0
        hello = json.dumps({"type": "hello", "v": 1, "token": token, "after": 0, "epoch": None})
        self.targets = [(f"/ws/diagnosis/{stream}/", hello) for stream in self._streams]
        self._write(events)

    def _write(self, events: int) -> None:
        # The check of the foreign key costs more than the row; whose load this is does not matter to it.
        self._connection.execute("SET session_replication_role = replica")
        self._connection.execute(
            "INSERT INTO progress_stream (id, owner_id, epoch, last_seq, is_closed, request_id, created_at)"
            " SELECT id, (SELECT max(id) FROM diagsite_user), 'bench', 0, false, '', now() FROM unnest(%s) AS new (id)",
            [self._streams],
        )
        self._connection.execute(
            "INSERT INTO progress_event (stream_id, seq, kind, data, created_at)"
            " SELECT id, n, 'progress', jsonb_build_object('n', n, 'pad', %s::text), now()"
            " FROM generate_series(1, %s) AS n, unnest(%s) AS new (id)",
            [PADDING, events, self._streams],
        )
        self._connection.execute("ANALYZE progress_stream, progress_event")

    def send(self, events: int) -> int:
        """Reveal one each of so many streams; fewer when all has been revealed."""
        events = min(events, self._events * len(self._streams) - self._published)
        for some in _round_robin(self._streams, self._next, events):
            self.publish(some, 1)
        self._next = (self._next + events) % len(self._streams)
        self._published += events
        return events

    def publish(self, streams: Sequence[uuid.UUID], events: int) -> None:
        """Reveal so many events of each stream, in one transaction, and wake."""
        self._connection.execute(
            "UPDATE progress_stream SET last_seq = last_seq + %s WHERE id = ANY(%s)", [events, list(streams)]
        )
        message = {"type": "wake", "streams": [stream.bytes for stream in streams]}
        self._redis.publish("asgi__group__progress.wake_ups", msgpack.packb(message, use_bin_type=True))

    @property
    def streams(self) -> Sequence[uuid.UUID]:
        """All of them."""
        return self._streams

    def close(self) -> None:
        """Let go of connections, and of the rows."""
        self._connection.execute("DELETE FROM progress_event WHERE stream_id = ANY(%s)", [self._streams])
        self._connection.close()
        self._redis.close()


class PayloadFeed:
    """The same frames, ready made, for servers that have no log. Subclasses say how they get there."""

    def __init__(self, targets: Sequence[tuple[str, str]]) -> None:
        self.targets = targets
        self._published = 0

    def send(self, events: int) -> int:
        """Bring so many more."""
        count = len(self.targets)
        self._deliver_payloads(
            [(number % count, number // count + 1) for number in range(self._published, self._published + events)]
        )
        self._published += events
        return events

    def _deliver_payloads(self, some: list[tuple[int, int]]) -> None:
        raise NotImplementedError

    def close(self) -> None:
        """Nothing to let go of."""


def build_payload(n: int) -> str:
    """An `events` frame of one event, as ours sends it."""
    return f'{{"type":"events","e":[[{n},"progress",{{"n":{n},"pad":"{PADDING}"}}]]}}'


class LineFeed(PayloadFeed):
    """Lines over TCP."""

    def __init__(self, port: int, targets: Sequence[tuple[str, str]]) -> None:
        super().__init__(targets)
        self._connection = socket.create_connection(("127.0.0.1", port))

    def _deliver_payloads(self, some: list[tuple[int, int]]) -> None:
        self._connection.sendall("".join(f"{index}\t{build_payload(n)}\n" for index, n in some).encode())

    def close(self) -> None:
        """Hang up."""
        self._connection.close()


class LayerFeed(PayloadFeed):
    """Channels' pub/sub layer, with the bytes that its `group_send` publishes."""

    def __init__(self, redis_url: str, targets: Sequence[tuple[str, str]]) -> None:
        super().__init__(targets)
        self._redis = redis.Redis.from_url(redis_url)

    def _deliver_payloads(self, some: list[tuple[int, int]]) -> None:
        pipeline: Any = self._redis.pipeline(transaction=False)
        for index, n in some:
            message = msgpack.packb({"type": "event", "text": build_payload(n)}, use_bin_type=True)
            pipeline.publish(f"asgi__group__stream.{index}", message)
        pipeline.execute()

    def close(self) -> None:
        """Hang up."""
        self._redis.close()


def _round_robin(streams: Sequence[uuid.UUID], first: int, events: int) -> Iterator[Sequence[uuid.UUID]]:
    """So many of the streams, round and round from the first, in runs that hold none twice."""
    while events > 0:
        some = streams[first : first + events]
        yield some
        events -= len(some)
        first = 0


def feed_closed_loop(feed: Feed, get_arrived: Any, seconds: float, *, in_flight: int) -> None:
    """Keep so many events on their way for so long: a closed loop, which finds what is sustained by itself."""
    limit, sent, before = time.monotonic() + seconds, 0, get_arrived()
    while time.monotonic() < limit:
        room = in_flight - (sent - (get_arrived() - before))
        if room >= in_flight // 20:
            sent += feed.send(min(room, in_flight // 4))
        else:
            time.sleep(0.0005)
