"""Requests borrow threads: one each at a time, for as long as it works, and who waits holds none."""

import asyncio
import threading
from typing import Any
from unittest.mock import Mock

import pytest
from asgiref.sync import sync_to_async
from django.db import OperationalError, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.http import HttpRequest, HttpResponse
from django.urls import path
from pytest_django import Settings

from diagsite.server.asgi_handler import MAX_IDLE_THREADS, SiteASGIHandler

SECONDS = 30
_is_in, _may_leave = threading.Semaphore(0), threading.Event()
_waiting: list[asyncio.Event] = []
_connected: list[BaseDatabaseWrapper] = []


def _at_once(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(threading.get_ident()))


def _held(request: HttpRequest) -> HttpResponse:
    _is_in.release()
    _may_leave.wait(SECONDS)
    return _at_once(request)


async def _wait(request: HttpRequest) -> HttpResponse:
    """Does something in a thread, waits, does something more."""
    await sync_to_async(threading.get_ident)()
    waiting = asyncio.Event()
    _waiting.append(waiting)
    await waiting.wait()
    return HttpResponse(await sync_to_async(lambda: "woken")())


def _connect(request: HttpRequest) -> HttpResponse:
    connection.ensure_connection()
    _connected.append(connections["default"])
    return HttpResponse("connected")


async def _fail(request: HttpRequest) -> HttpResponse:
    with pytest.raises(ZeroDivisionError):
        await sync_to_async(lambda: 1 / 0)()
    return HttpResponse("failed")


async def _in_the_loop(request: HttpRequest) -> HttpResponse:
    return HttpResponse("here")


urlpatterns = [
    path("in-the-loop", _in_the_loop),
    path("at-once", _at_once),
    path("held", _held),
    path("waiting", _wait),
    path("connect", _connect),
    path("fail", _fail),
]


@pytest.fixture
def handler(settings: Settings) -> SiteASGIHandler:
    settings.ROOT_URLCONF, settings.MIDDLEWARE = __name__, []
    _may_leave.clear()
    _waiting.clear()
    _connected.clear()
    return SiteASGIHandler()


class _Call:
    """One request, and whether its client has left."""

    def __init__(self, address: str) -> None:
        self.scope = {"type": "http", "method": "GET", "path": address, "headers": [], "query_string": b""}
        self.body = b""
        self.left = asyncio.Event()
        self._is_sent = False

    async def receive(self) -> dict[str, Any]:
        if not self._is_sent:
            self._is_sent = True
            return {"type": "http.request"}
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: dict[str, Any]) -> None:
        self.body += message.get("body", b"")

    async def to(self, handler: SiteASGIHandler) -> bytes:
        await handler(self.scope, self.receive, self.send)
        return self.body


async def _until_held(calls: int) -> None:
    for _ in range(calls):
        assert await asyncio.to_thread(_is_in.acquire, timeout=SECONDS)


async def test_one_after_another_they_use_the_same_threads(handler: SiteASGIHandler) -> None:
    # Not always one: who is answered may be back before the thread that has worked for it.
    assert len({await _Call("/at-once").to(handler) for _ in range(20)}) <= 3


async def test_at_the_same_time_each_has_its_own(handler: SiteASGIHandler) -> None:
    calls = [asyncio.create_task(_Call("/held").to(handler)) for _ in range(4)]
    await _until_held(4)
    _may_leave.set()
    threads = set(await asyncio.gather(*calls))
    assert len(threads) == 4
    assert await _Call("/at-once").to(handler) in threads


async def test_a_thread_whose_client_has_left_is_lent_to_nobody_while_it_works(handler: SiteASGIHandler) -> None:
    call = _Call("/held")
    answering = asyncio.create_task(call.to(handler))
    await _until_held(1)
    answering.cancel()
    await asyncio.wait([answering])
    async with asyncio.timeout(SECONDS):
        assert await _Call("/at-once").to(handler)  # it does not wait for the one that is held
    _may_leave.set()


async def test_no_more_than_a_few_are_kept(handler: SiteASGIHandler) -> None:
    calls = [asyncio.create_task(_Call("/held").to(handler)) for _ in range(MAX_IDLE_THREADS + 3)]
    await _until_held(len(calls))
    _may_leave.set()
    await asyncio.gather(*calls)
    assert len(handler.thread_pool.idle) <= MAX_IDLE_THREADS


async def _until_waiting(calls: int) -> None:
    async with asyncio.timeout(SECONDS):
        while len(_waiting) < calls:
            await asyncio.sleep(0)


async def test_requests_that_wait_hold_no_threads(handler: SiteASGIHandler) -> None:
    before = set(threading.enumerate())
    calls = [asyncio.create_task(_Call("/waiting").to(handler)) for _ in range(3 * MAX_IDLE_THREADS)]
    await _until_waiting(len(calls))
    async with asyncio.timeout(SECONDS):
        while len(set(threading.enumerate()) - before) > MAX_IDLE_THREADS:
            await asyncio.sleep(0)
    for waiting in _waiting:
        waiting.set()
    assert set(await asyncio.gather(*calls)) == {b"woken"}


@pytest.mark.django_db(transaction=True)
async def test_a_thread_keeps_no_connection_to_the_database(handler: SiteASGIHandler) -> None:
    assert await _Call("/connect").to(handler) == b"connected"
    async with asyncio.timeout(SECONDS):
        while _connected[0].connection is not None:
            await asyncio.sleep(0)


async def test_a_connection_that_cannot_be_given_back_stops_no_request(
    handler: SiteASGIHandler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("diagsite.server.asgi_handler.close_old_connections", Mock(side_effect=OperationalError))
    async with asyncio.timeout(SECONDS):
        assert await _Call("/fail").to(handler) == b"failed"


async def test_a_view_that_awaits_needs_a_thread_only_to_close(
    handler: SiteASGIHandler, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.MIDDLEWARE = ["diagsite.server.middleware.CsrfViewMiddleware"]
    handler = SiteASGIHandler()
    lend = Mock(wraps=handler.thread_pool.run_soon)
    monkeypatch.setattr(handler.thread_pool, "run_soon", lend)
    assert await _Call("/in-the-loop").to(handler) == b"here"
    assert lend.call_count == 1


async def test_what_fails_in_a_thread_fails_at_who_asked_for_it(handler: SiteASGIHandler) -> None:
    assert await _Call("/fail").to(handler) == b"failed"
    assert await _Call("/at-once").to(handler)
