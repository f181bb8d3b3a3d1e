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
    for listener in server.listeners:
        listener.addCallback(_close_listener)


def _close_listener(port: Any) -> Any:
    """Close the socket at once, after accepting the connections in the kernel's queue, which would be reset.

    Twisted's stopListening closes it one iteration of the loop later, when new connections may be queued.
    """
    if port.connected:
        port.doRead()
        port.connectionLost(Failure(ConnectionDone()))  # type: ignore[no-untyped-call]
    return port


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
    return [
        details["application_instance"]
        for protocol, details in server.connections.items()
        if isinstance(protocol, WebRequest) and not _is_finished(details)
    ]


def _is_finished(details: dict[str, Any]) -> bool:
    application = details.get("application_instance")
    return application is None or application.done() or "disconnected" in details
