"""A client of the consumers, in process: over channels' own communicator, with the real log, layer and hub behind."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Collection
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar

from asgiref.testing import ApplicationCommunicator
from channels.db import database_sync_to_async
from channels.routing import URLRouter
from channels.sessions import CookieMiddleware
from channels.testing import WebsocketCommunicator
from django.contrib.auth.models import AbstractUser
from django.test import Client
from django.urls import re_path
from django.utils import timezone

from progress.access import Proof
from progress.consumers import UnknownPathConsumer
from progress.models import Stream
from progress.routing import websocket_urlpatterns
from progress.tests.conftest import append, close

GENEROUS_SECONDS = 20.0

application = CookieMiddleware(URLRouter([*websocket_urlpatterns, re_path(r"", UnknownPathConsumer.as_asgi())]))

P = ParamSpec("P")
T = TypeVar("T")


def in_thread(call: Callable[P, T]) -> Callable[P, Awaitable[T]]:
    """The same for a coroutine: in another thread, whose connection goes back to the pool afterwards."""
    wrapped: Callable[P, Awaitable[T]] = database_sync_to_async(call, thread_sensitive=False)
    return wrapped


append_async = in_thread(append)
close_async = in_thread(close)


@in_thread
def fetch(path: str, user: Any = None, **query: Any) -> Any:
    """The answer over HTTP to a GET of whoever is signed in to the page. Views use the thread's connection."""
    client = Client()
    if user:
        client.force_login(user)
    return client.get(path, query)


# What PROGRESS_AUTHENTICATE knows in these tests.
_tokens: dict[str, tuple[AbstractUser, datetime]] = {}
_revoked: set[str] = set()


def authenticate(token: str) -> tuple[AbstractUser, datetime] | None:
    """In place of the room above."""
    user, expires_at = _tokens.get(token, (None, timezone.now()))
    return (user, expires_at) if user and expires_at > timezone.now() else None


def token_of(user: AbstractUser, *, seconds: float = 600) -> str:
    """A token that is good for so long."""
    token = f"token-{len(_tokens)}"
    _tokens[token] = (user, timezone.now() + timedelta(seconds=seconds))
    return token


def revoke(token: str) -> None:
    """As at sign-out."""
    _revoked.add(token)


def no_longer_good(proofs: Collection[Proof]) -> set[Proof]:
    """In place of the room above."""
    return {proof for proof in proofs if proof.token in _revoked}


class Socket(WebsocketCommunicator):  # type: ignore[misc]
    """One connection. `room` makes it a slow reader: so many messages may wait for it, then a send blocks."""

    def __init__(
        self, stream: Stream | str, *, headers: list[tuple[bytes, bytes]] | None = None, room: int = 0
    ) -> None:
        path = stream if isinstance(stream, str) else f"/ws/diagnosis/{stream.pk}/"
        super().__init__(application, path, headers=[(b"host", b"testserver"), *(headers or [])])
        self._output_queue: asyncio.Queue[Any] = asyncio.Queue(room)
        self.sent: list[str] = []  # every text frame as it came

    async def send_input(self, message: dict[str, Any]) -> None:
        """Channels' own would keep every thread's connection, until the pool is empty."""
        await ApplicationCommunicator.send_input(self, message)  # type: ignore[no-untyped-call]

    async def receive_output(self, timeout: float = GENEROUS_SECONDS) -> dict[str, Any]:
        """The same."""
        return await ApplicationCommunicator.receive_output(self, timeout)  # type: ignore[no-untyped-call, no-any-return]

    async def __aenter__(self) -> Self:
        is_accepted, _protocol = await self.connect(GENEROUS_SECONDS)
        assert is_accepted, "the server judges after accept, never before"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self.future.done():
            await self.disconnect(timeout=GENEROUS_SECONDS)

    async def say(self, **frame: Any) -> None:
        """Send a frame."""
        await self.send_json_to(frame)

    async def hear(self) -> dict[str, Any]:
        """The next frame, whatever it is; a close is {"type": "close", "code": ...}."""
        message = await self.receive_output(GENEROUS_SECONDS)
        if message["type"] == "websocket.close":
            return {"type": "close", "code": message["code"]}
        self.sent.append(message["text"])
        frame: dict[str, Any] = json.loads(message["text"])
        return frame

    async def hear_of(self, kind: str) -> dict[str, Any]:
        """The next frame of a type; pings before it are answered, others are wrong."""
        while (frame := await self.hear())["type"] != kind:
            assert frame["type"] == "ping", frame
            await self.say(type="pong")
        return frame

    async def hello(self, token: str | None, *, after: int = 0, epoch: str | None = None) -> dict[str, Any]:
        """Say hello, and return the welcome."""
        await self.say(type="hello", v=1, token=token, after=after, epoch=epoch)
        return await self.hear_of("welcome")

    async def events(self, last: int) -> list[tuple[int, str]]:
        """All (seq, kind) up to the event `last`."""
        entries: list[tuple[int, str]] = []
        while not entries or entries[-1][0] < last:
            entries += [(seq, kind) for seq, kind, _data in (await self.hear_of("events"))["e"]]
        return entries

    async def refusal(self) -> tuple[dict[str, Any], int]:
        """The problem of the error frame, and the code of the close that follows it."""
        problem = (await self.hear_of("error"))["problem"]
        return problem, (await self.hear_of("close"))["code"]
