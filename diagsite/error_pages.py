"""What is shown where no page and no API answers: the same words as everywhere, never Django's own."""

import json
import math
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.utils.decorators import sync_and_async_middleware

from errors.codes import ActionKind, ErrorCode
from errors.exceptions import code_of
from errors.problems import Problem, problem, problem_of
from errors.recording import record_problem


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """400"""
    return _tell(request, ErrorCode.DATA_FORMAT_ERROR, exception)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """403"""
    return _tell(request, ErrorCode.FORBIDDEN, exception)


def csrf_failed(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form of a page that is too old, or of somebody else's."""
    return _tell(request, ErrorCode.FORBIDDEN, place="csrf")


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """404"""
    return _tell(request, ErrorCode.DATA_NOT_FOUND, exception)


def failed(request: HttpRequest) -> HttpResponse:
    """Whatever a view did not catch: our bug, or the database away."""
    error = sys.exc_info()[1]
    return _tell(request, code_of(error) if error else ErrorCode.SERVER_ERROR, error)


@sync_and_async_middleware
def wrong_method_middleware(
    get_response: Callable[[HttpRequest], HttpResponse] | Callable[[HttpRequest], Awaitable[HttpResponse]],
) -> Callable[[HttpRequest], HttpResponse | Awaitable[HttpResponse]]:
    """405: the API's framework says it in plain English."""

    def translated(request: HttpRequest, answer: HttpResponse) -> HttpResponse:
        if answer.status_code != 405 or not request.path.startswith("/api/"):
            return answer
        told = _tell(request, ErrorCode.DATA_FORMAT_ERROR, place="method", status=405)
        told["Allow"] = answer["Allow"]
        return told

    async def asynchronous(request: HttpRequest) -> HttpResponse:
        return translated(request, await get_response(request))  # type: ignore[misc]

    def synchronous(request: HttpRequest) -> HttpResponse:
        return translated(request, get_response(request))  # type: ignore[arg-type]

    return asynchronous if iscoroutinefunction(get_response) else synchronous


def tell_error(request: HttpRequest, error: BaseException, *, place: str = "") -> HttpResponse:
    """An exception that means something, on a page or to a program, as the address is."""
    body = problem_of(error, instance=request.path)
    return _respond(request, body, error, place)


def _tell(
    request: HttpRequest, code: ErrorCode, error: BaseException | None = None, *, place: str = "", status: int = 0
) -> HttpResponse:
    body = problem(code, instance=request.path, request_id=request.META.get("REQUEST_ID", ""))
    body["status"] = status or body["status"]
    return _respond(request, body, error, place)


def _respond(request: HttpRequest, body: Problem, error: BaseException | None, place: str) -> HttpResponse:
    route = request.resolver_match.route if request.resolver_match else ""
    record_problem(body, error=error, place=place, context={"route": route, "method": request.method})
    if request.path.startswith("/api/"):
        return problem_response(body)
    # No session, no user: this page must come without the database.
    return _with_wait(render(request, "site/error.html", _context_of(request, body), status=body["status"]), body)


def problem_response(body: Problem) -> HttpResponse:
    """The body as the API sends it."""
    text = json.dumps(body, ensure_ascii=False)
    response = HttpResponse(text, status=body["status"], content_type="application/problem+json")
    patch_vary_headers(response, ["Accept-Language"])
    return _with_wait(response, body)


def _with_wait(response: HttpResponse, body: Problem) -> HttpResponse:
    if body["retry_after_ms"]:
        response["Retry-After"] = str(math.ceil(body["retry_after_ms"] / 1000))
    return response


def _context_of(request: HttpRequest, body: Problem) -> dict[str, Any]:
    home = reverse("pages:start")
    addresses = {
        ActionKind.RETRY: request.get_full_path() if request.method == "GET" else home,
        ActionKind.OPEN_HISTORY: reverse("pages:history"),
        ActionKind.SIGN_IN: reverse("pages:login"),
        ActionKind.SWITCH_PLATFORM: f"{home}?platforms=healthy",
    }
    action = body["copy"]["action"]
    return {"problem": body, "copy": body["copy"], "address": addresses.get(action["kind"], home)}
