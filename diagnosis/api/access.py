"""The caller of a route, and the diagnoses that they may see."""

import uuid
from typing import cast

from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest

from diagnosis.models import Diagnosis
from errors.exceptions import NotFound


def get_request_user(request: HttpRequest) -> AbstractBaseUser:
    """Return the authenticated caller."""
    return cast(AbstractBaseUser, request.auth)  # type: ignore[attr-defined]


def get_visible_diagnosis(request: HttpRequest, diagnosis_id: str) -> Diagnosis:
    """Return a diagnosis, without its report, that the caller may see.

    Raises NotFound, the same for a foreign id and an unknown one.
    """
    try:
        visible = Diagnosis.objects.visible_to(get_request_user(request)).select_related("owner").defer("report")
        return visible.get(pk=uuid.UUID(diagnosis_id))
    except (ValueError, Diagnosis.DoesNotExist) as error:
        raise NotFound from error
