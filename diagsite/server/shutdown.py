"""The end of a server that loses no request: it stops listening, and leaves when those that it has are answered.

A proxy in front of it is refused from then on, before it has sent anything, so it may ask another server whatever the
method; docs/operations/manual.md says how a restart is done.
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
    """At once, after taking in what the kernel has accepted for us: a closed socket would reset those connections.

    Twisted's own stopListening closes it a turn of the loop later, in which more of them come.
    """
    if port.connected:
        port.doRead()
        port.connectionLost(Failure(ConnectionDone()))  # type: ignore[no-untyped-call]
    return port


async def drain_requests(server: Any, timeout_seconds: float) -> None:
    """Return when every request is answered, or after so long: what is left are long polls, which may be repeated."""
    # What the kernel had accepted for us before the socket was closed is read first.
    await asyncio.sleep(ACCEPT_GRACE_SECONDS)
    requests = get_open_requests(server)
    if requests:
        finished, unfinished = await asyncio.wait(requests, timeout=timeout_seconds)
        log.info("requests_finished", answered=len(finished), left=len(unfinished))


def get_open_requests(server: Any) -> "list[asyncio.Future[Any]]":
    """The HTTP requests that are being answered; sockets and idle connections are none."""
    return [
        details["application_instance"]
        for protocol, details in server.connections.items()
        if isinstance(protocol, WebRequest) and not _is_finished(details)
    ]


def _is_finished(details: dict[str, Any]) -> bool:
    application = details.get("application_instance")
    return application is None or application.done() or "disconnected" in details
