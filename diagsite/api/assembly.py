"""The HTTP API as a whole: routers of the apps, sign-in, and every failure as one kind of body."""

import asyncio
import hashlib
import json
from collections.abc import Coroutine
from datetime import datetime
from typing import Annotated, Any, Literal

import structlog
from asgiref.sync import sync_to_async
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from ninja import P, QueryEx, Router, Schema, Status
from ninja.errors import AuthenticationError, HttpError, ValidationError
from ninja.security import HttpBearer, SessionAuth
from pydantic import ConfigDict, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from diagnosis.api.corrections import router as corrections_router
from diagnosis.api.diagnoses import router as diagnosis_router
from diagnosis.api.exports import router as export_router
from diagnosis.api.questions import router as questions_router
from diagnosis.api.schedules import router as schedules_router
from diagnosis.api.share_links import router as sharing_router
from diagnosis.api.trends import router as trends_router
from diagsite.accounts import tokens, wechat
from diagsite.accounts.deletion import delete_user_data
from diagsite.api.field_errors import build_field_errors
from diagsite.api.openapi import SiteApi
from diagsite.models import User
from diagsite.notifications.api import router as notifications_router
from diagsite.web.error_pages import build_problem_response
from errors.codes import ErrorCode
from errors.exceptions import AppError, DataFormatError, Forbidden, InvalidInput, Unauthorized
from errors.problems import Problem, build_error_catalogue, build_problem_from_exception, get_current_locale
from errors.recording import record_problem
from progress.api import router as progress_router


class TokenAuth(HttpBearer):
    """`Authorization: Bearer <token>`. A route that is asynchronous gets what it can await."""

    def __init__(self) -> None:
        super().__init__()
        self.is_async = True

    def authenticate(self, request: HttpRequest, token: str) -> User | Coroutine[Any, Any, User | None] | None:
        """The token's user."""
        if _is_in_event_loop():
            return _find_user_async(token)
        return tokens.token_cache.get_cached_user(token) or tokens.token_cache.load_user(token)


def _is_in_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


async def _find_user_async(token: str) -> User | None:
    """Without a thread for a token that was checked a moment ago."""
    return tokens.token_cache.get_cached_user(token) or await sync_to_async(tokens.token_cache.load_user)(token)


class BrowserSessionAuth(SessionAuth):
    """Django's session, for the web page."""

    def __call__(self, request: HttpRequest) -> Any | None:
        """Who gives a token is judged by it alone; who is not signed in hears that, not of a missing CSRF token."""
        if "Authorization" in request.headers or not request.user.is_authenticated:
            return None
        return super().__call__(request)


log = structlog.get_logger(__name__)

api = SiteApi(
    title="Brand diagnosis",
    version="1",
    description="How visible is a brand in the answers of AI platforms? The socket: docs/reference/protocol.md.",
    auth=[TokenAuth(), BrowserSessionAuth()],
    urls_namespace="api",
)
api.add_router("", diagnosis_router)
api.add_router("", corrections_router)
api.add_router("", trends_router)
api.add_router("", schedules_router)
api.add_router("", notifications_router)
api.add_router("", export_router)
api.add_router("", sharing_router)
api.add_router("", questions_router)
api.add_router("", progress_router)

session_router = Router(tags=["session"])

LoginCode = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=256)]
DeviceId = Annotated[str, StringConstraints(strip_whitespace=True, min_length=8, max_length=64, pattern=r"^[\w.-]+$")]


class SignInIn(Schema):
    """One of the two."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                {"required": [one], "properties": {one: {"type": "string"}, other: {"type": "null"}}}
                for one, other in (("code", "device_id"), ("device_id", "code"))
            ]
        }
    )

    code: LoginCode | None = None
    device_id: DeviceId | None = None

    @model_validator(mode="after")
    def _require_exactly_one(self) -> "SignInIn":
        if (self.code is None) == (self.device_id is None):
            raise PydanticCustomError("one_of", "give code or device_id", {"field": "code"})
        return self


class UserOut(Schema):
    """Who is signed in."""

    id: int
    name: str
    is_staff: bool


class SessionOut(Schema):
    """A token; renew it before it expires."""

    token: str
    expires_at: datetime
    user: UserOut


@session_router.post("/session", auth=None, response=SessionOut, summary="Sign in")
def sign_in(request: HttpRequest, body: SignInIn) -> dict[str, Any]:
    """Exchange a `wx.login` code for our token; with DEMO=1 a device id does as well."""
    if body.code is not None:
        user = tokens.get_or_create_wechat_user(wechat.exchange_login_code(body.code))
    elif settings.DEMO and body.device_id is not None:
        user = tokens.get_or_create_device_user(body.device_id)
    else:
        raise Forbidden
    if not user.is_active:
        raise Forbidden
    session = tokens.issue_token(user)
    return {"token": session.token, "expires_at": session.expires_at, "user": _serialize_user(user)}


@session_router.delete("/session", response={204: None}, summary="Sign out")
def sign_out(request: HttpRequest) -> Status[None]:
    """Revoke the token that came with the request."""
    scheme, _space, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        tokens.revoke_token(token.strip())
    return Status(204, None)


class ForgetIn(Schema):
    """The word that says that it is meant."""

    confirm: Literal["DELETE"]


@session_router.delete("/account", response={204: None}, summary="Delete the account and everything of it")
def delete_account(request: HttpRequest, body: ForgetIn) -> Status[None]:
    """At once and for good; what runs is cancelled. Accounts of staff are deleted by an administrator."""
    user: User = request.auth  # type: ignore[attr-defined]
    if user.is_staff:
        raise Forbidden
    delete_user_data(user, verify=False)  # the proof reads every table: `manage.py forget_user` gives it
    return Status(204, None)


def _serialize_user(user: User) -> dict[str, Any]:
    return {"id": user.pk, "name": user.get_full_name() or user.get_username(), "is_staff": user.is_staff}


@session_router.get("/errors", auth=None, tags=["errors"], summary="The words of every error code")
def get_error_catalogue(request: HttpRequest, locale: QueryEx[str, P(max_length=16)] = "") -> Any:
    """For clients that must explain a failure while they cannot reach us."""
    body = json.dumps(build_error_catalogue(locale or get_current_locale()), ensure_ascii=False)
    etag = f'"{hashlib.sha256(body.encode()).hexdigest()[:20]}"'
    headers = {"ETag": etag, "Cache-Control": "public, no-cache", "Vary": "Accept-Language"}
    if etag in request.headers.get("If-None-Match", ""):
        return HttpResponse(status=304, headers=headers)
    return HttpResponse(body, content_type="application/json", headers=headers)


api.add_router("", session_router)


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


@api.exception_handler(AppError)
def _handle_app_error(request: HttpRequest, error: AppError) -> HttpResponse:
    return _record_and_respond(request, build_problem_from_exception(error), error)


@api.exception_handler(AuthenticationError)
def _handle_authentication_error(request: HttpRequest, error: AuthenticationError) -> HttpResponse:
    return _record_and_respond(request, build_problem_from_exception(Unauthorized()), error)


@api.exception_handler(ValidationError)
def _handle_validation_error(request: HttpRequest, error: ValidationError) -> HttpResponse:
    return _record_and_respond(
        request, build_problem_from_exception(InvalidInput(fields=build_field_errors(error.errors))), error
    )


@api.exception_handler(HttpError)
def _handle_http_error(request: HttpRequest, error: HttpError) -> HttpResponse:
    """ninja's own: a body that is not JSON, a failed CSRF check."""
    return _record_and_respond(
        request, build_problem_from_exception(Forbidden() if error.status_code == 403 else DataFormatError()), error
    )


@api.exception_handler(Http404)
@api.exception_handler(Exception)
def _handle_unexpected_error(request: HttpRequest, error: Exception) -> HttpResponse:
    body = build_problem_from_exception(error)
    if body["code"] in (ErrorCode.SERVER_ERROR, ErrorCode.UNKNOWN_ERROR):
        log.exception("request_failed", path=request.path)
    return _record_and_respond(request, body, error)
