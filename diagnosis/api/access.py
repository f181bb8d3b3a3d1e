"""Who asks, and what of it they may see; for every route of the HTTP API, and for the pages that show a report."""

import uuid
from typing import cast

from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest

from diagnosis.api.serializers import AnswerTextReader
from diagnosis.exceptions import DiagnosisRunning
from diagnosis.models import Diagnosis, can_view_all_diagnoses
from diagnosis.reports import cache
from errors.exceptions import NotFound
from errors.problems import get_current_locale


def get_request_user(request: HttpRequest) -> AbstractBaseUser:
    """The signed-in caller."""
    return cast(AbstractBaseUser, request.auth)  # type: ignore[attr-defined]


def get_visible_diagnosis(request: HttpRequest, diagnosis_id: str) -> Diagnosis:
    """The diagnosis when it exists and is the caller's (or the caller is staff); else the same 404 as for nothing."""
    try:
        return Diagnosis.objects.visible_to(get_request_user(request)).get(pk=uuid.UUID(diagnosis_id))
    except (ValueError, Diagnosis.DoesNotExist) as error:
        raise NotFound from error


def get_visible_report(
    user: AbstractBaseUser, diagnosis_id: str | uuid.UUID, read_texts: AnswerTextReader | None = None
) -> cache.CachedReport:
    """The report in the request's language, when the user may see it; else NotFound. DiagnosisRunning before its end.

    parse_text_list: see `presenters.report_json`.
    """
    try:
        report = cache.get_cached_report(uuid.UUID(str(diagnosis_id)), get_current_locale(), read_texts)
    except (ValueError, Diagnosis.DoesNotExist) as error:
        raise NotFound from error
    except DiagnosisRunning:
        if not Diagnosis.objects.visible_to(user).filter(pk=diagnosis_id).exists():
            raise NotFound from None  # a stranger hears nothing of it
        raise
    if report["owner"] != user.pk and not can_view_all_diagnoses(user):
        raise NotFound
    return report
