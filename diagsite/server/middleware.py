"""Django's middleware, run in the event loop instead of a thread: what it does here does not block.

`MiddlewareMixin` runs every `process_request` and `process_response` in a thread when the site is served from an event
loop: twelve thread hops per request. Here only what writes the session's row does. Measurements: decision 0014.
"""

from collections.abc import Callable
from typing import Any, cast

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth import middleware as auth
from django.contrib.messages import middleware as messages
from django.contrib.sessions import middleware as sessions
from django.http import HttpRequest, HttpResponse, HttpResponsePermanentRedirect
from django.http.response import HttpResponseBase
from django.middleware import clickjacking, common, csrf, locale, security

from diagsite.web.csp import add_cache_header, add_security_headers

_ProcessRequest = Callable[[HttpRequest], HttpResponseBase | None]
_ProcessResponse = Callable[[HttpRequest, HttpResponseBase], HttpResponseBase]


class _InlineMiddlewareMixin:
    """Runs `process_request` and `process_response` in the event loop."""

    get_response: Any

    async def __acall__(self, request: HttpRequest) -> HttpResponseBase:
        process_request: _ProcessRequest | None = getattr(self, "process_request", None)
        process_response: _ProcessResponse | None = getattr(self, "process_response", None)
        response = process_request(request) if process_request else None
        if response is None:
            response = cast(HttpResponseBase, await self.get_response(request))
        if process_response is None:
            return response
        if self.writes_session(request):
            return await sync_to_async(process_response, thread_sensitive=True)(request, response)
        return process_response(request, response)

    def writes_session(self, request: HttpRequest) -> bool:
        """Return whether `process_response` writes to the database and so needs a thread."""
        return False


class SecurityMiddleware(_InlineMiddlewareMixin, security.SecurityMiddleware):
    """Adds redirects, except for probes, and the headers of diagsite/web/csp.py."""

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        answer: HttpResponse = super().process_response(request, response)
        add_security_headers(request, answer)
        add_cache_header(request, answer)
        return answer


class SessionMiddleware(_InlineMiddlewareMixin, sessions.SessionMiddleware):
    """Writes the session's row in a thread; a view reads it in its own thread."""

    def writes_session(self, request: HttpRequest) -> bool:
        return bool(request.session.modified)


class LocaleMiddleware(_InlineMiddlewareMixin, locale.LocaleMiddleware):
    """Activates the language of the request."""


class CommonMiddleware(_InlineMiddlewareMixin, common.CommonMiddleware):
    """Checks the host, except that of probes, appends slashes and sets Content-Length."""

    def process_request(self, request: HttpRequest) -> HttpResponsePermanentRedirect | None:
        return None if request.path_info in settings.PROBE_PATHS else super().process_request(request)


class CsrfViewMiddleware(_InlineMiddlewareMixin, csrf.CsrfViewMiddleware):
    """Checks the CSRF token; its secret is in a cookie."""

    def __init__(self, get_response: Any) -> None:
        super().__init__(get_response)
        if self.async_mode:
            cast(Any, self).process_view = self._process_view_inline

    async def _process_view_inline(self, *view: Any) -> HttpResponse | None:
        answer: HttpResponse | None = super().process_view(*view)
        return answer


class AuthenticationMiddleware(_InlineMiddlewareMixin, auth.AuthenticationMiddleware):
    """Reads the user when a view asks for it."""


class MessageMiddleware(_InlineMiddlewareMixin, messages.MessageMiddleware):
    """Stores messages for the next page."""

    def writes_session(self, request: HttpRequest) -> bool:
        storage = getattr(request, "_messages", None)
        return bool(storage is not None and (storage.used or storage.added_new))


class XFrameOptionsMiddleware(_InlineMiddlewareMixin, clickjacking.XFrameOptionsMiddleware):
    """Sets X-Frame-Options."""
