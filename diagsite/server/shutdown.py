"""Graceful shutdown: the server stops listening and answers the requests that it has accepted.

New connections of a proxy are refused before it sends anything, so it may use another server for any method;
docs/operations/manual.md describes restarts.
"""

import asyncio
from typing import Any

import structlog
from daphne.http_protocol import WebRequest
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

log = structlog.get_logger(__name__)

ACCEPT_GRACE_SECONDS = 0.2


async def stop_listening(server: Any) -> None:
    """Close the listening sockets of a daphne server; its connections stay."""

    # Accept the connections in the kernel's queue, which would be reset, and close the socket at once: Twisted's
    # stopListening closes it one iteration of the loop later, when new connections may be queued.
    def close(port: Any) -> Any:
        if port.connected:
            port.doRead()
            port.connectionLost(Failure(ConnectionDone()))  # type: ignore[no-untyped-call]
        return port

    for listener in server.listeners:
        listener.addCallback(close)


async def drain_requests(server: Any, timeout_seconds: float) -> None:
    """Wait until all requests are answered, or for the timeout; remaining long polls can be repeated."""
    # Connections accepted before the socket was closed have not been read yet.
    await asyncio.sleep(ACCEPT_GRACE_SECONDS)
    requests = get_open_requests(server)
    if requests:
        finished, unfinished = await asyncio.wait(requests, timeout=timeout_seconds)
        log.info("requests_finished", answered=len(finished), left=len(unfinished))


def get_open_requests(server: Any) -> "list[asyncio.Future[Any]]":
    """Return the HTTP requests in progress, without sockets and idle connections."""
    applications = [
        details.get("application_instance")
        for protocol, details in server.connections.items()
        if isinstance(protocol, WebRequest) and "disconnected" not in details
    ]
    return [application for application in applications if application is not None and not application.done()]
