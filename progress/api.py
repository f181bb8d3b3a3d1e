"""HTTP routes: long polling of a stream, and connection statistics."""

from typing import Any

from channels.db import database_sync_to_async
from django.http import HttpRequest
from ninja import P, QueryEx, Router

from errors.exceptions import Forbidden, NotFound
from progress.access import find_stream
from progress.polling import poll_stream
from progress.statistics import get_connection_statistics, report_connections

router = Router(tags=["progress"])

# Returns the database connection before the poll waits: there are fewer connections than clients.
_find_stream = database_sync_to_async(find_stream)


@router.get("/streams/{stream}/events", summary="Events behind a cursor, by long polling")
async def get_events(
    request: HttpRequest,
    stream: str,
    after: QueryEx[int, P(ge=0, le=2**31)] = 0,
    epoch: QueryEx[str, P(max_length=16)] = "",
    wait: QueryEx[float, P(ge=0, le=25)] = 20,
) -> dict[str, Any]:
    """Answers as soon as there is an event, or after `wait` seconds without one."""
    visible_stream = await _find_stream(stream, request.auth)  # type: ignore[attr-defined]
    if visible_stream is None:
        raise NotFound
    return await poll_stream(visible_stream, after, epoch, wait)


@router.get("/connections", summary="Open connections by process (staff)")
def get_connections(request: HttpRequest) -> dict[str, Any]:
    """How many sockets and polls are open now, in all and by process, and what they have carried."""
    if not request.auth.is_staff:  # type: ignore[attr-defined]
        raise Forbidden
    report_connections()  # an idle process does not report its connections by itself
    return vars(get_connection_statistics())
