"""What is counted in rows, for everybody and for the operators."""

from datetime import timedelta
from typing import Any

from django.db.models import Count, Q
from django.db.models.functions import TruncDate
from django.utils import timezone

from diagnosis.choices import AnswerState, Status
from diagnosis.models import Answer, Diagnosis

DAYS = 30

RUNNING = [Status.ASKING, Status.ANALYSING]


def count_running() -> dict[tuple[str, ...], float]:
    """Diagnoses that run now, by whether they are demos."""
    running = Diagnosis.objects.unfinished().filter(status__in=RUNNING).order_by().values_list("is_demo")
    counts = dict(running.annotate(count=Count("pk")))
    return {(str(is_demo).lower(),): counts.get(is_demo, 0) for is_demo in (False, True)}


def count_everything() -> dict[str, Any]:
    """Diagnoses and answers of real platforms: in all, by status, by platform and by day of the site's time zone."""
    real = Diagnosis.objects.real()
    by_status = dict(real.order_by().values_list("status").annotate(Count("pk")))
    # A retry carries answers over: they were asked for once.
    asked = Answer.objects.filter(is_demo=False, is_carried_over=False)
    rows = asked.order_by().values_list("platform_id", "state").annotate(Count("pk"))
    by_platform: dict[str, dict[str, int]] = {}
    for platform, state, count in rows:
        by_platform.setdefault(platform, {})[state] = count
    return {
        "as_of": timezone.now().isoformat(),
        "diagnoses": sum(by_status.values()),
        "running": real.unfinished().count(),
        "by_status": by_status,
        "answers": sum(sum(states.values()) for states in by_platform.values()),
        "valid_answers": sum(states.get(AnswerState.VALID, 0) for states in by_platform.values()),
        "by_platform": by_platform,
        "by_day": _by_day(),
    }


def _by_day() -> list[dict[str, Any]]:
    """The last 30 days on which something was started, oldest first."""
    recent = Diagnosis.objects.real().filter(created_at__gte=timezone.now() - timedelta(days=DAYS))
    ended_well = Count("pk", filter=Q(status__in=[Status.COMPLETED, Status.PARTIAL]))
    days = recent.order_by().annotate(day=TruncDate("created_at")).values("day")
    counted = days.annotate(started=Count("pk"), ended_well=ended_well).order_by("day")
    return [{**row, "day": row["day"].isoformat()} for row in counted]
