"""Error responses outside of views: problem bodies for the API, error pages for browsers, with the site's messages."""

import json
import math
import sys
from collections.abc import Awaitable, Callable

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.utils.decorators import sync_and_async_middleware

from errors.codes import ActionKind, ErrorCode
from errors.exceptions import get_error_code
from errors.problems import Problem, build_problem, build_problem_from_exception
from errors.recording import record_problem


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 400."""
    return _build_code_response(request, ErrorCode.DATA_FORMAT_ERROR, exception)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 403."""
    return _build_code_response(request, ErrorCode.FORBIDDEN, exception)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer 403 to a form whose CSRF token is missing or expired."""
    return _build_code_response(request, ErrorCode.FORBIDDEN, place="csrf")


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 404."""
    return _build_code_response(request, ErrorCode.DATA_NOT_FOUND, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer an exception that no view caught: a bug, or the database is unavailable."""
    error = sys.exc_info()[1]
    return _build_code_response(request, get_error_code(error) if error else ErrorCode.SERVER_ERROR, error)


@sync_and_async_middleware
def method_not_allowed_middleware(
    get_response: Callable[[HttpRequest], HttpResponse] | Callable[[HttpRequest], Awaitable[HttpResponse]],
) -> Callable[[HttpRequest], HttpResponse | Awaitable[HttpResponse]]:
    """Replace ninja's plain 405 with a problem body."""

    def replace_405(request: HttpRequest, response: HttpResponse) -> HttpResponse:
        if response.status_code != 405 or not request.path.startswith("/api/"):
            return response
        replacement = _build_code_response(request, ErrorCode.DATA_FORMAT_ERROR, place="method", status=405)
        replacement["Allow"] = response["Allow"]
        return replacement

    async def asynchronous(request: HttpRequest) -> HttpResponse:
        return replace_405(request, await get_response(request))  # type: ignore[misc]

    def synchronous(request: HttpRequest) -> HttpResponse:
        return replace_405(request, get_response(request))  # type: ignore[arg-type]

    return asynchronous if iscoroutinefunction(get_response) else synchronous


def build_error_response(request: HttpRequest, error: BaseException, *, place: str = "") -> HttpResponse:
    """Build the response to an exception: a problem body for the API, otherwise an error page."""
    body = build_problem_from_exception(error, instance=request.path)
    return _record_and_respond(request, body, error, place)


def _build_code_response(
    request: HttpRequest, code: ErrorCode, error: BaseException | None = None, *, place: str = "", status: int = 0
) -> HttpResponse:
    body = build_problem(code, instance=request.path, request_id=request.META.get("REQUEST_ID", ""))
    body["status"] = status or body["status"]
    return _record_and_respond(request, body, error, place)


def _record_and_respond(request: HttpRequest, body: Problem, error: BaseException | None, place: str) -> HttpResponse:
    route = request.resolver_match.route if request.resolver_match else ""
    record_problem(body, error=error, place=place, context={"route": route, "method": request.method})
    if request.path.startswith("/api/"):
        return build_problem_response(body)
    home = reverse("pages:start")
    action_urls = {
        ActionKind.RETRY: request.get_full_path() if request.method == "GET" else home,
        ActionKind.OPEN_HISTORY: reverse("pages:history"),
        ActionKind.SIGN_IN: reverse("pages:login"),
        ActionKind.SWITCH_PLATFORM: f"{home}?platforms=healthy",
    }
    address = action_urls.get(body["copy"]["action"]["kind"], home)
    # The page uses neither session nor user, so it works without the database.
    context = {"problem": body, "copy": body["copy"], "address": address}
    return _add_retry_after(render(request, "site/error.html", context, status=body["status"]), body)


def build_problem_response(body: Problem) -> HttpResponse:
    """Build an API response with a problem body."""
    text = json.dumps(body, ensure_ascii=False)
    response = HttpResponse(text, status=body["status"], content_type="application/problem+json")
    patch_vary_headers(response, ["Accept-Language"])
    return _add_retry_after(response, body)


def _add_retry_after(response: HttpResponse, body: Problem) -> HttpResponse:
    if body["retry_after_ms"]:
        response["Retry-After"] = str(math.ceil(body["retry_after_ms"] / 1000))
    return response
