"""Authentication of API requests: by token, or by the browser session of the web page."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from django.http import HttpRequest
from ninja.security import HttpBearer, SessionAuth

from diagsite.accounts.tokens import get_token_id, token_cache
from diagsite.models import User


class TokenAuth(HttpBearer):
    """`Authorization: Bearer <token>`; asynchronous for asynchronous routes."""

    def __init__(self) -> None:
        super().__init__()
        self.is_async = True

    def authenticate(self, request: HttpRequest, token: str) -> User | Coroutine[Any, Any, User | None] | None:
        """Return the token's user, or in an event loop a coroutine of it; None if the token is not valid."""
        request.token_id = get_token_id(token)  # type: ignore[attr-defined]
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return token_cache.get_cached_user(token) or token_cache.load_user(token)
        return token_cache.aget_user(token)


class PageAuth(SessionAuth):
    """Django's session, for the web page."""

    def __call__(self, request: HttpRequest) -> Any | None:
        """Ignore the session if a token is given, and check CSRF only for users who are signed in (401, not 403)."""
        if "Authorization" in request.headers or not request.user.is_authenticated:
            return None
        return super().__call__(request)
