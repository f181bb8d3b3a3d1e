"""Rate limits of the API: per user, per IP address, and lower ones for sign-ins, new diagnoses and exports.

Exports and print pages contain whole reports, and changes lock rows: their concurrency per caller is limited too. A
request that waits for another one of its caller holds neither a thread nor a database connection.
"""

import asyncio
import re
from collections.abc import Callable
from typing import Any, cast
from weakref import WeakKeyDictionary, WeakValueDictionary

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import sync_and_async_middleware

from diagsite.accounts.tokens import get_token_user_id
from diagsite.web.client_ip import get_address_key, get_client_ip
from diagsite.web.error_pages import build_error_response
from performance.concurrency import ConcurrencyController
from performance.exceptions import ConcurrencyLimitExceeded, RateLimitExceeded
from performance.rate import RateLimiter

MINUTE_SECONDS = 60
SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
SIGN_IN_PATHS = {"/api/session", "/accounts/login/", "/admin/login/"}
MAX_WAITING_EXPORTS = 4  # exports of one caller that wait for a running one
MAX_WAITING_CHANGES = 32

_START_PATH = re.compile(
    r"/api/(?:diagnoses(?:/[^/]+/retry)?|suggestions|workspaces/(?:start|[^/]+/(?:panels/[^/]+/runs|questions/suggest)))"
)
_EXPORT_PATH = re.compile(
    r"/api/(?:diagnoses|workspaces)/[^/]+/export\.\w+|/(?:diagnoses|w)/[^/]+/print/|/shared/(?:brand/)?[^/]+/"
)


class ApiLimits:
    """The limits, shared by all processes through Redis, or per process while Redis is unavailable."""

    def __init__(self) -> None:
        redis_url = settings.REDIS_URL
        self.caller = RateLimiter(settings.CALLS_PER_MINUTE, MINUTE_SECONDS, key="calls", redis_url=redis_url)
        self.address = RateLimiter(
            settings.ADDRESS_CALLS_PER_MINUTE, MINUTE_SECONDS, key="address", redis_url=redis_url
        )
        self.sign_in = RateLimiter(settings.SIGN_INS_PER_MINUTE, MINUTE_SECONDS, key="sign-in", redis_url=redis_url)
        self.start = RateLimiter(settings.STARTS_PER_MINUTE, MINUTE_SECONDS, key="start", redis_url=redis_url)
        self.export = RateLimiter(settings.EXPORTS_PER_MINUTE, MINUTE_SECONDS, key="export", redis_url=redis_url)
        # Only of callers with such a request in progress.
        self._controllers: WeakValueDictionary[tuple[str, str], ConcurrencyController] = WeakValueDictionary()

    async def check(self, request: HttpRequest) -> None:
        """Raise RateLimitExceeded if the request exceeds a limit."""
        address, caller = get_address_key(get_client_ip(request)), await get_caller_key(request)
        await self.address.check(address)
        if caller:
            await self.caller.check(caller)
        if is_sign_in_request(request):
            await self.sign_in.check(address)
        elif is_start_request(request):
            await self.start.check(caller or address)
        elif is_export_request(request):
            await self.export.check(await get_export_key(request))

    async def get_controller(self, request: HttpRequest) -> ConcurrencyController | None:
        """Return the caller's concurrency controller for such requests in this process; None for unlimited ones.

        Keep it while the request is in progress.
        """
        if is_export_request(request):
            kind, caller = "export", await get_export_key(request)
            max_concurrent, max_waiting = settings.EXPORTS_AT_ONCE, MAX_WAITING_EXPORTS
        else:
            kind, caller = "change", "" if request.method in SAFE_METHODS else await get_caller_key(request)
            max_concurrent, max_waiting = settings.MAX_CONCURRENT_CHANGES, MAX_WAITING_CHANGES
        if not caller or not max_concurrent:
            return None
        controller = self._controllers.get((kind, caller))
        if controller is None:
            controller = ConcurrencyController(max_concurrent, max_waiting=max_waiting)
            self._controllers[kind, caller] = controller
        return controller


def is_export_request(request: HttpRequest) -> bool:
    """Whether the request is for a whole report, with all its answers."""
    return _EXPORT_PATH.fullmatch(request.path) is not None


def is_start_request(request: HttpRequest) -> bool:
    """Whether the request leads to paid calls."""
    return request.method == "POST" and _START_PATH.fullmatch(request.path) is not None


def is_sign_in_request(request: HttpRequest) -> bool:
    """Whether the request could guess a password or a login code."""
    return request.method == "POST" and request.path in SIGN_IN_PATHS


async def get_caller_key(request: HttpRequest) -> str:
    """Return a key of the verified user, however its credential is spelled; "" without a valid one.

    A token is verified by its signature and expiry only, so a revoked one counts for its user too.
    """
    if "Authorization" in request.headers:
        scheme, _space, token = request.headers["Authorization"].partition(" ")
        user_id = get_token_user_id(token) if scheme.lower() == "bearer" else None
    elif settings.SESSION_COOKIE_NAME in request.COOKIES:
        user_id = await sync_to_async(request.session.get)(SESSION_KEY)
    else:
        user_id = None
    return f"user:{user_id}" if user_id else ""


async def get_export_key(request: HttpRequest) -> str:
    """Return the key of the export limit: the IP address for share links, where credentials are not verified."""
    address = get_address_key(get_client_ip(request))
    return address if request.path.startswith("/shared/") else await get_caller_key(request) or address


_limits_by_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, ApiLimits] = WeakKeyDictionary()


@sync_and_async_middleware
def rate_limit_middleware(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Answer 429 with Retry-After when a limit is exceeded; only in a server process (asynchronous)."""

    async def asynchronous(request: HttpRequest) -> HttpResponse:
        if not request.path.startswith("/api/") and not is_export_request(request) and not is_sign_in_request(request):
            return cast(HttpResponse, await get_response(request))
        loop = asyncio.get_running_loop()
        if (limits := _limits_by_loop.get(loop)) is None:
            limits = _limits_by_loop[loop] = ApiLimits()
        try:
            await limits.check(request)
            controller = await limits.get_controller(request)
            if controller:
                return cast(HttpResponse, await controller.execute(get_response(request), request.path))
        except ConcurrencyLimitExceeded as error:  # the caller's own limit: 429, not 503
            own_limit = RateLimitExceeded(str(error), error.retry_after_seconds)
            return build_error_response(request, own_limit, place="rate_limit")
        except RateLimitExceeded as error:
            return build_error_response(request, error, place="rate_limit")
        return cast(HttpResponse, await get_response(request))

    def synchronous(request: HttpRequest) -> HttpResponse:
        response: HttpResponse = get_response(request)
        return response

    return asynchronous if iscoroutinefunction(get_response) else synchronous
