"""The event log: order, no gaps, rollback, pruning."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any, cast

import pytest
from django.contrib.auth.models import AbstractUser
from django.db import connection, transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from progress.events import EventKind
from progress.exceptions import StreamClosed
from progress.models import Event, Stream
from progress.services import (
    MAX_BYTES_PER_PAGE,
    MAX_EVENTS_PER_PAGE,
    append_events,
    close_stream,
    get_stream_heads,
    open_stream,
    prune_streams,
    read_log,
)
from progress.tests.conftest import append_numbered_events, complete_stream

pytestmark = pytest.mark.django_db(transaction=True)

Rows = Callable[[], list[tuple[int, str]]]


@pytest.fixture
def rows(stream: Stream) -> Rows:
    """Return a function that reads a log as (seq, kind)."""
    return lambda: list(stream.events.order_by("seq").values_list("seq", "kind"))


def run_in_threads(count: int, work: Callable[[int], Any]) -> list[Any]:
    """Run `work` in `count` concurrent threads, each with its own connection, and return the results."""
    barrier = threading.Barrier(count)

    def run(number: int) -> Any:
        barrier.wait(timeout=180)
        try:
            return work(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def test_an_event_is_read_as_appended(stream: Stream) -> None:
    data = {"stage": "asking", "text": "山岚 ☕\n", "nested": [1, None, {"a": 0.5}]}
    with transaction.atomic():
        assert append_events(stream.pk, [("progress", data)]) == 1
    page = read_log(stream.pk, 0)
    assert page.entries == [(1, "progress", data)]
    assert (page.last_seq, page.is_closed, page.epoch) == (1, False, stream.epoch)


def test_concurrent_writers_leave_no_gaps_or_duplicates(stream: Stream) -> None:
    writers, rounds = 8, 6
    lasts = run_in_threads(
        writers,
        lambda writer: [append_numbered_events(stream, writer * 100 + n, writer * 100 + 50 + n) for n in range(rounds)],
    )
    entries = [
        entry for after in range(0, 2 * writers * rounds, 50) for entry in read_log(stream.pk, after, 50).entries
    ]
    assert [seq for seq, _kind, _data in entries] == list(range(1, 2 * writers * rounds + 1))
    assert len({last for of_writer in lasts for last in of_writer}) == writers * rounds
    for writer, of_writer in enumerate(lasts):
        assert of_writer == sorted(of_writer), "a writer's own events keep their order"
        numbers = [data["number"] for _seq, _kind, data in entries if data["number"] // 100 == writer]
        assert numbers == [writer * 100 + n + half for n in range(rounds) for half in (0, 50)], "a pair stays a pair"


def test_a_concurrent_reader_never_sees_a_gap(stream: Stream) -> None:
    done = threading.Event()

    def write_or_read(number: int) -> bool:
        if number:
            for n in range(25):
                append_numbered_events(stream, n)
            done.set()
            return True
        cursor, has_ended = 0, False
        while not has_ended or read_log(stream.pk, cursor, 1).entries:
            has_ended = done.is_set()
            page = read_log(stream.pk, cursor)
            assert [entry[0] for entry in page.entries] == list(range(cursor + 1, cursor + 1 + len(page.entries)))
            cursor += len(page.entries)
        return cursor >= 25

    assert all(run_in_threads(3, write_or_read))


def test_rolled_back_events_are_not_in_the_log(stream: Stream, rows: Rows) -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        append_events(stream.pk, [("progress", {})])
        raise RuntimeError
    assert rows() == []
    assert append_numbered_events(stream, 1) == 1, "its number is given to the next"


def test_events_of_a_rolled_back_savepoint_are_not_in_the_log(stream: Stream, rows: Rows) -> None:
    with transaction.atomic():
        append_events(stream.pk, [("progress", {})])
        with pytest.raises(RuntimeError), transaction.atomic():
            append_events(stream.pk, [("error", {}), ("error", {})])
            raise RuntimeError
        append_events(stream.pk, [("result", {})])
    assert rows() == [(1, "progress"), (2, "result")]


def test_a_rolled_back_close_leaves_the_stream_open(stream: Stream) -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        close_stream(stream.pk, "complete", {})
        raise RuntimeError
    assert append_numbered_events(stream, 1) == 1


def test_appending_requires_a_transaction(stream: Stream, rows: Rows) -> None:
    with pytest.raises(transaction.TransactionManagementError):
        append_events(stream.pk, [("progress", {})])
    with pytest.raises(transaction.TransactionManagementError):
        close_stream(stream.pk, "complete", {})
    assert rows() == []


def test_a_closed_stream_rejects_events(closed_stream: Stream, rows: Rows) -> None:
    before = rows()
    with pytest.raises(StreamClosed):
        append_numbered_events(closed_stream, 1)
    with pytest.raises(StreamClosed):
        complete_stream(closed_stream)
    assert rows() == before
    assert before[-1] == (4, "complete")


def test_a_missing_stream_rejects_events(stream: Stream) -> None:
    stream.delete()
    with pytest.raises(StreamClosed), transaction.atomic():
        append_events(Stream().pk, [("progress", {})])


def test_concurrent_closes_append_one_last_event(stream: Stream, rows: Rows) -> None:
    def close_or_append(number: int) -> bool:
        try:
            if number % 2:
                complete_stream(stream)
            else:
                for n in range(5):
                    append_numbered_events(stream, n)
        except StreamClosed:
            return False
        return bool(number % 2)

    assert sum(run_in_threads(8, close_or_append)) == 1
    kinds = [kind for _seq, kind in rows()]
    assert kinds.index("complete") == len(kinds) - 1
    stream.refresh_from_db()
    assert stream.is_closed
    assert stream.closed_at is not None
    assert stream.last_seq == len(kinds)


def test_a_page_has_at_most_200_entries_and_the_last_seq(stream: Stream) -> None:
    append_numbered_events(stream, *range(450))
    pages = [read_log(stream.pk, after) for after in (0, 200, 400, 450)]
    assert [len(page.entries) for page in pages] == [MAX_EVENTS_PER_PAGE, MAX_EVENTS_PER_PAGE, 50, 0]
    assert {page.last_seq for page in pages} == {450}
    assert pages[1].entries[0][0] == 201


def test_a_page_of_large_entries_ends_with_the_one_that_reaches_its_bytes(stream: Stream) -> None:
    size = MAX_BYTES_PER_PAGE // 2 + 1
    with transaction.atomic():
        append_events(stream.pk, [("progress", {"text": "x" * size})] * 5)
    pages = [read_log(stream.pk, after) for after in (0, 2, 4, 5)]
    assert [[seq for seq, *_ in page.entries] for page in pages] == [[1, 2], [3, 4], [5], []]


@pytest.mark.parametrize("after", [4, 5, 1_000_000, 2**31 - 1, 2**31, 2**63])
def test_a_page_after_the_end_is_empty(closed_stream: Stream, after: int) -> None:
    assert read_log(closed_stream.pk, after).entries == []


def test_reading_a_missing_stream_raises(stream: Stream) -> None:
    with pytest.raises(Stream.DoesNotExist):
        read_log(Stream().pk, 0)


def test_stream_heads_use_one_query_and_omit_missing_streams(
    owner: AbstractUser, stream: Stream, django_assert_num_queries: Any
) -> None:
    other = open_stream(owner)
    append_numbered_events(other, 1, 2)
    with django_assert_num_queries(1):
        found = get_stream_heads([stream.pk, other.pk, Stream().pk])
    assert found == {stream.pk: (stream.epoch, 0), other.pk: (other.epoch, 2)}


def test_a_pruned_log_is_empty_and_closed_with_a_new_epoch(closed_stream: Stream) -> None:
    assert prune_streams(timezone.now() + timedelta(seconds=1)) == 1
    page = read_log(closed_stream.pk, 0)
    assert page.epoch != closed_stream.epoch
    assert (page.last_seq, page.is_closed, page.entries) == (0, True, [])
    with pytest.raises(StreamClosed):
        append_numbered_events(closed_stream, 1)


def test_pruning_is_idempotent(closed_stream: Stream) -> None:
    later = timezone.now() + timedelta(seconds=1)
    assert [prune_streams(later), prune_streams(later)] == [1, 0]


def test_concurrent_pruning_starts_one_new_epoch(closed_stream: Stream) -> None:
    assert sum(run_in_threads(4, lambda _number: prune_streams(timezone.now() + timedelta(seconds=1)))) == 1


def test_pruning_keeps_open_and_recently_closed_streams(owner: AbstractUser, closed_stream: Stream) -> None:
    still_open = open_stream(owner)
    append_numbered_events(still_open, 1)
    assert closed_stream.closed_at
    assert prune_streams(closed_stream.closed_at - timedelta(microseconds=1)) == 0
    assert Event.objects.filter(stream__owner_id=owner.pk).count() == 5


def test_pruning_is_limited_and_starts_with_the_oldest(owner: AbstractUser) -> None:
    streams = [open_stream(owner) for _ in range(3)]
    for stream in streams:
        complete_stream(stream)
    assert prune_streams(timezone.now() + timedelta(seconds=1), max_streams=2) == 2
    assert [Stream.objects.get(pk=stream.pk).last_seq for stream in streams] == [0, 0, 1]


Step = tuple[str, int]

actions = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(0, 4)),
        st.tuples(st.just("roll back"), st.integers(0, 4)),
        st.tuples(st.just("close"), st.just(0)),
        st.tuples(st.just("prune"), st.just(0)),
    ),
    max_size=12,
)


@given(steps=actions)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_log_behaves_like_a_list(owner: AbstractUser, steps: list[tuple[str, int]]) -> None:
    stream = open_stream(owner)
    model: list[str] = []
    epochs, is_closed = {stream.epoch}, False
    for action, count in steps:
        try:
            with transaction.atomic():
                if action == "close":
                    close_stream(stream.pk, "complete", {})
                elif action == "prune":
                    prune_streams(timezone.now() + timedelta(seconds=1))
                else:
                    append_events(stream.pk, [(cast(EventKind, action), {})] * count)
                if action == "roll back":
                    raise RuntimeError
        except StreamClosed:
            assert is_closed
            continue
        except RuntimeError:
            assert not is_closed
            continue
        is_pruned = action == "prune" and is_closed
        model = [] if is_pruned else [*model, *(["append"] * count if action == "append" else [])]
        if action == "close":
            model.append("complete")
            is_closed = True
        page = read_log(stream.pk, 0)
        assert [kind for _seq, kind, _data in page.entries] == model
        assert [seq for seq, _kind, _data in page.entries] == list(range(1, len(model) + 1))
        assert (page.last_seq, page.is_closed) == (len(model), is_closed)
        epochs.add(page.epoch)
    assert len(epochs) <= 2
