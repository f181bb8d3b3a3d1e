"""The client of an account: the web page or the mini-program."""

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.utils.module_loading import import_string

from diagnosis.choices import ClientKind


def get_client_kind(user: AbstractBaseUser) -> ClientKind:
    """Return where the account uses the site, as settings.ACCOUNT_CLIENT says."""
    kind: ClientKind = import_string(settings.ACCOUNT_CLIENT)(user)
    return kind
