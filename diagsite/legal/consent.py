"""The consent of an account to the current documents, required before its first diagnosis."""

from typing import TypedDict

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.utils.translation import gettext as _

from diagnosis.clients import get_client_kind
from diagsite.legal.exceptions import ConsentRequired
from diagsite.models import Consent, User
from errors.exceptions import Conflict


class ConsentState(TypedDict):
    """version: of the current documents. is_required: whether the account must accept them before a diagnosis."""

    version: str
    is_required: bool


def get_consent_state(user: AbstractBaseUser) -> ConsentState:
    """Return whether the account still has to accept the current documents."""
    version = settings.TERMS_VERSION
    is_accepted = Consent.objects.filter(owner_id=user.pk, version=version).exists()
    return {"version": version, "is_required": settings.CONSENT_REQUIRED and not is_accepted}


def accept_documents(user: User, version: str) -> None:
    """Record the consent, once. Raises Conflict if this is not the current version."""
    if version != settings.TERMS_VERSION:
        raise Conflict(fields={"version": _("协议已经更新，请重新阅读。")})
    Consent.objects.get_or_create(owner=user, version=version, defaults={"client": get_client_kind(user)})


def check_consent(user: AbstractBaseUser) -> None:
    """Raise ConsentRequired if the account has to accept the documents first."""
    if get_consent_state(user)["is_required"]:
        raise ConsentRequired
