"""Tokens: signed, expiring, revocable. A token contains only its id, its user and its expiry.

The id of the user is encrypted, as it would tell how many accounts the site has.
"""

import base64
import threading
import time
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from asgiref.sync import sync_to_async
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.models import Session as BrowserSession
from django.core import signing
from django.db import transaction
from django.db.models import Exists
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver
from django.utils import timezone

from diagsite.models import RevokedToken, User
from progress.access import Credential

_SALT = "diagsite.session"


@dataclass(frozen=True)
class IssuedToken:
    """A new token, its expiry and its user."""

    token: str
    expires_at: datetime
    user: User


class TokenCache:
    """Tokens that were verified less than TOKEN_CACHE_SECONDS ago, and their users, which must not be modified.

    Clients send requests in bursts. Revocations and changes of users by this process apply at once, those by other
    processes after TOKEN_CACHE_SECONDS.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: dict[str, tuple[User, float]] = {}  # token -> user, monotonic expiry
        self._generation = 0

    def get_cached_user(self, token: str) -> User | None:
        """Return the token's user if it is cached; never blocks."""
        user, expires_at = self._entries.get(token, (None, 0.0))
        return user if time.monotonic() < expires_at else None

    def load_user(self, token: str) -> User | None:
        """Verify the token and cache its user; None if it is not valid."""
        started_at, generation = time.monotonic(), self._generation
        verified = verify_token(token)
        if verified is None:
            return None
        user, expires_at = verified
        lifetime_seconds = min(TOKEN_CACHE_SECONDS, (expires_at - timezone.now()).total_seconds())
        with self._lock:
            if generation == self._generation:  # otherwise it may have been revoked meanwhile
                if len(self._entries) >= MAX_CACHED_TOKENS:
                    self._entries.clear()
                self._entries[token] = (user, started_at + lifetime_seconds)
        return user

    async def aget_user(self, token: str) -> User | None:
        """Return the user of a valid token; a cached token needs no thread."""
        return self.get_cached_user(token) or await sync_to_async(self.load_user)(token)

    def clear(self) -> None:
        """Remove all tokens."""
        with self._lock:
            self._generation += 1
            self._entries.clear()


TOKEN_CACHE_SECONDS = 1.0
MAX_CACHED_TOKENS = 10_000
token_cache = TokenCache()


@receiver([post_save, post_delete], sender=User)
def _clear_cache_after_user_change(**_: object) -> None:
    transaction.on_commit(token_cache.clear)


def issue_token(user: User) -> IssuedToken:
    """Create a token for a user, valid for settings.TOKEN_LIFETIME_SECONDS."""
    expires_at = timezone.now() + timedelta(seconds=settings.TOKEN_LIFETIME_SECONDS)
    encrypted_id = _get_cipher((settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)).encrypt(str(user.pk).encode())
    claims = {"user": encrypted_id.decode(), "id": uuid.uuid4().hex, "until": expires_at.timestamp()}
    return IssuedToken(signing.dumps(claims, salt=_SALT, compress=False), expires_at, user)


def verify_token(token: str) -> tuple[User, datetime] | None:
    """Return the user and the expiry of a token; None if it is forged, expired or revoked, or its user inactive."""
    claims = _parse_claims(token)
    if claims is None:
        return None
    token_id, user_id, expires_at = claims
    if expires_at <= timezone.now():
        return None
    is_revoked = Exists(RevokedToken.objects.filter(pk=token_id))
    user = User.objects.filter(~is_revoked, pk=user_id, is_active=True).first()
    return (user, expires_at) if user else None


def get_token_user_id(token: str) -> int | None:
    """Return the user id of a token with a valid signature that has not expired; it may be revoked. No query."""
    claims = _parse_claims(token)
    return claims[1] if claims and claims[2] > timezone.now() else None


def revoke_token(token: str) -> None:
    """Revoke a token; an invalid one is ignored."""
    claims = _parse_claims(token)
    if claims is not None:
        RevokedToken.objects.get_or_create(token_id=claims[0], defaults={"expires_at": claims[2]})
        token_cache.clear()


class Access(NamedTuple):
    """The account that was let in, and the token or session hash that it had then."""

    user_id: int
    token_id: uuid.UUID | None = None
    session_hash: str | None = None


def find_ended(accesses: Collection[Access]) -> set[Access]:
    """Return those that no longer hold: the account is off or deleted, the token revoked, the password changed."""
    users = User.objects.filter(pk__in={access.user_id for access in accesses}, is_active=True).only("password")
    hashes = {user.pk: {user.get_session_auth_hash(), *user.get_session_auth_fallback_hash()} for user in users}
    token_ids = {access.token_id for access in accesses if access.token_id}
    revoked = set(RevokedToken.objects.filter(pk__in=token_ids).values_list("pk", flat=True))
    return {
        access
        for access in accesses
        if access.user_id not in hashes
        or access.token_id in revoked
        or (access.session_hash is not None and access.session_hash not in hashes[access.user_id])
    }


def find_invalid_credentials(credentials: Collection[Credential]) -> set[Credential]:
    """Return the credentials that are no longer valid; three queries, however many they are."""
    session_keys = [credential.session_key for credential in credentials if credential.session_key]
    unexpired = BrowserSession.objects.filter(pk__in=session_keys, expire_date__gt=timezone.now())
    sessions = {session.pk: session.get_decoded() for session in unexpired}
    accesses = {credential: _get_access(credential, sessions) for credential in credentials}
    ended = find_ended({access for access in accesses.values() if access})
    return {credential for credential, access in accesses.items() if access is None or access in ended}


def _get_access(credential: Credential, sessions: Mapping[str, dict[str, Any]]) -> Access | None:
    if credential.token:
        claims = _parse_claims(credential.token)
        return Access(claims[1], claims[0]) if claims else None
    session = sessions.get(credential.session_key, {})
    user_id = int(session.get(SESSION_KEY, 0))
    return Access(user_id, session_hash=session.get(HASH_SESSION_KEY, "")) if user_id else None


def get_token_id(token: str) -> uuid.UUID | None:
    """Return the id of a token with a valid signature."""
    claims = _parse_claims(token)
    return claims[0] if claims else None


def _parse_claims(token: str) -> tuple[uuid.UUID, int, datetime] | None:
    try:
        claims = signing.loads(token, salt=_SALT)
        return uuid.UUID(claims["id"]), _read_user_id(claims["user"]), datetime.fromtimestamp(claims["until"], UTC)
    except (signing.BadSignature, InvalidToken, KeyError, TypeError, ValueError, OverflowError):
        return None


def _read_user_id(user: str | int) -> int:
    """Decrypt a user's id; tokens of earlier versions have it in the clear."""
    if isinstance(user, int):
        return user
    return int(_get_cipher((settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)).decrypt(user))


@lru_cache(maxsize=4)
def _get_cipher(secret_keys: tuple[str, ...]) -> MultiFernet:
    derived = [HKDF(SHA256(), 32, salt=None, info=_SALT.encode()).derive(key.encode()) for key in secret_keys]
    return MultiFernet([Fernet(base64.urlsafe_b64encode(key)) for key in derived])
