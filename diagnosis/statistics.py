"""Counts of diagnoses and answers, for the overview and for metrics."""

from collections import Counter
from datetime import timedelta
from typing import Any

from django.db import connection
from django.db.models import Count, Min
from django.utils import timezone

from diagnosis.choices import UNFINISHED_STATUSES, AnswerState, DiagnosisStatus
from diagnosis.metrics import get_demo_label_value
from diagnosis.models import Diagnosis

STATISTICS_DAYS = 30

RUNNING_STATUSES = [DiagnosisStatus.ASKING, DiagnosisStatus.ANALYSING]
SUCCESSFUL_STATUSES = [DiagnosisStatus.COMPLETED, DiagnosisStatus.PARTIAL]


def count_running_by_demo() -> dict[tuple[str, ...], float]:
    """Return the number of running diagnoses by the value of the label `demo`."""
    running = Diagnosis.objects.unfinished().filter(status__in=RUNNING_STATUSES).order_by().values_list("is_demo")
    return _build_demo_values(dict(running.annotate(count=Count("pk"))))


def count_unfinished_by_demo() -> dict[tuple[str, ...], float]:
    """Return the number of queued and running diagnoses by the value of the label `demo`."""
    unfinished = Diagnosis.objects.unfinished().order_by().values_list("is_demo")
    return _build_demo_values(dict(unfinished.annotate(count=Count("pk"))))


def get_longest_waits_by_demo() -> dict[tuple[str, ...], float]:
    """Return the seconds that the first queued diagnosis has waited by the value of the label `demo`."""
    queued = Diagnosis.objects.unfinished().filter(status=DiagnosisStatus.QUEUED).order_by().values_list("is_demo")
    now = timezone.now()
    first = dict(queued.annotate(first=Min("created_at")))
    return _build_demo_values({is_demo: (now - created).total_seconds() for is_demo, created in first.items()})


def _build_demo_values(values: dict[bool, float]) -> dict[tuple[str, ...], float]:
    return {(get_demo_label_value(is_demo=is_demo),): values.get(is_demo, 0) for is_demo in (False, True)}


# One round trip. Columns: subject, group, kind, count. {owner} and {answers_of_owner} are conditions.
_COUNTS_SQL = """
SELECT 'diagnoses', status, is_imported::text, count(*)
FROM diagnosis_diagnosis WHERE NOT is_demo {owner} GROUP BY status, is_imported
UNION ALL
SELECT 'answers', platform_id, state, count(*)  -- answers that a retry copied count once
FROM diagnosis_answer WHERE NOT is_demo AND NOT is_carried_over {answers_of_owner} GROUP BY platform_id, state
UNION ALL
SELECT 'days', day::text, status, count(*)
FROM (
    SELECT (created_at AT TIME ZONE %(zone)s)::date AS day, status
    FROM diagnosis_diagnosis WHERE NOT is_demo AND created_at >= %(since)s {owner}
) AS recent GROUP BY day, status
"""
_SITE_COUNTS_SQL = _COUNTS_SQL.format(owner="", answers_of_owner="")
_OWNER_COUNTS_SQL = _COUNTS_SQL.format(
    owner="AND owner_id = %(owner)s",
    answers_of_owner="AND diagnosis_id IN (SELECT id FROM diagnosis_diagnosis WHERE owner_id = %(owner)s)",
)


def compute_statistics(owner_id: int | None) -> dict[str, Any]:
    """Count diagnoses and answers of real platforms: total, by status, by platform, by day in the site's time zone.

    owner_id: only this user's; None for those of all users.
    """
    now = timezone.now()
    by_status, running = Counter[str](), 0
    by_platform: dict[str, dict[str, int]] = {}
    by_day: dict[str, dict[str, int]] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            _SITE_COUNTS_SQL if owner_id is None else _OWNER_COUNTS_SQL,
            {
                "zone": timezone.get_current_timezone_name(),
                "since": now - timedelta(days=STATISTICS_DAYS),
                "owner": owner_id,
            },
        )
        rows: list[tuple[str, str, str, int]] = cursor.fetchall()
    for subject, group, kind, count in rows:
        if subject == "diagnoses":
            by_status[group] += count
            if group in UNFINISHED_STATUSES and kind == "false":  # as in DiagnosisQuerySet.unfinished
                running += count
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
        "by_day": [
            {
                "day": day,
                "started": sum(statuses.values()),
                "ended_well": sum(statuses.get(status, 0) for status in SUCCESSFUL_STATUSES),
            }
            for day, statuses in sorted(by_day.items())
        ],
    }
