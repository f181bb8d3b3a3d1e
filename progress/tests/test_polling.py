"""Long polling: events, waiting, permissions."""

import asyncio
import time
from typing import Any

import pytest
from channels.layers import get_channel_layer
from django.contrib.auth.models import AbstractUser
from django.utils import timezone

from errors.exceptions import NotFound
from progress import metrics, polling
from progress.groups import STREAM_NOTIFICATIONS_GROUP
from progress.hub import hub as hub_module
from progress.models import Stream
from progress.polling import poll_stream
from progress.services import LogPage, prune_streams
from progress.statistics import _get_metric_value
from progress.tests.conftest import create_stream_user
from testing.clients.sockets import (
    RECEIVE_TIMEOUT_SECONDS,
    append_numbered_events_async,
    complete_stream_async,
    get_over_http,
    run_in_thread,
)

pytestmark = pytest.mark.django_db

LONG = 25.0


async def wait_for_polls(count: int = 1) -> None:
    """Wait until `count` polls are waiting."""
    async with asyncio.timeout(RECEIVE_TIMEOUT_SECONDS):
        while _get_metric_value(metrics.polls_open) != count:
            await asyncio.sleep(0.005)


def has_no_subscribers(stream: Stream) -> bool:
    return (
        stream.pk not in hub_module.get_hub().topics
        and STREAM_NOTIFICATIONS_GROUP not in get_channel_layer().groups
        and _get_metric_value(metrics.polls_open) == 0
    )


async def test_existing_events_are_returned_at_once(stream: Stream) -> None:
    await append_numbered_events_async(stream, 1, 2)
    answer = await poll_stream(stream, 1, stream.epoch, LONG)
    assert answer == {
        "epoch": stream.epoch,
        "last": 2,
        "closed": False,
        "events": [(2, "progress", {"number": 2})],
    }
    assert has_no_subscribers(stream)


async def test_a_poll_waits_for_the_next_event(stream: Stream) -> None:
    task = asyncio.create_task(poll_stream(stream, 0, "", LONG))
    await wait_for_polls()
    assert not task.done()
    await append_numbered_events_async(stream, 1)
    async with asyncio.timeout(RECEIVE_TIMEOUT_SECONDS):
        answer = await task
    assert [entry[0] for entry in answer["events"]] == [1]
    assert has_no_subscribers(stream)


async def test_all_polls_of_a_stream_are_notified(stream: Stream) -> None:
    tasks = [asyncio.create_task(poll_stream(stream, 0, "", LONG)) for _ in range(10)]
    await wait_for_polls(10)
    await append_numbered_events_async(stream, 1)
    for task in tasks:
        assert (await task)["last"] == 1
    assert has_no_subscribers(stream)


async def test_a_poll_without_events_ends_empty(stream: Stream) -> None:
    started = time.monotonic()
    answer = await poll_stream(stream, 0, stream.epoch, 0.1)
    assert answer == {"epoch": stream.epoch, "last": 0, "closed": False, "events": []}
    assert time.monotonic() - started >= 0.1
    assert has_no_subscribers(stream)


async def test_a_poll_with_zero_wait_returns_at_once(stream: Stream) -> None:
    assert (await poll_stream(stream, 0, "", 0))["events"] == []


async def test_a_poll_ends_by_the_sweep_after_a_lost_notification(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lose(*_args: Any) -> None:
        return None

    monkeypatch.setattr(hub_module, "SWEEP_INTERVAL_SECONDS", 0.05)
    monkeypatch.setattr(get_channel_layer(), "group_send", lose)
    task = asyncio.create_task(poll_stream(stream, 0, "", LONG))
    await wait_for_polls()
    await append_numbered_events_async(stream, 1)
    assert (await task)["last"] == 1


async def test_an_event_between_read_and_wait_is_not_missed(stream: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    real = polling.read_log_async

    async def then_append(stream_id: Any, after: int) -> LogPage:
        page: LogPage = await real(stream_id, after)
        if not page.entries:
            await append_numbered_events_async(stream, 1)
        return page

    monkeypatch.setattr("progress.polling.read_log_async", then_append)
    async with asyncio.timeout(RECEIVE_TIMEOUT_SECONDS):
        assert (await poll_stream(stream, 0, "", LONG))["last"] == 1


async def test_a_long_log_is_returned_in_pages_of_200(stream: Stream) -> None:
    await append_numbered_events_async(stream, *range(450))
    seen: list[int] = []
    while len(seen) < 450:
        answer = await poll_stream(stream, len(seen), stream.epoch, LONG)
        assert answer["last"] == 450
        seen += [entry[0] for entry in answer["events"]]
    assert seen == list(range(1, 451))


async def test_a_closed_stream_is_returned_at_once(closed_stream: Stream) -> None:
    answer = await poll_stream(closed_stream, 4, closed_stream.epoch, LONG)
    assert (answer["closed"], answer["events"]) == (True, [])


async def test_closing_a_stream_ends_waiting_polls(stream: Stream) -> None:
    task = asyncio.create_task(poll_stream(stream, 0, "", LONG))
    await wait_for_polls()
    await complete_stream_async(stream)
    answer = await task
    assert (answer["closed"], [kind for _seq, kind, _data in answer["events"]]) == (True, ["complete"])


@pytest.mark.parametrize(("after", "epoch"), [(3, "another"), (900, ""), (900, None)])
async def test_an_invalid_cursor_is_answered_by_a_reset(closed_stream: Stream, after: int, epoch: str | None) -> None:
    answer = await poll_stream(closed_stream, after, closed_stream.epoch if epoch is None else epoch, LONG)
    assert answer == {"epoch": closed_stream.epoch, "last": 4, "closed": True, "reset": True}


async def test_a_pruned_log_is_a_reset_for_a_used_cursor(closed_stream: Stream) -> None:
    await run_in_thread(prune_streams)(timezone.now())
    answer = await poll_stream(closed_stream, 2, closed_stream.epoch, LONG)
    assert (answer["reset"], answer["last"], answer["closed"]) == (True, 0, True)
    answer = await poll_stream(closed_stream, 0, "", LONG)
    assert (answer["events"], answer["last"], answer["closed"]) == ([], 0, True)


async def test_a_stream_deleted_during_a_poll_is_not_found(stream: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "SWEEP_INTERVAL_SECONDS", 0.05)
    task = asyncio.create_task(poll_stream(stream, 0, "", LONG))
    await wait_for_polls()
    await run_in_thread(Stream.objects.filter(pk=stream.pk).delete)()
    with pytest.raises(NotFound):
        await task
    assert has_no_subscribers(stream)


async def test_a_cancelled_poll_unsubscribes(stream: Stream) -> None:
    task = asyncio.create_task(poll_stream(stream, 0, "", LONG))
    await wait_for_polls()
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert has_no_subscribers(stream)


async def test_the_sweep_ends_a_poll_without_a_channel_layer(stream: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*_args: Any) -> None:
        raise ConnectionError("no Redis")

    monkeypatch.setattr(hub_module, "SWEEP_INTERVAL_SECONDS", 0.05)
    for call in ("new_channel", "group_add", "group_send"):
        monkeypatch.setattr(get_channel_layer(), call, refuse)
    task = asyncio.create_task(poll_stream(stream, 0, "", LONG))
    await wait_for_polls()
    await append_numbered_events_async(stream, 1)
    assert (await task)["last"] == 1


async def get(stream: Stream | str, user: Any = None, **query: Any) -> Any:
    path = stream if isinstance(stream, str) else str(stream.pk)
    return await get_over_http(f"/api/streams/{path}/events", user, **{"wait": 0, **query})


async def test_owner_and_staff_can_poll(stream: Stream, owner: AbstractUser) -> None:
    await append_numbered_events_async(stream, 1)
    for user in (owner, await run_in_thread(create_stream_user)(is_staff=True)):
        answer = await get(stream, user)
        assert (answer.status_code, answer.json()["last"]) == (200, 1)
        assert answer.json()["events"] == [[1, "progress", {"number": 1}]]


async def test_another_user_gets_the_same_as_for_a_missing_stream(stream: Stream) -> None:
    stranger = await run_in_thread(create_stream_user)()
    bodies = []
    for wanted in (stream, Stream(), "not-a-uuid"):
        answer = await get(wanted, stranger)
        assert answer.status_code == 404
        body = answer.json()
        del body["instance"], body["request_id"]
        bodies.append(body)
    assert bodies[0] == bodies[1] == bodies[2]
    assert bodies[0]["code"] == "DATA_NOT_FOUND"


async def test_an_unauthenticated_poll_is_unauthorized(stream: Stream) -> None:
    answer = await get(stream)
    assert (answer.status_code, answer.json()["code"]) == (401, "UNAUTHORIZED")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *[("wait", value) for value in ("26", "-1", "nan", "inf", "long", "1e9")],
        *[("after", value) for value in ("-1", "2147483649", "x", "1.5", "9" * 400)],
        ("epoch", "x" * 17),
    ],
)
async def test_invalid_parameters_are_reported_by_field(
    stream: Stream, owner: AbstractUser, field: str, value: str
) -> None:
    answer = await get(stream, owner, **{field: value})
    assert answer.status_code == 422
    assert list(answer.json()["fields"]) == [field]


async def test_the_largest_cursor_is_answered_by_a_reset(stream: Stream, owner: AbstractUser) -> None:
    answer = await get(stream, owner, after=2**31)
    assert (answer.status_code, answer.json()["reset"]) == (200, True)
