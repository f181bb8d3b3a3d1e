"""Times without a zone, some local and some UTC; the import reads them all as local time."""

import itertools
from datetime import datetime, timedelta
from operator import itemgetter

from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone

from diagnosis.choices import FINAL_STATUSES
from diagnosis.models import Answer, DiagnosisQuerySet
from diagnosis.repair.defects.base import DiagnosisDefect, get_repairable_diagnoses
from diagnosis.repair.diagnosis_repair import DiagnosisRepair
from errors.terminal import gettext_lazy

TIME_COLUMNS = ("created_at", "started_at", "finished_at")
MAX_RUN_DURATION = timedelta(hours=6)  # no run takes longer; smaller UTC offsets cannot be told from durations

_ANSWERED_BEFORE_START = Q(answered_at__lt=OuterRef("created_at"))
_ANSWERED_TOO_LATE = Q(answered_at__gt=OuterRef("finished_at") + MAX_RUN_DURATION)
_ANSWERED_OUTSIDE = Exists(Answer.objects.filter(_ANSWERED_BEFORE_START | _ANSWERED_TOO_LATE, diagnosis=OuterRef("pk")))


class MixedTimezones(DiagnosisDefect):
    """A row has naive local times and naive UTC times."""

    name = "times_mixed"
    description = gettext_lazy("导入的时间自相矛盾：当地时间与 UTC 混用")
    fix_description = gettext_lazy("把部分时间按 UTC 读取，使创建、开始、回答、结束的先后正确")

    def find_affected(self) -> DiagnosisQuerySet:
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
        """Use the interpretation with the shortest run; without a plausible one, keep the times and note that."""
        assert repair.legacy
        interpretation = _find_best_interpretation(repair)
        if interpretation:
            repair.changes.set(repair.diagnosis, **interpretation)
        first, last = repair.diagnosis.created_at, repair.diagnosis.finished_at or repair.get_last_activity_at()
        for answer in repair.answers:
            at = answer.answered_at
            if at and not first <= at <= last and first <= at + _get_utc_offset(at) <= last:
                repair.changes.set(answer, answered_at=at + _get_utc_offset(at))
        outcome = "mended" if interpretation else "unclear"
        repair.changes.set(repair.legacy, facts={**repair.facts, "times": outcome})


def _get_utc_offset(moment: datetime) -> timedelta:
    """Return the site's offset from UTC, by which a UTC time read as local time is too early."""
    return timezone.localtime(moment).utcoffset() or timedelta()


def _find_best_interpretation(repair: DiagnosisRepair) -> dict[str, datetime] | None:
    recorded = {name: getattr(repair.diagnosis, name) for name in TIME_COLUMNS if getattr(repair.diagnosis, name)}
    naive = [name for name in recorded if name in repair.facts.get("naive", [])]
    plausible: list[tuple[timedelta, dict[str, datetime]]] = []
    for utc_names in itertools.chain.from_iterable(itertools.combinations(naive, n) for n in range(len(naive) + 1)):
        times = {name: at + _get_utc_offset(at) if name in utc_names else at for name, at in recorded.items()}
        duration = max(times.values()) - min(times.values())
        if list(times.values()) == sorted(times.values()) and duration <= MAX_RUN_DURATION:
            plausible.append((duration, times))
    # min returns the first of the shortest, which has the fewest changes.
    return min(plausible, key=itemgetter(0))[1] if plausible else None
