"""Filters and pages of the diagnosis history."""

import base64
import binascii
import uuid
from datetime import UTC, date, datetime, time, timedelta

from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from diagnosis.choices import DiagnosisStatus
from diagnosis.models import Diagnosis, DiagnosisQuerySet
from errors.exceptions import InvalidInput

DIAGNOSES_PER_PAGE = 20


def filter_history(
    queryset: DiagnosisQuerySet, *, status: str, search: str, since: date | None, until: date | None
) -> DiagnosisQuerySet:
    """Filter by status, part of the brand's name, and start days (inclusive) in the site's time zone.

    Raises InvalidInput for an unknown status and for days outside the supported range.
    """
    if status and status not in DiagnosisStatus.values:
        raise InvalidInput(fields={"status": _("只能是：%(values)s。") % {"values": "、".join(DiagnosisStatus.values)}})
    if status:
        queryset = queryset.filter(status=status)
    if search:
        queryset = queryset.filter(brand__icontains=search.replace("\x00", ""))
    zone = timezone.get_default_timezone()
    try:
        if since:
            queryset = queryset.filter(created_at__gte=datetime.combine(since, time(), zone).astimezone(UTC))
        if until:
            end = datetime.combine(until + timedelta(days=1), time(), zone).astimezone(UTC)
            queryset = queryset.filter(created_at__lt=end)
    except OverflowError as error:  # the first or last day that Python supports
        raise InvalidInput(fields={"since": _("请选择有效的日期。")}) from error
    return queryset


def get_history_page(queryset: DiagnosisQuerySet, cursor: str) -> tuple[list[Diagnosis], str | None]:
    """Return the page after a cursor ("" for the first one) and the cursor of the next page, None on the last one.

    A cursor is the creation time and id of the last row of a page. Raises InvalidInput if it is malformed.
    """
    if cursor:
        try:
            created_at, pk = base64.urlsafe_b64decode(cursor).decode().split("|")
            last_created_at, last_pk = datetime.fromisoformat(created_at), uuid.UUID(pk)
            if last_created_at.utcoffset() != timedelta(0):
                raise ValueError("not a time in UTC")
        except (binascii.Error, ValueError) as error:
            raise InvalidInput(fields={"cursor": _("请使用上一页给出的 next。")}) from error
        queryset = queryset.filter(Q(created_at__lt=last_created_at) | Q(created_at=last_created_at, pk__lt=last_pk))
    rows = list(queryset[: DIAGNOSES_PER_PAGE + 1])
    page = rows[:DIAGNOSES_PER_PAGE]
    if len(rows) <= DIAGNOSES_PER_PAGE:
        return page, None
    return page, base64.urlsafe_b64encode(f"{page[-1].created_at.isoformat()}|{page[-1].pk}".encode()).decode()
