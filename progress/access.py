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


class SignedIn(NamedTuple):
    """A user and until when the proof of it is good (None: as long as the session)."""

    user: AbstractBaseUser
    expires_at: datetime | None


class Proof(NamedTuple):
    """What a client has shown: a token, or the key of its Django session."""

    token: str = ""
    session: str = ""


def no_longer_good(proofs: Collection[Proof]) -> set[Proof]:
    """Those that were good and are so no more, asked of the room above by settings.PROGRESS_SIGNED_OUT."""
    found: set[Proof] = import_string(settings.PROGRESS_SIGNED_OUT)(proofs) if proofs else set()
    return found


def authenticate(token: str) -> SignedIn | None:
    """Who a token belongs to, asked of the room above by settings.PROGRESS_AUTHENTICATE; None when it is no good."""
    check: Callable[[str], tuple[AbstractBaseUser, datetime] | None] = import_string(settings.PROGRESS_AUTHENTICATE)
    found = check(token)
    return SignedIn(*found) if found else None


def session_user(session_key: str) -> AbstractBaseUser | None:
    """Who is signed in to the page by its own Django session; None for nobody."""
    request = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    user = get_user(request)
    return user if isinstance(user, AbstractBaseUser) else None


def tell_ended(stream_id: uuid.UUID) -> None:
    """Tell the room above, by settings.PROGRESS_ENDED, that a socket of the owner has been given the last event."""
    import_string(settings.PROGRESS_ENDED)(stream_id)


def find_stream(stream_id: str, user: Any) -> Stream | None:
    """The stream when it exists and the user may see it; a stranger gets the same None as for nothing."""
    try:
        wanted = uuid.UUID(stream_id)
    except ValueError:
        return None
    return Stream.objects.visible_to(user).filter(pk=wanted).first()


def origin_is_allowed(origin: str | None, host: str) -> bool:
    """A browser names its page's origin: it must be ours or a trusted one. A mini-program names none."""
    if not origin:
        return True
    try:
        named = urlsplit(origin)
    except ValueError:
        return False
    return named.netloc == host or any(_is_of(named, urlsplit(trusted)) for trusted in settings.CSRF_TRUSTED_ORIGINS)


def _is_of(named: SplitResult, trusted: SplitResult) -> bool:
    """As Django reads CSRF_TRUSTED_ORIGINS: `https://*.example.com` is any subdomain."""
    return named.scheme == trusted.scheme and is_same_domain(named.netloc, trusted.netloc.removeprefix("*"))


def language_of(cookies: Mapping[str, str], accept_language: str) -> str | None:
    """The language of a socket's client, found as Django's LocaleMiddleware finds that of a request."""
    wanted = [cookies.get(settings.LANGUAGE_COOKIE_NAME, "")]
    wanted += [code for code, _quality in parse_accept_lang_header(accept_language.lower()[:500])]
    for code in wanted:
        with contextlib.suppress(LookupError):
            return get_supported_language_variant(code)
    return None
