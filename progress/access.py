"""Authentication and authorization of subscribers, the same for the socket and for polling."""

import contextlib
import uuid
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from importlib import import_module
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest
from django.utils.http import is_same_domain
from django.utils.module_loading import import_string
from django.utils.translation import get_supported_language_variant
from django.utils.translation.trans_real import parse_accept_lang_header

from progress.models import Stream

MAX_LOGGED_CHARACTERS = 200
WRITE_BUFFER_EXTENSION = "diagsite.write_buffer_is_empty"  # of a socket's scope: a function without arguments


class AuthenticatedUser(NamedTuple):
    """A user, and when the token expires (None for a session)."""

    user: AbstractBaseUser
    expires_at: datetime | None


class Subscription(NamedTuple):
    """A user who follows a stream."""

    user_id: int
    stream_id: uuid.UUID


class Credential(NamedTuple):
    """What a client authenticated with: a token, or the key of its Django session."""

    token: str = ""
    session_key: str = ""


def find_revoked_credentials(credentials: Collection[Credential]) -> set[Credential]:
    """Return the credentials that have been revoked, by the function settings.PROGRESS_SIGNED_OUT."""
    revoked: set[Credential] = import_string(settings.PROGRESS_SIGNED_OUT)(credentials) if credentials else set()
    return revoked


def find_lost_access(subscriptions: Collection[Subscription]) -> set[Subscription]:
    """Return those whose user may no longer see the stream, by the function settings.PROGRESS_LOST."""
    lost: set[Subscription] = import_string(settings.PROGRESS_LOST)(subscriptions) if subscriptions else set()
    return lost


def authenticate_token(token: str) -> AuthenticatedUser | None:
    """Return the user of a token, by the function settings.PROGRESS_AUTHENTICATE; None if it is invalid."""
    check: Callable[[str], tuple[AbstractBaseUser, datetime] | None] = import_string(settings.PROGRESS_AUTHENTICATE)
    authenticated = check(token)
    return AuthenticatedUser(*authenticated) if authenticated else None


def get_session_user(session_key: str) -> AbstractBaseUser | None:
    """Return the user of a Django session; None if nobody is signed in."""
    request = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    user = get_user(request)
    return user if isinstance(user, AbstractBaseUser) else None


def notify_stream_ended(stream_id: uuid.UUID) -> None:
    """Call settings.PROGRESS_ENDED: a socket of the owner has received the last event."""
    import_string(settings.PROGRESS_ENDED)(stream_id)


def find_stream(stream_id: str, user: Any) -> Stream | None:
    """Return the stream; None if it does not exist or the user may not see it."""
    try:
        stream_uuid = uuid.UUID(stream_id)
    except ValueError:
        return None
    return Stream.objects.visible_to(user).filter(pk=stream_uuid).first()


def is_origin_allowed(origin: str | None, host: str) -> bool:
    """Whether the origin is this site's or trusted, or absent: every browser sends one.

    Only for clients that a cookie authenticates. Another site cannot make a browser send a token in a frame, and the
    origins of mini-programs depend on the device: `https://servicewechat.com`, `weapp://...`, `null`, or none.
    """
    if not origin:
        return True
    try:
        origin_url = urlsplit(origin)
    except ValueError:
        return False
    # As in Django's CSRF check: `https://*.example.com` stands for any subdomain.
    return origin_url.netloc == host or any(
        origin_url.scheme == trusted.scheme and is_same_domain(origin_url.netloc, trusted.netloc.removeprefix("*"))
        for trusted in map(urlsplit, settings.CSRF_TRUSTED_ORIGINS)
    )


def get_client_address(scope: Mapping[str, Any]) -> str:
    """Return the address, or network, that a socket's client counts for, by the function settings.PROGRESS_ADDRESS."""
    address: str = import_string(settings.PROGRESS_ADDRESS)(scope)
    return address


def is_write_buffer_empty(scope: Mapping[str, Any]) -> bool:
    """Whether all that was sent has left the process; also if the server does not tell."""
    is_empty: Callable[[], bool] = scope.get("extensions", {}).get(WRITE_BUFFER_EXTENSION, lambda: True)
    return is_empty()


def describe_client(headers: Mapping[bytes, str]) -> dict[str, str]:
    """Return what the headers tell about a client, for the log, without the query of the referring page."""
    return {
        "origin": headers.get(b"origin", "")[:MAX_LOGGED_CHARACTERS],
        "referer": headers.get(b"referer", "").partition("?")[0][:MAX_LOGGED_CHARACTERS],
        "user_agent": headers.get(b"user-agent", "")[:MAX_LOGGED_CHARACTERS],
    }


def negotiate_language(cookies: Mapping[str, str], accept_language: str) -> str | None:
    """Return the language of a socket's client, by the rules of Django's LocaleMiddleware."""
    candidates = [cookies.get(settings.LANGUAGE_COOKIE_NAME, "")]
    candidates += [code for code, _quality in parse_accept_lang_header(accept_language.lower()[:500])]
    for code in candidates:
        with contextlib.suppress(LookupError):
            return get_supported_language_variant(code)
    return None
