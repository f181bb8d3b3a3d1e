"""The base classes of defects: how to find the affected rows and how to fix them."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils import timezone

from diagnosis.choices import FINAL_STATUSES
from diagnosis.models import Diagnosis, DiagnosisQuerySet
from diagnosis.repair.change_set import ChangeSet
from diagnosis.repair.diagnosis_repair import DiagnosisRepair, load_repairs, share_change_set
from diagnosis.reports.cache import get_report_cache_tag
from diagnosis.running import queue
from diagnosis.running.recovery import DEADLINE_GRACE
from errors.terminal import gettext as _
from performance.cache import invalidate_tags


def get_repairable_diagnoses() -> DiagnosisQuerySet:
    """Return the diagnoses without a live job that have ended or are past their deadline."""
    now = timezone.now()
    latest_overdue_start = now - timedelta(seconds=settings.DIAGNOSIS_TIMEOUT_SECONDS) - DEADLINE_GRACE
    overdue = Q(deadline_at__lt=now - DEADLINE_GRACE) | Q(deadline_at=None, created_at__lt=latest_overdue_start)
    return queue.filter_without_live_job(Diagnosis.objects.filter(Q(status__in=FINAL_STATUSES) | overdue))


class Defect(ABC):
    """A kind of error in old records."""

    name: str
    description: str
    """Description of the defect in one line."""
    fix_description: str
    """How it is fixed, in one line."""

    @abstractmethod
    def find_affected(self) -> QuerySet[Any]:
        """Return the affected rows, which no longer include a row after its fix."""

    @abstractmethod
    def fix_batch(self, keys: Iterable[Any]) -> tuple[int, ChangeSet]:
        """Lock those of the rows that are still affected; return their number and the changes that fix them."""

    @abstractmethod
    def describe(self, row: Any) -> str:
        """Describe an affected row in one line."""


class DiagnosisDefect(Defect):
    """A defect of diagnoses."""

    @abstractmethod
    def find_affected(self) -> DiagnosisQuerySet:
        """Return the affected diagnoses that no worker is running."""

    @abstractmethod
    def fix(self, repair: DiagnosisRepair) -> None:
        """Add the changes that fix a diagnosis to its change set."""

    def fix_batch(self, keys: Iterable[UUID]) -> tuple[int, ChangeSet]:
        """Lock first, then check again: a diagnosis may have been fixed or continued in the meantime."""
        repairs = load_repairs(keys, lock=True)
        still_affected = set(
            self.find_affected().filter(pk__in=[repair.diagnosis.pk for repair in repairs]).values_list("pk", flat=True)
        )
        repairs = [repair for repair in repairs if repair.diagnosis.pk in still_affected]
        changes = share_change_set(repairs)
        for repair in repairs:
            self.fix(repair)
        if repairs:
            invalidate_tags(*(get_report_cache_tag(repair.diagnosis.pk) for repair in repairs))
        return len(repairs), changes

    def describe(self, row: Diagnosis) -> str:
        """Return id, brand, day, status and counts."""
        counts = _("计划 %(planned)d，有效 %(valid)d，失败 %(failed)d，被过滤 %(filtered)d") % {
            name: getattr(row, name) for name in ("planned", "valid", "failed", "filtered")
        }
        return f"{row.pk} {row.brand} {timezone.localtime(row.created_at):%Y-%m-%d} {row.status}: {counts}"
