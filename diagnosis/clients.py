"""What the site knows of an account: its client, web page or mini-program, and its consent to the documents."""

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.utils.module_loading import import_string

from diagnosis.choices import ClientKind


def get_client_kind(user: AbstractBaseUser) -> ClientKind:
    """Return where the account uses the site, as settings.ACCOUNT_CLIENT says."""
    kind: ClientKind = import_string(settings.ACCOUNT_CLIENT)(user)
    return kind


def require_consent(user: AbstractBaseUser) -> None:
    """Raise an AppError if the account must first accept the site's documents, as settings.CHECK_CONSENT says."""
    import_string(settings.CHECK_CONSENT)(user)
