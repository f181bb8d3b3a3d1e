"""Accounts: found by what identifies them, or created on the first use."""

import uuid

from django.contrib.auth.base_user import AbstractBaseUser

from diagnosis.choices import ClientKind
from diagsite.models import User

LEGACY_USERNAME = "legacy"


def find_user(name: str) -> User:
    """Find a user by username, openid, device id or primary key. Raises User.DoesNotExist."""
    for column in ("username", "wechat_openid", "device_id"):
        if user := User.objects.filter(**{column: name}).first():
            return user
    return User.objects.get(pk=int(name) if name.isdecimal() and len(name) < 18 else 0)


def get_account_client(user: AbstractBaseUser) -> ClientKind:
    """Return where the account uses the site: an account of a WeChat user signs in by the mini-program only."""
    return ClientKind.MINIPROGRAM if getattr(user, "wechat_openid", None) else ClientKind.WEB


def get_or_create_wechat_user(openid: str) -> User:
    """Return the account of a WeChat user."""
    return User.objects.get_or_create(wechat_openid=openid, defaults={"username": _make_username("wx")})[0]


def get_or_create_device_user(device_id: str) -> User:
    """Return the account of a device of a demo site."""
    return User.objects.get_or_create(device_id=device_id, defaults={"username": _make_username("device")})[0]


def get_or_create_terminal_user() -> User:
    """Return the account of this site's terminal. Its device id is a secret that signs in on a demo site."""
    return User.objects.get_or_create(username="terminal", defaults={"device_id": f"terminal-{uuid.uuid4().hex}"})[0]


def get_or_create_owners(openids: set[str]) -> dict[str, int]:
    """Return {openid: primary key} of imported records' owners; "" is an inactive account for records without one."""
    openids = openids - {""}
    owners = dict(User.objects.filter(wechat_openid__in=openids).values_list("wechat_openid", "pk"))
    new = [User(username=_make_username("wx"), wechat_openid=openid) for openid in openids - owners.keys()]
    for user in new:
        user.set_unusable_password()
    created = {str(user.wechat_openid): user.pk for user in User.objects.bulk_create(new)}
    defaults = {"is_active": False, "password": "!"}
    fallback_owner, _is_new = User.objects.get_or_create(username=LEGACY_USERNAME, defaults=defaults)
    return {**{str(openid): pk for openid, pk in owners.items()}, **created, "": fallback_owner.pk}


def _make_username(prefix: str) -> str:
    return f"{prefix}-{uuid.uuid4().hex[:12]}"
