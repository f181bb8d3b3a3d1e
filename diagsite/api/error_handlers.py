"""Exceptions of the API as problem bodies, recorded as errors."""

import structlog
from django.http import Http404, HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError

from diagsite.api.field_errors import build_field_errors
from diagsite.web.error_pages import build_problem_response
from errors.codes import ErrorCode
from errors.exceptions import AppError, DataFormatError, Forbidden, InvalidInput, Unauthorized
from errors.problems import Problem, build_problem_from_exception
from errors.recording import record_problem

log = structlog.get_logger(__name__)


def add_error_handlers(api: NinjaAPI) -> None:
    """Have the API answer every exception with a problem body."""
    api.exception_handler(AppError)(_handle_app_error)
    api.exception_handler(AuthenticationError)(_handle_authentication_error)
    api.exception_handler(ValidationError)(_handle_validation_error)
    api.exception_handler(HttpError)(_handle_http_error)
    api.exception_handler(Http404)(_handle_unexpected_error)
    api.exception_handler(Exception)(_handle_unexpected_error)


def _record_and_respond(request: HttpRequest, body: Problem, error: BaseException) -> HttpResponse:
    body["instance"] = body["instance"] or request.path
    route = request.resolver_match.route if request.resolver_match else ""
    context = {
        "route": route,
        "method": request.method,
        "status": body["status"],
        "fields": list(body.get("fields", ())),
    }
    record_problem(body, error=error, context=context)
    return build_problem_response(body)


def _handle_app_error(request: HttpRequest, error: AppError) -> HttpResponse:
    return _record_and_respond(request, build_problem_from_exception(error), error)


def _handle_authentication_error(request: HttpRequest, error: AuthenticationError) -> HttpResponse:
    return _record_and_respond(request, build_problem_from_exception(Unauthorized()), error)


def _handle_validation_error(request: HttpRequest, error: ValidationError) -> HttpResponse:
    return _record_and_respond(
        request, build_problem_from_exception(InvalidInput(fields=build_field_errors(error.errors))), error
    )


def _handle_http_error(request: HttpRequest, error: HttpError) -> HttpResponse:
    """Handle ninja's own errors: a failed CSRF check (403), or a body that is not JSON."""
    return _record_and_respond(
        request, build_problem_from_exception(Forbidden() if error.status_code == 403 else DataFormatError()), error
    )


def _handle_unexpected_error(request: HttpRequest, error: Exception) -> HttpResponse:
    body = build_problem_from_exception(error)
    if body["code"] in (ErrorCode.SERVER_ERROR, ErrorCode.UNKNOWN_ERROR):
        log.exception("request_failed", path=request.path)
    return _record_and_respond(request, body, error)
