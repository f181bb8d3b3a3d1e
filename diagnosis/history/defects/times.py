"""Times without a zone: some the origin wrote as local time, some as UTC. The import reads them all as local."""

import itertools
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone

from diagnosis.choices import FINAL
from diagnosis.history.case import Case
from diagnosis.history.defects.base import DiagnosisDefect, repairable
from diagnosis.models import Answer, DiagnosisQuerySet

COLUMNS = ("created_at", "started_at", "finished_at")
LONGEST = timedelta(hours=6)  # no run lasts so long; zones that would be mixed up for less are at sea

_EARLY = Q(answered_at__lt=OuterRef("created_at"))
_LATE = Q(answered_at__gt=OuterRef("finished_at") + LONGEST)
_ANSWERED_OUTSIDE = Exists(Answer.objects.filter(_EARLY | _LATE, diagnosis=OuterRef("pk")))


class TimesMixed(DiagnosisDefect):
    """Naive local times beside naive UTC times, in one row."""

    name = "times_mixed"
    wrong = "imported times that contradict each other: local time and UTC were mixed"
    mended = "those that were UTC are read as UTC, so that created, started, answered, finished follow each other"

    def broken(self) -> DiagnosisQuerySet:
        """Imported with times without a zone, which are out of order or hours apart."""
        disorder = (
            Q(started_at__lt=F("created_at"))
            | Q(finished_at__lt=F("started_at"))
            | Q(finished_at__lt=F("created_at"))
            | Q(started_at__gt=F("created_at") + LONGEST)
            | Q(finished_at__gt=F("created_at") + LONGEST)
            | Q(_ANSWERED_OUTSIDE)
        )
        naive = Q(legacy__facts__naive__0__isnull=False, legacy__facts__times__isnull=True)
        return repairable().filter(naive & disorder, status__in=FINAL)

    def mend(self, case: Case) -> None:
        """Take the reading in which they follow each other closest; without one, leave them and note that."""
        assert case.legacy
        reading = _best_reading(case)
        if reading:
            case.changes.set(case.diagnosis, **reading)
        _read_answers(case)
        times = "mended" if reading else "unclear"
        case.changes.set(case.legacy, facts={**case.facts, "times": times})


def _offset(moment: datetime) -> timedelta:
    """What the site's zone is ahead of UTC: by so much earlier was UTC read when it was taken for local time."""
    return timezone.localtime(moment).utcoffset() or timedelta()


def _best_reading(case: Case) -> dict[str, datetime] | None:
    readings = [reading for reading in _readings(case) if _is_plausible(list(reading.values()))]
    # The first of the shortest is the one with the fewest changes.
    return min(readings, key=lambda reading: max(reading.values()) - min(reading.values()), default=None)


def _readings(case: Case) -> Iterator[dict[str, datetime]]:
    given = {name: getattr(case.diagnosis, name) for name in COLUMNS if getattr(case.diagnosis, name)}
    naive = [name for name in given if name in case.facts.get("naive", [])]
    for count in range(len(naive) + 1):
        for chosen in itertools.combinations(naive, count):
            yield {name: at + _offset(at) if name in chosen else at for name, at in given.items()}


def _is_plausible(times: Sequence[datetime]) -> bool:
    return all(first <= then for first, then in itertools.pairwise(times)) and times[-1] - times[0] <= LONGEST


def _read_answers(case: Case) -> None:
    first, last = case.diagnosis.created_at, case.diagnosis.finished_at or case.last_sign_of_life()
    for answer in case.answers:
        at = answer.answered_at
        if at and not first <= at <= last:
            moved = at + _offset(at)
            if first <= moved <= last:
                case.changes.set(answer, answered_at=moved)
