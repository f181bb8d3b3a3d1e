"""How events reach the servers: the log and its notifications for the site, lines or Channels' layer for others."""

import json
import socket
import time
import uuid
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import msgpack
import psycopg
import redis

PADDING = "x" * 140  # a frame of one event then has about 200 bytes


class Feed(Protocol):
    """Sends events to the client's sockets in turn."""

    @property
    def targets(self) -> Sequence[tuple[str, str]]:
        """Path and first frame of each socket."""

    def send(self, events: int) -> int:
        """Send so many more events, one socket after the other; return how many were left to send."""

    def close(self) -> None:
        """Close connections."""


class LogFeed:
    """Streams whose log is written beforehand and published later: one transaction and one notification for many.

    The site reads the events by its usual query, and the database is not busy with writing.
    """

    def __init__(self, address: str, redis_url: str, token: str, *, sockets: int, events: int) -> None:
        """Write so many events for each of so many sockets."""
        self._connection = psycopg.connect(address, autocommit=True)
        self._redis = redis.Redis.from_url(redis_url)
        self.events = events
        self._streams = [uuid.uuid4() for _ in range(sockets)]
        self._next, self._published = 0, 0
        hello = json.dumps({"type": "hello", "v": 1, "token": token, "after": 0, "epoch": None})
        self.targets = [(f"/ws/diagnosis/{stream}/", hello) for stream in self._streams]
        self._write(events)

    def _write(self, events: int) -> None:
        # Without checks of foreign keys, which cost more than the rows.
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
        """Publish one event of each of so many streams, or as many events as are left; return how many."""
        events = min(events, self.events * len(self._streams) - self._published)
        for streams in _round_robin(self._streams, self._next, events):
            self.publish(streams, 1)
        self._next = (self._next + events) % len(self._streams)
        self._published += events
        return events

    def publish(self, streams: Sequence[uuid.UUID], events: int) -> None:
        """Publish so many events of each stream in one transaction, and notify the server."""
        self._connection.execute(
            "UPDATE progress_stream SET last_seq = last_seq + %s WHERE id = ANY(%s)", [events, list(streams)]
        )
        message = {"type": "wake", "streams": [stream.bytes for stream in streams]}
        self._redis.publish("asgi__group__progress.wake_ups", msgpack.packb(message, use_bin_type=True))

    @property
    def streams(self) -> Sequence[uuid.UUID]:
        """All streams."""
        return self._streams

    def close(self) -> None:
        """Delete the events, and close connections."""
        self._connection.execute("DELETE FROM progress_event WHERE stream_id = ANY(%s)", [self._streams])
        self._connection.close()
        self._redis.close()


class PayloadFeed:
    """The same frames for servers without a log. Subclasses deliver them."""

    def __init__(self, targets: Sequence[tuple[str, str]]) -> None:
        self.targets = targets
        self._published = 0

    def send(self, events: int) -> int:
        """Send so many more."""
        count = len(self.targets)
        self._deliver_payloads(
            [(number % count, number // count + 1) for number in range(self._published, self._published + events)]
        )
        self._published += events
        return events

    def _deliver_payloads(self, payloads: list[tuple[int, int]]) -> None:
        raise NotImplementedError

    def close(self) -> None:
        """Do nothing: there is no connection."""


def build_payload(n: int) -> str:
    """Build an `events` frame of one event as the site sends it."""
    return f'{{"type":"events","e":[[{n},"progress",{{"n":{n},"pad":"{PADDING}"}}]]}}'


class LineFeed(PayloadFeed):
    """Sends lines over TCP."""

    def __init__(self, port: int, targets: Sequence[tuple[str, str]]) -> None:
        super().__init__(targets)
        self._connection = socket.create_connection(("127.0.0.1", port))

    def _deliver_payloads(self, payloads: list[tuple[int, int]]) -> None:
        self._connection.sendall("".join(f"{index}\t{build_payload(n)}\n" for index, n in payloads).encode())

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


class LayerFeed(PayloadFeed):
    """Publishes to Channels' pub/sub layer the bytes that its `group_send` would."""

    def __init__(self, redis_url: str, targets: Sequence[tuple[str, str]]) -> None:
        super().__init__(targets)
        self._redis = redis.Redis.from_url(redis_url)

    def _deliver_payloads(self, payloads: list[tuple[int, int]]) -> None:
        pipeline: Any = self._redis.pipeline(transaction=False)
        for index, n in payloads:
            message = msgpack.packb({"type": "event", "text": build_payload(n)}, use_bin_type=True)
            pipeline.publish(f"asgi__group__stream.{index}", message)
        pipeline.execute()

    def close(self) -> None:
        """Close the connection."""
        self._redis.close()


def _round_robin(streams: Sequence[uuid.UUID], first: int, events: int) -> Iterator[Sequence[uuid.UUID]]:
    """Yield so many streams, starting at `first` and wrapping around, in slices without duplicates."""
    while events > 0:
        part = streams[first : first + events]
        yield part
        events -= len(part)
        first = 0


def feed_closed_loop(feed: Feed, get_arrived: Any, seconds: float, *, in_flight: int) -> None:
    """Keep so many events in flight for so long: a closed loop finds the sustainable rate by itself."""
    limit, sent, before = time.monotonic() + seconds, 0, get_arrived()
    while time.monotonic() < limit:
        free = in_flight - (sent - (get_arrived() - before))
        if free >= in_flight // 20:
            sent += feed.send(min(free, in_flight // 4))
        else:
            time.sleep(0.0005)
