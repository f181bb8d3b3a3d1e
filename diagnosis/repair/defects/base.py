"""What a defect is: a name, what is wrong, how it is put right, the rows that have it, and the mend of one of them."""

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
from diagnosis.repair.change_journal import ChangeSet
from diagnosis.repair.diagnosis_repair import DiagnosisRepair, load_repairs, share_change_set
from diagnosis.reports.cache import get_report_cache_tag
from diagnosis.running import queue
from diagnosis.running.recovery import DEADLINE_GRACE
from performance.cache import invalidate_tags


def get_repairable_diagnoses() -> DiagnosisQuerySet:
    """Those that nobody is working on: no live job holds them, and they have ended or are past their deadline."""
    now = timezone.now()
    latest_overdue_start = now - timedelta(seconds=settings.DIAGNOSIS_TIMEOUT_SECONDS) - DEADLINE_GRACE
    overdue = Q(deadline_at__lt=now - DEADLINE_GRACE) | Q(deadline_at=None, created_at__lt=latest_overdue_start)
    return queue.filter_without_live_job(Diagnosis.objects.filter(Q(status__in=FINAL_STATUSES) | overdue))


class Defect(ABC):
    """One way in which old records are wrong."""

    name: str
    description: str
    """What is wrong, in a line."""
    fix_description: str
    """How it is put right, in a line."""

    @abstractmethod
    def find_affected(self) -> QuerySet[Any]:
        """The rows that have it. After a mend, a row is not among them any more."""

    @abstractmethod
    def fix_batch(self, keys: Iterable[Any]) -> tuple[int, ChangeSet]:
        """Lock those of these rows that still have it and collect what mends them; how many they are."""

    @abstractmethod
    def describe(self, row: Any) -> str:
        """A row as an example, in a line."""


class DiagnosisDefect(Defect):
    """A defect of diagnoses."""

    @abstractmethod
    def find_affected(self) -> DiagnosisQuerySet:
        """The diagnoses that have it and that nobody is working on."""

    @abstractmethod
    def fix(self, repair: DiagnosisRepair) -> None:
        """Collect what puts one right."""

    def fix_batch(self, keys: Iterable[UUID]) -> tuple[int, ChangeSet]:
        """Locked first, looked at again then: meanwhile somebody may have put it right, or taken it up."""
        repairs = load_repairs(keys, lock=True)
        still_affected = set(
            self.find_affected().filter(pk__in=[case.diagnosis.pk for case in repairs]).values_list("pk", flat=True)
        )
        repairs = [case for case in repairs if case.diagnosis.pk in still_affected]
        changes = share_change_set(repairs)
        for repair in repairs:
            self.fix(repair)
        if repairs:
            invalidate_tags(*(get_report_cache_tag(case.diagnosis.pk) for case in repairs))
        return len(repairs), changes

    def describe(self, row: Diagnosis) -> str:
        """Its id, brand, day, state and counts."""
        counts = f"{row.valid} valid, {row.failed} failed, {row.filtered} filtered of {row.planned}"
        return f"{row.pk} {row.brand} {timezone.localtime(row.created_at):%Y-%m-%d} {row.status}: {counts}"
