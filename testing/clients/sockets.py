"""An in-process client of the consumers: Channels' communicator with the real log, layer and hub."""

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

from progress.access import Credential
from progress.consumers import UnknownPathConsumer
from progress.models import Stream
from progress.routing import websocket_urlpatterns
from progress.tests.conftest import append_numbered_events, complete_stream

RECEIVE_TIMEOUT_SECONDS = 20.0

websocket_application = CookieMiddleware(
    URLRouter([*websocket_urlpatterns, re_path(r"", UnknownPathConsumer.as_asgi())])
)

P = ParamSpec("P")
T = TypeVar("T")


def run_in_thread(call: Callable[P, T]) -> Callable[P, Awaitable[T]]:
    """Make a function awaitable: it runs in another thread, whose connection is returned to the pool afterwards."""
    wrapped: Callable[P, Awaitable[T]] = database_sync_to_async(call, thread_sensitive=False)
    return wrapped


append_numbered_events_async = run_in_thread(append_numbered_events)
complete_stream_async = run_in_thread(complete_stream)


@run_in_thread
def get_over_http(path: str, user: Any = None, **query: Any) -> Any:
    """Return the response to a GET of this user. Views use the thread's connection."""
    client = Client()
    if user:
        client.force_login(user)
    return client.get(path, query)


# The tokens that `authenticate_test_token` accepts.
_tokens: dict[str, tuple[AbstractUser, datetime]] = {}
_revoked: set[str] = set()


def authenticate_test_token(token: str) -> tuple[AbstractUser, datetime] | None:
    """Authenticate as settings.PROGRESS_AUTHENTICATE."""
    user, expires_at = _tokens.get(token, (None, timezone.now()))
    return (user, expires_at) if user and expires_at > timezone.now() else None


def make_test_token(user: AbstractUser, *, seconds: float = 600) -> str:
    """Create a token that is valid for so long."""
    token = f"token-{len(_tokens)}"
    _tokens[token] = (user, timezone.now() + timedelta(seconds=seconds))
    return token


def revoke_test_token(token: str) -> None:
    """Revoke a token, as sign-out does."""
    _revoked.add(token)


def find_revoked_test_tokens(credentials: Collection[Credential]) -> set[Credential]:
    """Find revoked tokens as settings.PROGRESS_SIGNED_OUT."""
    return {proof for proof in credentials if proof.token in _revoked}


class SocketClient(WebsocketCommunicator):  # type: ignore[misc]
    """One connection. With a `queue_size` it is a slow reader: a send blocks while so many messages wait."""

    def __init__(
        self, stream: Stream | str, *, headers: list[tuple[bytes, bytes]] | None = None, queue_size: int = 0
    ) -> None:
        path = stream if isinstance(stream, str) else f"/ws/diagnosis/{stream.pk}/"
        super().__init__(websocket_application, path, headers=[(b"host", b"testserver"), *(headers or [])])
        self._output_queue: asyncio.Queue[Any] = asyncio.Queue(queue_size)
        self.received_texts: list[str] = []  # every text frame as it came

    async def send_input(self, message: dict[str, Any]) -> None:
        """Send without Channels' override, which would keep every thread's connection until the pool is empty."""
        await ApplicationCommunicator.send_input(self, message)  # type: ignore[no-untyped-call]

    async def receive_output(self, timeout: float = RECEIVE_TIMEOUT_SECONDS) -> dict[str, Any]:
        """Receive without Channels' override, as above."""
        return await ApplicationCommunicator.receive_output(self, timeout)  # type: ignore[no-untyped-call, no-any-return]

    async def __aenter__(self) -> Self:
        is_accepted, _protocol = await self.connect(RECEIVE_TIMEOUT_SECONDS)
        assert is_accepted, "the server must accept, and reject afterwards"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self.future.done():
            await self.disconnect(timeout=RECEIVE_TIMEOUT_SECONDS)

    async def send_frame(self, **frame: Any) -> None:
        """Send a frame."""
        await self.send_json_to(frame)

    async def receive_frame(self) -> dict[str, Any]:
        """Return the next frame; a close is {"type": "close", "code": ...}."""
        message = await self.receive_output(RECEIVE_TIMEOUT_SECONDS)
        if message["type"] == "websocket.close":
            return {"type": "close", "code": message["code"]}
        self.received_texts.append(message["text"])
        frame: dict[str, Any] = json.loads(message["text"])
        return frame

    async def receive_frame_of_type(self, kind: str) -> dict[str, Any]:
        """Return the next frame, which must be of this type; pings before it are answered."""
        while (frame := await self.receive_frame())["type"] != kind:
            assert frame["type"] == "ping", frame
            await self.send_frame(type="pong", nonce=frame["nonce"])
        return frame

    async def send_hello(self, token: str | None, *, after: int = 0, epoch: str | None = None) -> dict[str, Any]:
        """Send a hello, and return the welcome."""
        await self.send_frame(type="hello", v=1, token=token, after=after, epoch=epoch)
        return await self.receive_frame_of_type("welcome")

    async def receive_events(self, last: int) -> list[tuple[int, str]]:
        """Return (seq, kind) of all events up to `last`."""
        entries: list[tuple[int, str]] = []
        while not entries or entries[-1][0] < last:
            entries += [(seq, kind) for seq, kind, _data in (await self.receive_frame_of_type("events"))["e"]]
        return entries

    async def receive_refusal(self) -> tuple[dict[str, Any], int]:
        """Return the problem of the error frame, and the code of the close that follows."""
        problem = (await self.receive_frame_of_type("error"))["problem"]
        return problem, (await self.receive_frame_of_type("close"))["code"]
