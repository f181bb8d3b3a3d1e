"""How diagnoses and platforms stand now, for the operators' dashboard (settings.DASHBOARD_DIAGNOSES, …_PLATFORMS)."""

from typing import Any

from django.conf import settings
from django.db.models import Count
from django.utils import timezone
from django.utils.translation import gettext as _

from diagnosis.choices import UNFINISHED_STATUSES, FailureReason
from diagnosis.models import Diagnosis, Platform
from diagnosis.platforms.health_check import awaits_probe
from diagnosis.platforms.openai_client import has_usable_key


def count_unfinished_by_status() -> dict[str, int]:
    """{state in words: diagnoses in it}, in the order of the way; those of the demo platform with DEMO=1 only."""
    diagnoses = Diagnosis.objects.unfinished() if settings.DEMO else Diagnosis.objects.unfinished().without_demo()
    counts = dict(diagnoses.order_by().values_list("status").annotate(count=Count("pk")))
    return {str(status.label): counts.get(status, 0) for status in UNFINISHED_STATUSES}


def get_platform_statuses() -> list[dict[str, Any]]:
    """{id, name, is_demo, is_well, state, until}: state in words, until when a pause lasts; demo with DEMO=1 only."""
    platforms = Platform.objects.all() if settings.DEMO else Platform.objects.filter(is_demo=False)
    return [_build_platform_status(platform) for platform in platforms]


def _build_platform_status(platform: Platform) -> dict[str, Any]:
    is_paused = bool(platform.paused_until and platform.paused_until > timezone.now())
    state = _describe_problem(platform, is_paused=is_paused)
    return {
        "id": platform.pk,
        "name": platform.name,
        "is_demo": platform.is_demo,
        "is_well": state is None,
        "state": state or _("正常"),
        "until": platform.paused_until if is_paused and platform.is_enabled else None,
    }


def _describe_problem(platform: Platform, *, is_paused: bool) -> str | None:
    """What keeps it from being asked; None when nothing does."""
    if not platform.is_enabled:
        return _("已停用")
    if not has_usable_key(platform):
        return _("没有密钥")
    if is_paused:
        return _("已暂停：%(reason)s") % {"reason": describe_pause_reason(platform.pause_reason)}
    return _("待检查") if awaits_probe(platform) else None


def describe_pause_reason(reason: str) -> str:
    """Why a platform was paused, in the reader's language."""
    return str(FailureReason(reason).label) if reason in FailureReason.values else _("原因未知")
