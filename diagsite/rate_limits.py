"""How often somebody may call the API: per token, per address, and less often what costs money or guesses secrets."""

import asyncio
import hashlib
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from asgiref.sync import iscoroutinefunction
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import sync_and_async_middleware

from diagsite.error_pages import problem_response
from errors.problems import problem_of
from errors.recording import record_problem
from performance.exceptions import TooFast
from performance.rate import RateLimiter

MINUTE = 60


class ApiLimits:
    """The windows of this site: of all its processes with Redis, of each while Redis is away."""

    def __init__(self) -> None:
        redis_url = settings.REDIS_URL
        self.caller = RateLimiter(settings.CALLS_PER_MINUTE, MINUTE, key="calls", redis_url=redis_url)
        self.address = RateLimiter(settings.ADDRESS_CALLS_PER_MINUTE, MINUTE, key="address", redis_url=redis_url)
        self.sign_in = RateLimiter(settings.SIGN_INS_PER_MINUTE, MINUTE, key="sign-in", redis_url=redis_url)
        self.start = RateLimiter(settings.STARTS_PER_MINUTE, MINUTE, key="start", redis_url=redis_url)

    async def check(self, request: HttpRequest) -> None:
        """Raise TooFast when this request is one too many."""
        address, caller = address_of(request), caller_of(request)
        await self.address.check(address)
        if caller:
            await self.caller.check(caller)
        if request.method == "POST" and request.path == "/api/session":
            await self.sign_in.check(address)
        elif request.method == "POST" and (request.path == "/api/diagnoses" or request.path.endswith("/retry")):
            await self.start.check(caller or address)


def address_of(request: HttpRequest) -> str:
    """Where the request comes from; behind our proxy, what the proxy itself has seen."""
    forwarded = str(request.META.get("HTTP_X_FORWARDED_FOR", ""))
    if settings.SECURE_PROXY_SSL_HEADER and forwarded:
        return forwarded.rsplit(",", 1)[-1].strip()
    return str(request.META.get("REMOTE_ADDR", ""))


def caller_of(request: HttpRequest) -> str:
    """The same text for the same token or browser session, without keeping either; "" for neither."""
    given = request.headers.get("Authorization", "") or request.COOKIES.get(settings.SESSION_COOKIE_NAME, "")
    return hashlib.sha256(given.encode()).hexdigest()[:32] if given else ""


_limits: WeakKeyDictionary[asyncio.AbstractEventLoop, ApiLimits] = WeakKeyDictionary()


@sync_and_async_middleware
def rate_limit_middleware(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """429 with Retry-After for one call too many. Only where the site is served: from an event loop."""

    async def asynchronous(request: HttpRequest) -> HttpResponse:
        try:
            if request.path.startswith("/api/"):
                await _limits_here().check(request)
        except TooFast as error:
            body = problem_of(error, instance=request.path)
            record_problem(body, error=error, place="rate_limit", context={"method": request.method})
            return problem_response(body)
        answer: HttpResponse = await get_response(request)
        return answer

    def synchronous(request: HttpRequest) -> HttpResponse:
        answer: HttpResponse = get_response(request)
        return answer

    return asynchronous if iscoroutinefunction(get_response) else synchronous


def _limits_here() -> ApiLimits:
    loop = asyncio.get_running_loop()
    if loop not in _limits:
        _limits[loop] = ApiLimits()
    return _limits[loop]
