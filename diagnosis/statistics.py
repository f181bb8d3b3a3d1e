"""What is counted in rows, for everybody and for the operators."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Count
from django.utils import timezone

from diagnosis.choices import UNFINISHED_STATUSES, AnswerState, DiagnosisStatus
from diagnosis.models import Diagnosis

STATISTICS_DAYS = 30

RUNNING_STATUSES = [DiagnosisStatus.ASKING, DiagnosisStatus.ANALYSING]


def count_running_by_demo() -> dict[tuple[str, ...], float]:
    """Diagnoses that run now, by whether they are demos."""
    running = Diagnosis.objects.unfinished().filter(status__in=RUNNING_STATUSES).order_by().values_list("is_demo")
    counts = dict(running.annotate(count=Count("pk")))
    return {(str(is_demo).lower(),): counts.get(is_demo, 0) for is_demo in (False, True)}


# One round trip: what is counted, of what, of which kind, and how many.
_COUNTS_SQL = """
SELECT 'diagnoses', status, is_imported::text, count(*)
FROM diagnosis_diagnosis WHERE NOT is_demo GROUP BY status, is_imported
UNION ALL
SELECT 'answers', platform_id, state, count(*)  -- a retry carries answers over: they were asked for once
FROM diagnosis_answer WHERE NOT is_demo AND NOT is_carried_over GROUP BY platform_id, state
UNION ALL
SELECT 'days', day::text, status, count(*)
FROM (
    SELECT (created_at AT TIME ZONE %s)::date AS day, status
    FROM diagnosis_diagnosis WHERE NOT is_demo AND created_at >= %s
) AS recent GROUP BY day, status
"""


def compute_statistics() -> dict[str, Any]:
    """Diagnoses and answers of real platforms: in all, by status, by platform and by day of the site's time zone."""
    now = timezone.now()
    by_status, running = Counter[str](), 0
    by_platform: dict[str, dict[str, int]] = {}
    by_day: dict[str, dict[str, int]] = {}
    for subject, group, kind, count in _query_counts(now - timedelta(days=STATISTICS_DAYS)):
        if subject == "diagnoses":
            by_status[group] += count
            running += (
                count if group in UNFINISHED_STATUSES and kind == "false" else 0
            )  # as DiagnosisQuerySet.unfinished
        else:
            (by_platform if subject == "answers" else by_day).setdefault(group, {})[kind] = count
    return {
        "as_of": now.isoformat(),
        "diagnoses": by_status.total(),
        "running": running,
        "by_status": dict(by_status),
        "answers": sum(sum(states.values()) for states in by_platform.values()),
        "valid_answers": sum(states.get(AnswerState.VALID, 0) for states in by_platform.values()),
        "by_platform": by_platform,
        "by_day": [_build_day(day, by_day[day]) for day in sorted(by_day)],
    }


def _query_counts(since: datetime) -> list[tuple[str, str, str, int]]:
    with connection.cursor() as cursor:
        cursor.execute(_COUNTS_SQL, [timezone.get_current_timezone_name(), since])
        rows: list[tuple[str, str, str, int]] = cursor.fetchall()
    return rows


def _build_day(day: str, statuses: dict[str, int]) -> dict[str, Any]:
    ended_well = statuses.get(DiagnosisStatus.COMPLETED, 0) + statuses.get(DiagnosisStatus.PARTIAL, 0)
    return {"day": day, "started": sum(statuses.values()), "ended_well": ended_well}
