"""Who is asking, and may they follow this stream: the same answer for the socket and for polling."""

import contextlib
import uuid
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from importlib import import_module
from typing import Any, NamedTuple
from urllib.parse import SplitResult, urlsplit

from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest
from django.utils.http import is_same_domain
from django.utils.module_loading import import_string
from django.utils.translation import get_supported_language_variant
from django.utils.translation.trans_real import parse_accept_lang_header

from progress.models import Stream


class AuthenticatedUser(NamedTuple):
    """A user and until when the proof of it is good (None: as long as the session)."""

    user: AbstractBaseUser
    expires_at: datetime | None


class Credential(NamedTuple):
    """What a client has shown: a token, or the key of its Django session."""

    token: str = ""
    session_key: str = ""


def find_revoked_credentials(credentials: Collection[Credential]) -> set[Credential]:
    """Those that were good and are so no more, asked of the room above by settings.PROGRESS_SIGNED_OUT."""
    found: set[Credential] = import_string(settings.PROGRESS_SIGNED_OUT)(credentials) if credentials else set()
    return found


def authenticate_token(token: str) -> AuthenticatedUser | None:
    """Who a token belongs to, asked of the room above by settings.PROGRESS_AUTHENTICATE; None when it is no good."""
    check: Callable[[str], tuple[AbstractBaseUser, datetime] | None] = import_string(settings.PROGRESS_AUTHENTICATE)
    found = check(token)
    return AuthenticatedUser(*found) if found else None


def get_session_user(session_key: str) -> AbstractBaseUser | None:
    """Who is signed in to the page by its own Django session; None for nobody."""
    request = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    user = get_user(request)
    return user if isinstance(user, AbstractBaseUser) else None


def notify_stream_ended(stream_id: uuid.UUID) -> None:
    """Tell the room above, by settings.PROGRESS_ENDED, that a socket of the owner has been given the last event."""
    import_string(settings.PROGRESS_ENDED)(stream_id)


def find_stream(stream_id: str, user: Any) -> Stream | None:
    """The stream when it exists and the user may see it; a stranger gets the same None as for nothing."""
    try:
        stream_uuid = uuid.UUID(stream_id)
    except ValueError:
        return None
    return Stream.objects.visible_to(user).filter(pk=stream_uuid).first()


def is_origin_allowed(origin: str | None, host: str) -> bool:
    """A browser names its page's origin: it must be ours or a trusted one. A mini-program names none."""
    if not origin:
        return True
    try:
        origin_url = urlsplit(origin)
    except ValueError:
        return False
    return origin_url.netloc == host or any(
        _matches_trusted_origin(origin_url, urlsplit(trusted)) for trusted in settings.CSRF_TRUSTED_ORIGINS
    )


def _matches_trusted_origin(origin_url: SplitResult, trusted: SplitResult) -> bool:
    """As Django reads CSRF_TRUSTED_ORIGINS: `https://*.example.com` is any subdomain."""
    return origin_url.scheme == trusted.scheme and is_same_domain(origin_url.netloc, trusted.netloc.removeprefix("*"))


def negotiate_language(cookies: Mapping[str, str], accept_language: str) -> str | None:
    """The language of a socket's client, found as Django's LocaleMiddleware finds that of a request."""
    candidates = [cookies.get(settings.LANGUAGE_COOKIE_NAME, "")]
    candidates += [code for code, _quality in parse_accept_lang_header(accept_language.lower()[:500])]
    for code in candidates:
        with contextlib.suppress(LookupError):
            return get_supported_language_variant(code)
    return None
