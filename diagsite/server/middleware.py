"""Django's own middleware without a hop to a thread for each half of each: what they do here waits for nothing.

`MiddlewareMixin` sends every `process_request` and `process_response` to a thread when the site is served from an event
loop: twelve hops a request, more than the request itself. Only what reads or writes the session's row still goes there.
"""

from collections.abc import Callable
from typing import Any, cast

from asgiref.sync import sync_to_async
from django.contrib.auth import middleware as auth
from django.contrib.messages import middleware as messages
from django.contrib.sessions import middleware as sessions
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware import clickjacking, common, csrf, locale, security

from diagsite.web.csp import add_security_headers

_ProcessRequest = Callable[[HttpRequest], HttpResponseBase | None]
_ProcessResponse = Callable[[HttpRequest, HttpResponseBase], HttpResponseBase]


class _InlineMiddlewareMixin:
    """Runs both halves where it is called."""

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
        """Whether the second half has something to write."""
        return False


class SecurityMiddleware(_InlineMiddlewareMixin, security.SecurityMiddleware):
    """Redirects and headers, and what pages may load."""

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        """The second half."""
        answer: HttpResponse = super().process_response(request, response)
        add_security_headers(request, answer)
        return answer


class SessionMiddleware(_InlineMiddlewareMixin, sessions.SessionMiddleware):
    """The session's row is read when somebody asks for it, in a view's thread, and written here."""

    def writes_session(self, request: HttpRequest) -> bool:
        """A changed session is written."""
        return bool(request.session.modified)


class LocaleMiddleware(_InlineMiddlewareMixin, locale.LocaleMiddleware):
    """The language of the request."""


class CommonMiddleware(_InlineMiddlewareMixin, common.CommonMiddleware):
    """Slashes and lengths."""


class CsrfViewMiddleware(_InlineMiddlewareMixin, csrf.CsrfViewMiddleware):
    """The secret is in a cookie."""

    def __init__(self, get_response: Any) -> None:
        """What looks at the request before its view does so where it is called, too."""
        super().__init__(get_response)
        if self.async_mode:
            cast(Any, self).process_view = self._process_view_inline

    async def _process_view_inline(self, *view: Any) -> HttpResponse | None:
        answer: HttpResponse | None = super().process_view(*view)
        return answer


class AuthenticationMiddleware(_InlineMiddlewareMixin, auth.AuthenticationMiddleware):
    """The user is read when somebody asks."""


class MessageMiddleware(_InlineMiddlewareMixin, messages.MessageMiddleware):
    """What a page has to say once."""

    def writes_session(self, request: HttpRequest) -> bool:
        """Messages may be kept in the session."""
        storage = getattr(request, "_messages", None)
        return bool(storage is not None and (storage.used or storage.added_new))


class XFrameOptionsMiddleware(_InlineMiddlewareMixin, clickjacking.XFrameOptionsMiddleware):
    """A header."""
