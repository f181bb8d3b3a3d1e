"""The check of texts that a user has typed, before they are stored."""

from collections.abc import Mapping

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.utils.module_loading import import_string


def check_typed_texts(user: AbstractBaseUser, texts: Mapping[str, str]) -> None:
    """Check {field: text} as settings.MODERATE_TEXTS says. Raises an AppError that names the fields that are rejected.

    It may call another company's server, so it belongs outside of a transaction.
    """
    import_string(settings.MODERATE_TEXTS)(user, texts)
