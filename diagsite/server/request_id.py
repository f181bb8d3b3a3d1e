"""A request id for every request, from the proxy or new; it is in every log line and every response."""

import re
import uuid
from collections.abc import Awaitable, Callable

import structlog
from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import sync_and_async_middleware

REQUEST_ID_HEADER = "X-Request-ID"
_VALID_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")


def get_or_create_request_id(header: str | None) -> str:
    """Return the id of the header if it is 8 to 64 letters, digits, `.`, `_` or `-`; otherwise a new id."""
    return header if header and _VALID_REQUEST_ID.fullmatch(header) else uuid.uuid4().hex


def _bind_request_id(request: HttpRequest) -> str:
    request_id = get_or_create_request_id(request.headers.get(REQUEST_ID_HEADER))
    request.META["REQUEST_ID"] = request_id
    structlog.contextvars.bind_contextvars(request_id=request_id)
    return request_id


@sync_and_async_middleware
def request_id_middleware(
    get_response: Callable[[HttpRequest], HttpResponse] | Callable[[HttpRequest], Awaitable[HttpResponse]],
) -> Callable[[HttpRequest], HttpResponse | Awaitable[HttpResponse]]:
    """Bind the id to the logs of this request and send it back in the X-Request-ID header."""

    async def asynchronous(request: HttpRequest) -> HttpResponse:
        request_id = _bind_request_id(request)
        response: HttpResponse = await get_response(request)  # type: ignore[misc]
        response[REQUEST_ID_HEADER] = request_id
        return response

    def synchronous(request: HttpRequest) -> HttpResponse:
        request_id = _bind_request_id(request)
        response: HttpResponse = get_response(request)  # type: ignore[assignment]
        response[REQUEST_ID_HEADER] = request_id
        return response

    return asynchronous if iscoroutinefunction(get_response) else synchronous
