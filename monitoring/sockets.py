"""Counts and times every WebSocket, by the pattern of its address and the code that it was closed with."""

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from django.urls import URLPattern

from monitoring.metrics import socket_seconds, sockets, sockets_open

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

UNMATCHED = "unmatched"  # the pattern that takes whatever no other takes is empty
CODES_OF_A_PEER = {1000, 1001, 1005, 1006, 1009, 1011}  # it may send any number, and a label must have few values
CODE_WITHOUT_CLOSE = "1006"


def measured_routes(routes: Sequence[URLPattern]) -> list[URLPattern]:
    """The same routes, each counted under its pattern."""
    return [
        URLPattern(route.pattern, MeasuredSocket(route.callback, str(route.pattern)), route.default_args, route.name)
        for route in routes
    ]


class MeasuredSocket:
    """An ASGI application around another, that counts what passes through."""

    def __init__(self, application: Callable[..., Any], route: str) -> None:
        self.application = application
        self.route = route or UNMATCHED

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Run the application until the socket has ended."""
        started, code = time.perf_counter(), ""

        async def watched_receive() -> Message:
            nonlocal code
            message = await receive()
            if message["type"] == "websocket.disconnect":
                code = code or _code_of_peer(message.get("code"))
            return message

        def watched_send(message: Message) -> Awaitable[None]:
            nonlocal code
            if message["type"] == "websocket.close":
                code = code or str(message.get("code") or 1000)
            return send(message)

        sockets_open.labels(self.route).inc()
        try:
            await self.application(scope, watched_receive, watched_send)
        except Exception:
            code = "crashed"
            raise
        finally:
            sockets_open.labels(self.route).dec()
            sockets.labels(self.route, code or CODE_WITHOUT_CLOSE).inc()
            socket_seconds.labels(self.route).observe(time.perf_counter() - started)


def _code_of_peer(code: Any) -> str:
    return str(code) if code in CODES_OF_A_PEER else "other"
