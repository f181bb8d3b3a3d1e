"""Exceptions of the API as problem bodies, recorded as errors."""

from collections.abc import Callable
from typing import Any

import structlog
from django.http import Http404, HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError

from diagsite.api.field_errors import build_field_errors
from diagsite.web.error_pages import build_problem_response
from errors.codes import ErrorCode
from errors.exceptions import AppError, DataFormatError, Forbidden, InvalidInput, Unauthorized
from errors.problems import build_problem_from_exception
from errors.recording import record_problem

log = structlog.get_logger(__name__)

# The site's exceptions for those of ninja.
_CONVERSIONS: dict[type[Exception], Callable[[Any], AppError]] = {
    AuthenticationError: lambda error: Unauthorized(),
    ValidationError: lambda error: InvalidInput(fields=build_field_errors(error.errors)),
    # A failed CSRF check, or a body that is not JSON.
    HttpError: lambda error: Forbidden() if error.status_code == 403 else DataFormatError(),
}


def add_error_handlers(api: NinjaAPI) -> None:
    """Have the API answer every exception with a problem body."""
    # ninja has handlers of its own for some of these, which `Exception` does not replace.
    for kind in (AppError, AuthenticationError, ValidationError, HttpError, Http404, Exception):
        api.exception_handler(kind)(_handle_error)


def _handle_error(request: HttpRequest, error: Exception) -> HttpResponse:
    convert = next((convert for kind, convert in _CONVERSIONS.items() if isinstance(error, kind)), None)
    body = build_problem_from_exception(convert(error) if convert else error)
    if not isinstance(error, AppError) and body["code"] in (ErrorCode.SERVER_ERROR, ErrorCode.UNKNOWN_ERROR):
        log.exception("request_failed", path=request.path)
    body["instance"] = body["instance"] or request.path
    context = {
        "route": request.resolver_match.route if request.resolver_match else "",
        "method": request.method,
        "status": body["status"],
        "fields": list(body.get("fields", ())),
    }
    record_problem(body, error=error, context=context)
    return build_problem_response(body)
