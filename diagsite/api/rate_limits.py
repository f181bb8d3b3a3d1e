"""How often somebody may call the API: per token, per address, and less often what costs money or guesses secrets.

Whole reports, as files and as pages to print, are dear in another way: few at once for each caller.
"""

import asyncio
import hashlib
import re
from collections.abc import Callable
from typing import Any, cast
from weakref import WeakKeyDictionary, WeakValueDictionary

from asgiref.sync import iscoroutinefunction
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import sync_and_async_middleware

from diagsite.server.client_ip import get_client_ip
from diagsite.web.error_pages import build_error_response
from performance.concurrency import ConcurrencyController
from performance.exceptions import LimitExceeded
from performance.rate import RateLimiter

MINUTE_SECONDS = 60
SIGN_IN_PATHS = {"/api/session", "/accounts/login/", "/admin/login/"}
MAX_WAITING_EXPORTS = 4  # exports of one caller, behind those that are under way

_EXPORT_PATH = re.compile(r"/api/diagnoses/[^/]+/export\.\w+|/diagnoses/[^/]+/print/|/shared/[^/]+/")


class ApiLimits:
    """The windows of this site: of all its processes with Redis, of each while Redis is away."""

    def __init__(self) -> None:
        redis_url = settings.REDIS_URL
        self.caller = RateLimiter(settings.CALLS_PER_MINUTE, MINUTE_SECONDS, key="calls", redis_url=redis_url)
        self.address = RateLimiter(
            settings.ADDRESS_CALLS_PER_MINUTE, MINUTE_SECONDS, key="address", redis_url=redis_url
        )
        self.sign_in = RateLimiter(settings.SIGN_INS_PER_MINUTE, MINUTE_SECONDS, key="sign-in", redis_url=redis_url)
        self.start = RateLimiter(settings.STARTS_PER_MINUTE, MINUTE_SECONDS, key="start", redis_url=redis_url)
        self.export = RateLimiter(settings.EXPORTS_PER_MINUTE, MINUTE_SECONDS, key="export", redis_url=redis_url)
        # Those of callers who have one under way.
        self._export_controllers: WeakValueDictionary[str, ConcurrencyController] = WeakValueDictionary()

    async def check(self, request: HttpRequest) -> None:
        """Raise RateLimitExceeded when this request is one too many."""
        address, caller = get_client_ip(request), get_caller_key(request)
        await self.address.check(address)
        if caller:
            await self.caller.check(caller)
        if is_sign_in_request(request):
            await self.sign_in.check(address)
        elif request.method == "POST" and (request.path == "/api/diagnoses" or request.path.endswith("/retry")):
            await self.start.check(caller or address)
        elif is_export_request(request):
            await self.export.check(get_export_key(request))

    def get_export_controller(self, request: HttpRequest) -> ConcurrencyController:
        """What bounds the exports of this caller, in this process; hold it for as long as one is under way."""
        key = get_export_key(request)
        controller = self._export_controllers.get(key)
        if controller is None:
            controller = ConcurrencyController(settings.EXPORTS_AT_ONCE, max_waiting=MAX_WAITING_EXPORTS)
            self._export_controllers[key] = controller
        return controller


def is_export_request(request: HttpRequest) -> bool:
    """Whether a whole report is asked for, with all its answers."""
    return _EXPORT_PATH.fullmatch(request.path) is not None


def is_sign_in_request(request: HttpRequest) -> bool:
    """Whether it is one that guesses could be made with."""
    return request.method == "POST" and request.path in SIGN_IN_PATHS


def get_caller_key(request: HttpRequest) -> str:
    """The same text for the same token or browser session, without keeping either; "" for neither."""
    credential = request.headers.get("Authorization", "") or request.COOKIES.get(settings.SESSION_COOKIE_NAME, "")
    return hashlib.sha256(credential.encode()).hexdigest()[:32] if credential else ""


def get_export_key(request: HttpRequest) -> str:
    """Whose exports are counted together. A link asks for no sign-in, so whoever opens it can say to be anybody."""
    is_shared = request.path.startswith("/shared/")
    return get_client_ip(request) if is_shared else get_caller_key(request) or get_client_ip(request)


_limits_by_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, ApiLimits] = WeakKeyDictionary()


@sync_and_async_middleware
def rate_limit_middleware(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """429 with Retry-After for one call too many. Only where the site is served: from an event loop."""

    async def asynchronous(request: HttpRequest) -> HttpResponse:
        if not request.path.startswith("/api/") and not is_export_request(request) and not is_sign_in_request(request):
            return cast(HttpResponse, await get_response(request))
        limits = _get_limits()
        try:
            await limits.check(request)
            if is_export_request(request):
                return cast(
                    HttpResponse, await limits.get_export_controller(request).execute(get_response(request), "export")
                )
        except LimitExceeded as error:
            return build_error_response(request, error, place="rate_limit")
        return cast(HttpResponse, await get_response(request))

    def synchronous(request: HttpRequest) -> HttpResponse:
        answer: HttpResponse = get_response(request)
        return answer

    return asynchronous if iscoroutinefunction(get_response) else synchronous


def _get_limits() -> ApiLimits:
    loop = asyncio.get_running_loop()
    if loop not in _limits_by_loop:
        _limits_by_loop[loop] = ApiLimits()
    return _limits_by_loop[loop]
