"""Requests borrow threads: one each at a time, and one that is still at work is lent to nobody."""

import asyncio
import threading
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.urls import path
from pytest_django import Settings

from diagsite.handler import MOST_IDLE_THREADS, Handler

SECONDS = 30
_is_in, _may_leave = threading.Semaphore(0), threading.Event()


def _at_once(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(threading.get_ident()))


def _held(request: HttpRequest) -> HttpResponse:
    _is_in.release()
    _may_leave.wait(SECONDS)
    return _at_once(request)


urlpatterns = [path("at-once", _at_once), path("held", _held)]


@pytest.fixture
def handler(settings: Settings) -> Handler:
    settings.ROOT_URLCONF, settings.MIDDLEWARE = __name__, []
    _may_leave.clear()
    return Handler()


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

    async def to(self, handler: Handler) -> bytes:
        await handler(self.scope, self.receive, self.send)
        return self.body


async def _until_held(calls: int) -> None:
    for _ in range(calls):
        assert await asyncio.to_thread(_is_in.acquire, timeout=SECONDS)


async def test_one_after_another_they_use_the_same_thread(handler: Handler) -> None:
    assert len({await _Call("/at-once").to(handler) for _ in range(5)}) == 1


async def test_at_the_same_time_each_has_its_own(handler: Handler) -> None:
    calls = [asyncio.create_task(_Call("/held").to(handler)) for _ in range(4)]
    await _until_held(4)
    _may_leave.set()
    threads = set(await asyncio.gather(*calls))
    assert len(threads) == 4
    assert await _Call("/at-once").to(handler) in threads


async def test_a_thread_whose_client_has_left_is_lent_to_nobody_while_it_works(handler: Handler) -> None:
    call = _Call("/held")
    answering = asyncio.create_task(call.to(handler))
    await _until_held(1)
    answering.cancel()
    await asyncio.wait([answering])
    async with asyncio.timeout(SECONDS):
        assert await _Call("/at-once").to(handler)  # it does not wait for the one that is held
    _may_leave.set()


async def test_no_more_than_a_few_are_kept(handler: Handler) -> None:
    calls = [asyncio.create_task(_Call("/held").to(handler)) for _ in range(MOST_IDLE_THREADS + 3)]
    await _until_held(len(calls))
    _may_leave.set()
    await asyncio.gather(*calls)
    assert len(handler._idle) == MOST_IDLE_THREADS
