"""Current status of diagnoses and platforms, for lower layers (settings.DASHBOARD_DIAGNOSES, …_PLATFORMS)."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext as _

from diagnosis.choices import UNFINISHED_STATUSES, AnswerState
from diagnosis.models import Answer, Diagnosis, Platform
from diagnosis.platforms.availability import Obstacle, describe_obstacle, describe_pause_reason, find_obstacle


def count_unfinished_by_status() -> dict[str, int]:
    """Return {status label: number of diagnoses}, in order of progress; demo diagnoses only with DEMO=1."""
    diagnoses = Diagnosis.objects.unfinished() if settings.DEMO else Diagnosis.objects.unfinished().without_demo()
    counts = dict(diagnoses.order_by().values_list("status").annotate(count=Count("pk")))
    return {str(status.label): counts.get(status, 0) for status in UNFINISHED_STATUSES}


def get_platform_statuses() -> list[dict[str, Any]]:
    """Return {id, name, is_demo, is_well, state, until} per platform; demo platforms only with DEMO=1.

    state: a localized label; until: the end of a pause, else None.
    """
    platforms = Platform.objects.all() if settings.DEMO else Platform.objects.filter(is_demo=False)
    problems = {platform: _describe_problem(platform) for platform in platforms}
    return [
        {
            "id": platform.pk,
            "name": platform.name,
            "is_demo": platform.is_demo,
            "is_well": problem is None,
            "state": describe_state(platform),
            "until": platform.paused_until if platform.is_paused and platform.is_enabled else None,
        }
        for platform, problem in problems.items()
    ]


def describe_state(platform: Platform) -> str:
    """Return whether the platform is called, and if not, why, localized."""
    return _describe_problem(platform) or _("正常")


def get_start_of_day() -> datetime:
    """Return when today began in the site's time zone."""
    return timezone.localtime(timezone=timezone.get_default_timezone()).replace(
        hour=0, minute=0, second=0, microsecond=0
    )


def annotate_failures(platforms: QuerySet[Platform]) -> QuerySet[Platform]:
    """Annotate platforms with `failures_today`, the number of answers that failed."""
    failed = Answer.objects.filter(
        platform=OuterRef("pk"), state=AnswerState.FAILED, is_carried_over=False, answered_at__gte=get_start_of_day()
    )
    counts = failed.order_by().values("platform").annotate(count=Count("pk")).values("count")
    return platforms.annotate(failures_today=Coalesce(Subquery(counts), 0))


def _describe_problem(platform: Platform) -> str | None:
    """Return why the platform is not called, localized; None if it is."""
    obstacle = find_obstacle(platform)
    if obstacle == Obstacle.PAUSED:
        return _("已暂停：%(reason)s") % {"reason": describe_pause_reason(platform)}
    if obstacle:
        return describe_obstacle(platform)
    return _("待检查") if platform.is_awaiting_probe else None


def get_platform_names() -> dict[str, str]:
    """Return {id: name} of all platforms, in their order."""
    return dict(Platform.objects.values_list("pk", "name"))
