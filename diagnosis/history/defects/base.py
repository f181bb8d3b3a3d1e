"""What a defect is: a name, what is wrong, how it is put right, the rows that have it, and the mend of one of them."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils import timezone

from diagnosis import jobs
from diagnosis.cached import report_version
from diagnosis.choices import FINAL
from diagnosis.history.case import Case, load_cases, share_changes
from diagnosis.history.changes import Changes
from diagnosis.models import Diagnosis, DiagnosisQuerySet
from diagnosis.recovery import GRACE
from performance.cache import touch


def repairable() -> DiagnosisQuerySet:
    """Those that nobody is working on: no live job holds them, and they have ended or are past their deadline."""
    now = timezone.now()
    given_up = now - timedelta(seconds=settings.DIAGNOSIS_TIMEOUT_SECONDS) - GRACE
    overdue = Q(deadline_at__lt=now - GRACE) | Q(deadline_at=None, created_at__lt=given_up)
    return jobs.without_live_job(Diagnosis.objects.filter(Q(status__in=FINAL) | overdue))


class Defect(ABC):
    """One way in which old records are wrong."""

    name: str
    wrong: str
    """What is wrong, in a line."""
    mended: str
    """How it is put right, in a line."""

    @abstractmethod
    def broken(self) -> QuerySet[Any]:
        """The rows that have it. After a mend, a row is not among them any more."""

    @abstractmethod
    def mend_batch(self, keys: Iterable[Any]) -> tuple[int, Changes]:
        """Lock those of these rows that still have it and collect what mends them; how many they are."""

    @abstractmethod
    def describe(self, row: Any) -> str:
        """A row as an example, in a line."""


class DiagnosisDefect(Defect):
    """A defect of diagnoses."""

    @abstractmethod
    def broken(self) -> DiagnosisQuerySet:
        """The diagnoses that have it and that nobody is working on."""

    @abstractmethod
    def mend(self, case: Case) -> None:
        """Collect what puts one right."""

    def mend_batch(self, keys: Iterable[UUID]) -> tuple[int, Changes]:
        """Locked first, looked at again then: meanwhile somebody may have put it right, or taken it up."""
        cases = load_cases(keys, lock=True)
        still = set(self.broken().filter(pk__in=[case.diagnosis.pk for case in cases]).values_list("pk", flat=True))
        cases = [case for case in cases if case.diagnosis.pk in still]
        changes = share_changes(cases)
        for case in cases:
            self.mend(case)
        if cases:
            touch(*(report_version(case.diagnosis.pk) for case in cases))
        return len(cases), changes

    def describe(self, row: Diagnosis) -> str:
        """Its id, brand, day, state and counts."""
        counts = f"{row.valid} valid, {row.failed} failed, {row.filtered} filtered of {row.planned}"
        return f"{row.pk} {row.brand} {timezone.localtime(row.created_at):%Y-%m-%d} {row.status}: {counts}"
