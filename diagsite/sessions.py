"""Our own token: signed, expiring, revocable. It names a user and nothing else."""

import threading
import time
import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.contrib.sessions.models import Session as BrowserSession
from django.core import signing
from django.db import transaction
from django.db.models import Exists
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver
from django.utils import timezone

from diagsite.models import RevokedToken, User
from progress.access import Proof

_SALT = "diagsite.session"


@dataclass(frozen=True)
class Session:
    """A token as given out."""

    token: str
    expires_at: datetime
    user: User


class Lately:
    """Tokens that were found good less than REMEMBERED_SECONDS ago, and their users, who are read and never changed.

    A client's calls come in bursts. What this process revokes or changes of a user is forgotten at once; what another
    one does is seen when the time is over.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users: dict[str, tuple[User, float]] = {}  # until when, by the monotonic clock
        self._forgettings = 0

    def user_of(self, token: str) -> User | None:
        """Its user when it is among them; None says nothing. Never waits."""
        user, until = self._users.get(token, (None, 0.0))
        return user if time.monotonic() < until else None

    def check(self, token: str) -> User | None:
        """Its user, looked up now and remembered; None when it is no good."""
        began, forgettings = time.monotonic(), self._forgettings
        found = authenticate(token)
        if found is None:
            return None
        user, expires_at = found
        seconds = min(REMEMBERED_SECONDS, (expires_at - timezone.now()).total_seconds())
        with self._lock:
            if forgettings == self._forgettings:  # else it may have been revoked while we looked
                if len(self._users) >= MOST_REMEMBERED:
                    self._users.clear()
                self._users[token] = (user, began + seconds)
        return user

    def forget(self) -> None:
        """All of them."""
        with self._lock:
            self._forgettings += 1
            self._users.clear()


REMEMBERED_SECONDS = 1.0
MOST_REMEMBERED = 10_000
lately = Lately()


@receiver([post_save, post_delete], sender=User)
def _forget_after_change(**_: object) -> None:
    transaction.on_commit(lately.forget)


def open_session(user: User) -> Session:
    """A new token for a user, good for settings.TOKEN_LIFETIME_SECONDS."""
    expires_at = timezone.now() + timedelta(seconds=settings.TOKEN_LIFETIME_SECONDS)
    claims = {"user": user.pk, "id": uuid.uuid4().hex, "until": expires_at.timestamp()}
    return Session(signing.dumps(claims, salt=_SALT, compress=False), expires_at, user)


def authenticate(token: str) -> tuple[User, datetime] | None:
    """The user of a token and when it expires; None when it is forged, expired, revoked, or its user is gone."""
    claims = _claims(token)
    if claims is None:
        return None
    token_id, user_id, until = claims
    if until <= timezone.now():
        return None
    is_revoked = Exists(RevokedToken.objects.filter(pk=token_id))
    user = User.objects.filter(~is_revoked, pk=user_id, is_active=True).first()
    return (user, until) if user else None


def close_session(token: str) -> None:
    """Revoke a token; one that is no good anyway is left alone."""
    claims = _claims(token)
    if claims is not None:
        RevokedToken.objects.get_or_create(token_id=claims[0], defaults={"expires_at": claims[2]})
        lately.forget()


def no_longer_good(proofs: Collection[Proof]) -> set[Proof]:
    """Of what was good once, what is so no more: revoked, signed out, or its account is gone or switched off."""
    claims = {proof: _claims(proof.token) for proof in proofs if proof.token}
    read = [one for one in claims.values() if one]
    revoked = set(RevokedToken.objects.filter(pk__in=[one[0] for one in read]).values_list("pk", flat=True))
    users = User.objects.filter(pk__in=[one[1] for one in read], is_active=True)
    active = set(users.values_list("pk", flat=True))
    gone = {proof for proof, one in claims.items() if one is None or one[0] in revoked or one[1] not in active}
    sessions = [proof.session for proof in proofs if proof.session]
    return gone | {Proof(session=key) for key in set(sessions) - _open_sessions(sessions)}


def _open_sessions(keys: list[str]) -> set[str]:
    open_now = BrowserSession.objects.filter(pk__in=keys, expire_date__gt=timezone.now())
    users = {one.pk: str(one.get_decoded().get("_auth_user_id", 0)) for one in open_now}
    active = {str(pk) for pk in User.objects.filter(pk__in=users.values(), is_active=True).values_list("pk", flat=True)}
    return {key for key, user in users.items() if user in active}


def _claims(token: str) -> tuple[uuid.UUID, int, datetime] | None:
    try:
        claims = signing.loads(token, salt=_SALT)
        return uuid.UUID(claims["id"]), int(claims["user"]), datetime.fromtimestamp(claims["until"], UTC)
    except (signing.BadSignature, KeyError, TypeError, ValueError, OverflowError):
        return None


def user_by_openid(openid: str) -> User:
    """The account of a WeChat user, made on the first sign-in."""
    return User.objects.get_or_create(wechat_openid=openid, defaults={"username": f"wx-{uuid.uuid4().hex[:12]}"})[0]


def user_by_device(device_id: str) -> User:
    """The account of a development device, made on the first sign-in."""
    return User.objects.get_or_create(device_id=device_id, defaults={"username": f"device-{uuid.uuid4().hex[:12]}"})[0]


def terminal_user() -> User:
    """The account of this site's own terminal. Its device id is secret: whoever knows it can sign in with DEMO=1."""
    return User.objects.get_or_create(username="terminal", defaults={"device_id": f"terminal-{uuid.uuid4().hex}"})[0]
