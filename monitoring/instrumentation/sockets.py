"""Counts and times every WebSocket by its URL pattern and close code."""

import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

from django.urls import URLPattern

from monitoring.metrics import socket_connections, socket_connections_open, socket_seconds

AsgiMessage = dict[str, Any]
AsgiReceive = Callable[[], Awaitable[AsgiMessage]]
AsgiSend = Callable[[AsgiMessage], Awaitable[None]]

UNMATCHED_ROUTE = "unmatched"  # label of the catch-all route, whose pattern is empty
# A peer may send any code, but a label must have few values: others are counted as "other".
KNOWN_PEER_CLOSE_CODES = {1000, 1001, 1005, 1006, 1009, 1011}
ABNORMAL_CLOSE_CODE = "1006"


def measured_routes(routes: Sequence[URLPattern]) -> list[URLPattern]:
    """Return the same routes, each wrapped in MeasuredSocket."""
    return [
        URLPattern(route.pattern, MeasuredSocket(route.callback, str(route.pattern)), route.default_args, route.name)
        for route in routes
    ]


def iter_socket_routes(application: Any) -> Iterator[tuple[str, Any]]:
    """Yield (route, callback) of the URL router inside an ASGI application."""
    while application is not None and not hasattr(application, "routes"):
        application = getattr(application, "inner", None) or getattr(application, "application", None)
    for route in application.routes if application is not None else ():
        yield str(route.pattern) or UNMATCHED_ROUTE, route.callback


class MeasuredSocket:
    """An ASGI application that counts the connections of another."""

    def __init__(self, application: Callable[..., Any], route: str) -> None:
        self.application = application
        self.route = route or UNMATCHED_ROUTE

    async def __call__(self, scope: Any, receive: AsgiReceive, send: AsgiSend) -> None:
        """Run the application until the socket is closed."""
        started, code = time.perf_counter(), ""

        async def watched_receive() -> AsgiMessage:
            nonlocal code
            message = await receive()
            if message["type"] == "websocket.disconnect":
                peer_code = message.get("code")
                code = code or (str(peer_code) if peer_code in KNOWN_PEER_CLOSE_CODES else "other")
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
