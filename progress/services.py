"""Write to streams and read from them. Writers call these inside their own transaction."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from progress.exceptions import StreamClosed
from progress.models import Event, Stream, new_epoch
from progress.publisher import wake_after_commit

MOST_EVENTS_AT_ONCE = 200

Entry = tuple[int, str, dict[str, Any]]  # seq, kind, data


@dataclass(frozen=True)
class LogPage:
    """The log behind a cursor: at most 200 entries, in order, without gaps, and where the log ends."""

    epoch: str
    last: int
    is_closed: bool
    entries: list[Entry]


def open_stream(owner: AbstractBaseUser, *, request_id: str = "") -> Stream:
    """Make an empty stream that its owner (and staff) may follow."""
    return Stream.objects.create(owner_id=owner.pk, request_id=request_id)


def open_staff_stream(stream_id: uuid.UUID) -> Stream:
    """The stream of that id, made when it is missing: nobody owns it, so that only staff may follow."""
    return Stream.objects.get_or_create(pk=stream_id)[0]


def append_events(stream_id: uuid.UUID, events: Sequence[tuple[str, dict[str, Any]]]) -> int:
    """Append (kind, data) events and return the last seq. Inside a transaction only.

    The stream's row is locked until commit, so `seq` has no gaps and its order is the order of commits.
    Raises StreamClosed after the end.
    """
    return _append(stream_id, events, is_last=False)


def close_stream(stream_id: uuid.UUID, kind: str, data: dict[str, Any]) -> int:
    """Append the last event of a stream and close it; nothing can be appended after."""
    return _append(stream_id, [(kind, data)], is_last=True)


def _append(stream_id: uuid.UUID, events: Sequence[tuple[str, dict[str, Any]]], *, is_last: bool) -> int:
    if not transaction.get_connection().in_atomic_block:
        raise transaction.TransactionManagementError("events are appended in the transaction that they tell of")
    changes: dict[str, Any] = {"last_seq": F("last_seq") + len(events)}
    if is_last:
        changes |= {"is_closed": True, "closed_at": timezone.now()}
    if not Stream.objects.filter(pk=stream_id, is_closed=False).update(**changes):
        raise StreamClosed(stream=str(stream_id))
    last = Stream.objects.values_list("last_seq", flat=True).get(pk=stream_id)
    first = last - len(events) + 1
    Event.objects.bulk_create(
        Event(stream_id=stream_id, seq=first + offset, kind=kind, data=data)
        for offset, (kind, data) in enumerate(events)
    )
    wake_after_commit(stream_id)
    return last


def read_log(stream_id: uuid.UUID, after: int, most: int = MOST_EVENTS_AT_ONCE) -> LogPage:
    """The entries with seq > after. Raises Stream.DoesNotExist when there is no such stream.

    The head is read first: entries committed between the two reads only make `entries` reach beyond `last`,
    so both are cut at the head that was seen.
    """
    head = Stream.objects.values_list("epoch", "last_seq", "is_closed").get(pk=stream_id)
    rows = Event.objects.filter(stream_id=stream_id, seq__gt=after, seq__lte=head[1]).order_by("seq")
    return LogPage(*head, list(rows.values_list("seq", "kind", "data")[:most]))


def heads(stream_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, tuple[str, int]]:
    """{stream: (epoch, last seq)} of many streams in one query."""
    rows = Stream.objects.filter(pk__in=stream_ids).values_list("pk", "epoch", "last_seq")
    return {pk: (epoch, last) for pk, epoch, last in rows}


def prune_streams(closed_before: datetime, most: int = 1000) -> int:
    """Empty the logs of streams that ended before a time; returns how many. Followers get a `reset`."""
    old = Stream.objects.filter(is_closed=True, closed_at__lt=closed_before, last_seq__gt=0).order_by("closed_at")
    return sum(empty_log(pk) for pk in list(old.values_list("pk", flat=True)[:most]))


def empty_log(stream_id: uuid.UUID) -> bool:
    """Empty the log of a stream, open or closed, and begin a new epoch; False when it is empty already.

    Followers get a `reset`: what they missed they must read elsewhere.
    """
    with transaction.atomic():
        # Of two that prune at once, one begins the new epoch.
        if not Stream.objects.filter(pk=stream_id, last_seq__gt=0).update(epoch=new_epoch(), last_seq=0):
            return False
        Event.objects.filter(stream_id=stream_id).delete()
        wake_after_commit(stream_id)
        return True
