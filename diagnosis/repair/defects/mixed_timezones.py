"""Times without a zone: some the origin wrote as local time, some as UTC. The import reads them all as local."""

import itertools
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone

from diagnosis.choices import FINAL_STATUSES
from diagnosis.models import Answer, DiagnosisQuerySet
from diagnosis.repair.defects.base import DiagnosisDefect, get_repairable_diagnoses
from diagnosis.repair.diagnosis_repair import DiagnosisRepair

TIME_COLUMNS = ("created_at", "started_at", "finished_at")
MAX_RUN_DURATION = timedelta(hours=6)  # no run lasts so long; zones that would be mixed up for less are at sea

_ANSWERED_BEFORE_START = Q(answered_at__lt=OuterRef("created_at"))
_ANSWERED_TOO_LATE = Q(answered_at__gt=OuterRef("finished_at") + MAX_RUN_DURATION)
_ANSWERED_OUTSIDE = Exists(Answer.objects.filter(_ANSWERED_BEFORE_START | _ANSWERED_TOO_LATE, diagnosis=OuterRef("pk")))


class MixedTimezones(DiagnosisDefect):
    """Naive local times beside naive UTC times, in one row."""

    name = "times_mixed"
    description = "imported times that contradict each other: local time and UTC were mixed"
    fix_description = (
        "those that were UTC are read as UTC, so that created, started, answered, finished follow each other"
    )

    def find_affected(self) -> DiagnosisQuerySet:
        """Imported with times without a zone, which are out of order or hours apart."""
        is_inconsistent = (
            Q(started_at__lt=F("created_at"))
            | Q(finished_at__lt=F("started_at"))
            | Q(finished_at__lt=F("created_at"))
            | Q(started_at__gt=F("created_at") + MAX_RUN_DURATION)
            | Q(finished_at__gt=F("created_at") + MAX_RUN_DURATION)
            | Q(_ANSWERED_OUTSIDE)
        )
        is_naive = Q(legacy__facts__naive__0__isnull=False, legacy__facts__times__isnull=True)
        return get_repairable_diagnoses().filter(is_naive & is_inconsistent, status__in=FINAL_STATUSES)

    def fix(self, repair: DiagnosisRepair) -> None:
        """Take the reading in which they follow each other closest; without one, leave them and note that."""
        assert repair.legacy
        interpretation = _find_best_interpretation(repair)
        if interpretation:
            repair.changes.set(repair.diagnosis, **interpretation)
        _fix_answer_times(repair)
        outcome = "mended" if interpretation else "unclear"
        repair.changes.set(repair.legacy, facts={**repair.facts, "times": outcome})


def _get_utc_offset(moment: datetime) -> timedelta:
    """What the site's zone is ahead of UTC: by so much earlier was UTC read when it was taken for local time."""
    return timezone.localtime(moment).utcoffset() or timedelta()


def _find_best_interpretation(repair: DiagnosisRepair) -> dict[str, datetime] | None:
    interpretations = [
        interpretation
        for interpretation in _iter_interpretations(repair)
        if _is_plausible(list(interpretation.values()))
    ]
    # The first of the shortest is the one with the fewest changes.
    return min(
        interpretations,
        key=lambda interpretation: max(interpretation.values()) - min(interpretation.values()),
        default=None,
    )


def _iter_interpretations(repair: DiagnosisRepair) -> Iterator[dict[str, datetime]]:
    recorded = {name: getattr(repair.diagnosis, name) for name in TIME_COLUMNS if getattr(repair.diagnosis, name)}
    naive = [name for name in recorded if name in repair.facts.get("naive", [])]
    for count in range(len(naive) + 1):
        for chosen in itertools.combinations(naive, count):
            yield {name: at + _get_utc_offset(at) if name in chosen else at for name, at in recorded.items()}


def _is_plausible(times: Sequence[datetime]) -> bool:
    return all(first <= then for first, then in itertools.pairwise(times)) and times[-1] - times[0] <= MAX_RUN_DURATION


def _fix_answer_times(repair: DiagnosisRepair) -> None:
    first, last = repair.diagnosis.created_at, repair.diagnosis.finished_at or repair.get_last_activity_at()
    for answer in repair.answers:
        at = answer.answered_at
        if at and not first <= at <= last:
            as_utc = at + _get_utc_offset(at)
            if first <= as_utc <= last:
                repair.changes.set(answer, answered_at=as_utc)
