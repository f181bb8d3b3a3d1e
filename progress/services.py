"""Create, write, read and prune streams. Writers call these inside their own transaction."""

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from django.contrib.auth.models import AbstractBaseUser
from django.db import connection, transaction

from progress.events import EventKind
from progress.exceptions import StreamClosed
from progress.models import Event, Stream, new_epoch
from progress.publisher import notify_subscribers_after_commit

MAX_EVENTS_PER_PAGE = 200
MAX_BYTES_PER_PAGE = 16 * 1024  # each socket may hold a page until its peer has read it
MAX_SEQ = 2**31 - 1

# One round trip. The lock on the stream's row is held until commit, so `seq` has no gaps.
_APPEND = """
WITH head AS (
    UPDATE progress_stream
    SET last_seq = last_seq + %s, is_closed = %s, closed_at = CASE WHEN %s THEN clock_timestamp() END
    WHERE id = %s AND NOT is_closed
    RETURNING id, last_seq
), entries AS (
    INSERT INTO progress_event (stream_id, seq, kind, data, created_at)
    SELECT head.id, head.last_seq - count(*) OVER () + place, kind, data, clock_timestamp()
    FROM head, unnest(%s::text[], %s::jsonb[]) WITH ORDINALITY AS new (kind, data, place)
)
SELECT last_seq FROM head
"""
# One snapshot of the head and of the events up to it.
_READ = """
SELECT place, stream.epoch, stream.last_seq, stream.is_closed, event.seq, event.kind, event.data
FROM unnest(%s::uuid[], %s::bigint[]) WITH ORDINALITY AS wanted (id, after, place)
JOIN progress_stream AS stream ON stream.id = wanted.id
LEFT JOIN LATERAL (
    SELECT seq, kind, data, sum(octet_length(data)) OVER (ORDER BY seq) - octet_length(data) AS bytes_before
    FROM (
        SELECT seq, kind, data::text FROM progress_event
        WHERE stream_id = stream.id AND seq > wanted.after AND seq <= stream.last_seq ORDER BY seq LIMIT %s
    ) AS next
) AS event ON event.bytes_before < %s
ORDER BY place, event.seq
"""

EventEntry = tuple[int, str, dict[str, Any]]  # seq, kind, data


@dataclass(frozen=True)
class LogPage:
    """The log after a cursor: entries in order without gaps, and the end of the log.

    At most MAX_EVENTS_PER_PAGE entries; none after those that reach MAX_BYTES_PER_PAGE.
    """

    epoch: str
    last_seq: int
    is_closed: bool
    entries: list[EventEntry]


def open_stream(owner: AbstractBaseUser, *, request_id: str = "") -> Stream:
    """Create an empty stream that its owner and staff may follow."""
    return Stream.objects.create(owner_id=owner.pk, request_id=request_id)


def get_or_create_staff_stream(stream_id: uuid.UUID) -> Stream:
    """Return the stream with this id, created without owner if missing, so that only staff may follow it."""
    return Stream.objects.get_or_create(pk=stream_id)[0]


def append_events(stream_id: uuid.UUID, events: Sequence[tuple[EventKind, Mapping[str, object]]]) -> int:
    """Append (kind, data) events and return the last seq. Inside a transaction only.

    The stream's row is locked until commit, so `seq` has no gaps and its order is the order of commits.
    Raises StreamClosed if the stream is closed.
    """
    return _append(stream_id, events, is_last=False)


def close_stream(stream_id: uuid.UUID, kind: EventKind, data: Mapping[str, object]) -> int:
    """Append the last event of a stream and close it. Raises StreamClosed if it is closed already."""
    return _append(stream_id, [(kind, data)], is_last=True)


def _append(stream_id: uuid.UUID, events: Sequence[tuple[EventKind, Mapping[str, object]]], *, is_last: bool) -> int:
    if not transaction.get_connection().in_atomic_block:
        raise transaction.TransactionManagementError("events must be appended in the transaction of their change")
    kinds = [kind for kind, _ in events]
    payloads = [json.dumps(data, ensure_ascii=False) for _, data in events]
    with connection.cursor() as cursor:
        cursor.execute(_APPEND, [len(events), is_last, is_last, stream_id, kinds, payloads])
        row = cursor.fetchone()
    if row is None:
        raise StreamClosed(stream=str(stream_id))
    notify_subscribers_after_commit(stream_id)
    last: int = row[0]
    return last


def read_log(stream_id: uuid.UUID, after: int, max_events: int = MAX_EVENTS_PER_PAGE) -> LogPage:
    """Return the entries with seq > after. Raises Stream.DoesNotExist."""
    page = read_logs([(stream_id, after)], max_events)[0]
    if page is None:
        raise Stream.DoesNotExist
    return page


def read_logs(cursors: Sequence[tuple[uuid.UUID, int]], max_events: int = MAX_EVENTS_PER_PAGE) -> list[LogPage | None]:
    """Return the entries with seq > after for each (stream, after), in one query; None for a missing stream."""
    pages: list[LogPage | None] = [None] * len(cursors)
    with connection.cursor() as cursor:
        cursor.execute(
            _READ,
            [
                [stream_id for stream_id, _ in cursors],
                [min(after, MAX_SEQ) for _, after in cursors],
                max_events,
                MAX_BYTES_PER_PAGE,
            ],
        )
        for position, epoch, last, is_closed, seq, kind, data in cursor.fetchall():
            page = pages[position - 1]
            if page is None:
                page = pages[position - 1] = LogPage(epoch, last, is_closed, [])
            if seq is not None:
                page.entries.append((seq, kind, orjson.loads(data)))
    return pages


def get_stream_heads(stream_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, tuple[str, int]]:
    """Return {stream: (epoch, last seq)} in one query."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, epoch, last_seq FROM progress_stream WHERE id = ANY(%s)", [list(stream_ids)])
        return {pk: (epoch, last) for pk, epoch, last in cursor.fetchall()}


def prune_streams(closed_before: datetime, max_streams: int = 1000) -> int:
    """Delete the events of streams closed before a time; return the number of streams. Subscribers get a `reset`."""
    old = Stream.objects.filter(is_closed=True, closed_at__lt=closed_before, last_seq__gt=0).order_by("closed_at")
    return sum(reset_log(pk) for pk in list(old.values_list("pk", flat=True)[:max_streams]))


def reset_log(stream_id: uuid.UUID) -> bool:
    """Delete the events of a stream and start a new epoch; False if there are none.

    Subscribers get a `reset` and must read the current state elsewhere.
    """
    with transaction.atomic():
        # Only one of two concurrent calls starts the new epoch.
        if not Stream.objects.filter(pk=stream_id, last_seq__gt=0).update(epoch=new_epoch(), last_seq=0):
            return False
        Event.objects.filter(stream_id=stream_id).delete()
        notify_subscribers_after_commit(stream_id)
        return True
