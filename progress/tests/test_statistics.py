"""Connection statistics: exact, per process, without dead processes."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import AbstractUser
from django.utils import timezone
from pytest_django import Settings

from progress.models import PushProcess, Stream
from progress.statistics import PROCESS_NAME, PROCESS_STALE_AFTER, ConnectionStatistics, get_connection_statistics
from progress.tests.conftest import create_stream_user, run_in_own_thread
from testing.clients.sockets import SocketClient, append_numbered_events_async, get_over_http, make_test_token

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("authenticated_by_tests")]


def _process(name: str, *, seconds_ago: float = 0, **counts: int) -> None:
    now = timezone.now()
    PushProcess.objects.create(name=name, started_at=now, seen_at=now - timedelta(seconds=seconds_ago), **counts)


@pytest.fixture
def staff(owner: AbstractUser) -> AbstractUser:
    return run_in_own_thread(create_stream_user, is_staff=True)


Numbers = Callable[[], Awaitable[ConnectionStatistics]]


@pytest.fixture
def numbers(staff: AbstractUser) -> Numbers:
    """The statistics that the API returns to staff."""

    async def told() -> ConnectionStatistics:
        answer = await get_over_http("/api/connections", staff)
        assert answer.status_code == 200
        return ConnectionStatistics(**answer.json())

    return told


async def test_connections_frames_and_bytes_are_counted(
    stream: Stream, owner: AbstractUser, numbers: Numbers, settings: Settings
) -> None:
    settings.PING_SECONDS = 600
    before = await numbers()
    said = 0

    async def say(socket: SocketClient, text: str) -> None:
        nonlocal said
        said += len(text.encode())
        await socket.send_to(text)

    async with SocketClient(stream) as first, SocketClient(stream) as second:
        for socket in (first, second):
            await say(socket, f'{{"type":"hello","v":1,"token":"{make_test_token(owner)}"}}')
            await socket.receive_frame_of_type("welcome")
        await append_numbered_events_async(stream, 1)
        for socket in (first, second):
            await socket.receive_events(1)
        await say(second, '{"type":"和平"}')
        await second.receive_refusal()
        during = await numbers()
    after = await numbers()
    heard = [*first.received_texts, *second.received_texts]
    assert during.sockets_open - before.sockets_open == 2, "refused, but not yet gone"
    assert after.sockets_open == before.sockets_open
    assert after.sockets_total - before.sockets_total == 2
    assert after.frames_sent - before.frames_sent == len(heard)
    assert after.bytes_sent - before.bytes_sent == sum(len(text.encode()) for text in heard)
    assert after.bytes_received - before.bytes_received == said


async def test_sockets_without_hello_are_counted(stream: Stream, numbers: Numbers) -> None:
    before = await numbers()
    async with SocketClient(stream), SocketClient("/nowhere/") as lost:
        await lost.receive_refusal()
        during = await numbers()
    assert during.sockets_open - before.sockets_open == 2
    assert (await numbers()).sockets_total - before.sockets_total == 2


async def test_the_answering_process_is_included(numbers: Numbers) -> None:
    assert (await numbers()).by_process == {PROCESS_NAME: 0}


def test_live_processes_are_added() -> None:
    _process("web-1:1", sockets_open=3, polls_open=1, sockets_total=10, frames_sent=5, bytes_sent=50, bytes_received=7)
    _process("web-2:1", sockets_open=4, sockets_total=20, frames_sent=6, bytes_sent=60, bytes_received=8)
    _process(
        "dead:1", seconds_ago=PROCESS_STALE_AFTER.total_seconds() + 1, sockets_open=9, polls_open=9, sockets_total=30
    )
    assert get_connection_statistics() == ConnectionStatistics(
        sockets_open=7,
        polls_open=1,
        sockets_total=60,  # what a process has served stays served
        frames_sent=11,
        bytes_sent=110,
        bytes_received=15,
        by_process={"web-1:1": 3, "web-2:1": 4},
    )


def test_statistics_are_zero_without_processes() -> None:
    PushProcess.objects.all().delete()  # other tests' consumers write their row for good
    assert get_connection_statistics() == ConnectionStatistics(0, 0, 0, 0, 0, 0, {})


async def test_statistics_require_staff(owner: AbstractUser) -> None:
    answer = await get_over_http("/api/connections")
    assert (answer.status_code, answer.json()["code"]) == (401, "UNAUTHORIZED")
    answer = await get_over_http("/api/connections", owner)
    assert (answer.status_code, answer.json()["code"]) == (403, "FORBIDDEN")
