"""Counts and times every request by its URL pattern, never by the URL itself."""

import time
from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import sync_and_async_middleware
from prometheus_client import Counter, Histogram

from monitoring.metrics import http_request_seconds, http_requests

REQUEST_MIDDLEWARE = "monitoring.instrumentation.http.count_requests"
KNOWN_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
STATUS_CLASSES = {n: f"{n}xx" for n in range(1, 6)}
CLIENT_DISCONNECTED = "left"  # the client closed the connection before the response

# There are few URL patterns, and a lookup here costs a tenth of `labels()`.
_labelled_metrics: dict[tuple[str, str, str], tuple[Counter, Histogram]] = {}


def get_route_label(request: HttpRequest) -> str:
    """Return the URL pattern; one label for all static files, and one for all unmatched URLs."""
    match = request.resolver_match
    if match is not None:
        return match.route or "/"
    return "static" if request.path_info.startswith(settings.STATIC_URL) else "unmatched"


def _record_request(request: HttpRequest, status: str, seconds: float) -> None:
    method = request.method if request.method in KNOWN_METHODS else "other"
    key = (get_route_label(request), method, status)
    metrics = _labelled_metrics.get(key)
    if metrics is None:
        metrics = _labelled_metrics[key] = (http_requests.labels(*key), http_request_seconds.labels(*key[:2]))
    metrics[0].inc()
    metrics[1].observe(seconds)


@sync_and_async_middleware
def count_requests(
    get_response: Callable[[HttpRequest], HttpResponse] | Callable[[HttpRequest], Awaitable[HttpResponse]],
) -> Callable[[HttpRequest], HttpResponse | Awaitable[HttpResponse]]:
    """The outermost middleware, so that its times include everything the site does for a request."""

    async def asynchronous(request: HttpRequest) -> HttpResponse:
        started, status = time.perf_counter(), CLIENT_DISCONNECTED
        try:
            response: HttpResponse = await get_response(request)  # type: ignore[misc]
            status = STATUS_CLASSES.get(response.status_code // 100, "5xx")
        finally:
            _record_request(request, status, time.perf_counter() - started)
        return response

    def synchronous(request: HttpRequest) -> HttpResponse:
        started, status = time.perf_counter(), CLIENT_DISCONNECTED
        try:
            response: HttpResponse = get_response(request)  # type: ignore[assignment]
            status = STATUS_CLASSES.get(response.status_code // 100, "5xx")
        finally:
            _record_request(request, status, time.perf_counter() - started)
        return response

    return asynchronous if iscoroutinefunction(get_response) else synchronous


def find_request_counting_error(handler: Any) -> str:
    """Return why the requests to the ASGI application of HTTP are not counted; "" if they are."""
    if not isinstance(handler, ASGIHandler):
        return "HTTP does not go to Django"
    # Responses of a middleware outside the counting one would not be counted.
    is_first = settings.MIDDLEWARE[:1] == [REQUEST_MIDDLEWARE]
    return "" if is_first else f"{REQUEST_MIDDLEWARE} is not the first middleware"
