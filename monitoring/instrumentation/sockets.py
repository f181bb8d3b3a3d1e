"""Counts and times every WebSocket, by the pattern of its address and the code that it was closed with."""

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from django.urls import URLPattern

from monitoring.metrics import socket_connections, socket_connections_open, socket_seconds

AsgiMessage = dict[str, Any]
AsgiReceive = Callable[[], Awaitable[AsgiMessage]]
AsgiSend = Callable[[AsgiMessage], Awaitable[None]]

UNMATCHED_ROUTE = "unmatched"  # the pattern that takes whatever no other takes is empty
KNOWN_PEER_CLOSE_CODES = {
    1000,
    1001,
    1005,
    1006,
    1009,
    1011,
}  # it may send any number, and a label must have few values
ABNORMAL_CLOSE_CODE = "1006"


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
        self.route = route or UNMATCHED_ROUTE

    async def __call__(self, scope: Any, receive: AsgiReceive, send: AsgiSend) -> None:
        """Run the application until the socket has ended."""
        started, code = time.perf_counter(), ""

        async def watched_receive() -> AsgiMessage:
            nonlocal code
            message = await receive()
            if message["type"] == "websocket.disconnect":
                code = code or _get_peer_code_label(message.get("code"))
            return message

        def watched_send(message: AsgiMessage) -> Awaitable[None]:
            nonlocal code
            if message["type"] == "websocket.close":
                code = code or str(message.get("code") or 1000)
            return send(message)

        socket_connections_open.labels(self.route).inc()
        try:
            await self.application(scope, watched_receive, watched_send)
        except Exception:
            code = "crashed"
            raise
        finally:
            socket_connections_open.labels(self.route).dec()
            socket_connections.labels(self.route, code or ABNORMAL_CLOSE_CODE).inc()
            socket_seconds.labels(self.route).observe(time.perf_counter() - started)


def _get_peer_code_label(code: Any) -> str:
    return str(code) if code in KNOWN_PEER_CLOSE_CODES else "other"
