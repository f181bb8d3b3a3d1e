"""HTTP API of streams: long polling, and statistics of the open connections."""

from typing import Any

from channels.db import database_sync_to_async
from django.http import HttpRequest
from ninja import P, QueryEx, Router

from errors.exceptions import Forbidden, NotFound
from progress.access import find_stream
from progress.polling import poll_stream
from progress.statistics import get_connection_statistics, report_connections

router = Router(tags=["progress"])

# Releases the database connection before the poll waits, because there are fewer connections than clients.
_find_stream = database_sync_to_async(find_stream)


@router.get("/streams/{stream}/events", summary="Get the events after a cursor by long polling")
async def get_events(
    request: HttpRequest,
    stream: str,
    after: QueryEx[int, P(ge=0, le=2**31)] = 0,
    epoch: QueryEx[str, P(max_length=16)] = "",
    wait: QueryEx[float, P(ge=0, le=25)] = 20,
) -> dict[str, Any]:
    """Return the events after a cursor as soon as there is one; after `wait` seconds an empty list."""
    visible_stream = await _find_stream(stream, request.auth)  # type: ignore[attr-defined]
    if visible_stream is None:
        raise NotFound
    return await poll_stream(visible_stream, after, epoch, wait)


@router.get("/connections", summary="Get the number of open connections (staff)")
def get_connections(request: HttpRequest) -> dict[str, Any]:
    """Return the open sockets and polls, in total and by process, and their traffic."""
    if not request.auth.is_staff:  # type: ignore[attr-defined]
        raise Forbidden
    report_connections()  # an idle process does not report its connections by itself
    return vars(get_connection_statistics())
