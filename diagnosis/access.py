"""Who asks, and what of it they may see; for every route of the HTTP API."""

import uuid
from typing import cast

from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest

from diagnosis.models import Diagnosis
from errors.exceptions import NotFound


def user_of(request: HttpRequest) -> AbstractBaseUser:
    """The signed-in caller."""
    return cast(AbstractBaseUser, request.auth)  # type: ignore[attr-defined]


def visible_diagnosis(request: HttpRequest, diagnosis_id: str) -> Diagnosis:
    """The diagnosis when it exists and is the caller's (or the caller is staff); else the same 404 as for nothing."""
    try:
        return Diagnosis.objects.visible_to(user_of(request)).get(pk=uuid.UUID(diagnosis_id))
    except (ValueError, Diagnosis.DoesNotExist) as error:
        raise NotFound from error
