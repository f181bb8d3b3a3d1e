"""How diagnoses and platforms stand now, for the operators' dashboard (settings.DASHBOARD_DIAGNOSES, …_PLATFORMS)."""

from typing import Any

from django.conf import settings
from django.db.models import Count
from django.utils import timezone
from django.utils.translation import gettext as _

from diagnosis.choices import UNFINISHED, Reason
from diagnosis.client import has_usable_key
from diagnosis.models import Diagnosis, Platform
from diagnosis.probing import awaits_probe


def count_unfinished() -> dict[str, int]:
    """{state in words: diagnoses in it}, in the order of the way; those of the demo platform with DEMO=1 only."""
    diagnoses = Diagnosis.objects.unfinished() if settings.DEMO else Diagnosis.objects.unfinished().real()
    counts = dict(diagnoses.order_by().values_list("status").annotate(count=Count("pk")))
    return {str(status.label): counts.get(status, 0) for status in UNFINISHED}


def list_platforms() -> list[dict[str, Any]]:
    """{id, name, is_demo, is_well, state, until}: state in words, until when a pause lasts; demo with DEMO=1 only."""
    platforms = Platform.objects.all() if settings.DEMO else Platform.objects.filter(is_demo=False)
    return [_platform(platform) for platform in platforms]


def _platform(platform: Platform) -> dict[str, Any]:
    is_paused = bool(platform.paused_until and platform.paused_until > timezone.now())
    state = _state(platform, is_paused=is_paused)
    return {
        "id": platform.pk,
        "name": platform.name,
        "is_demo": platform.is_demo,
        "is_well": state is None,
        "state": state or _("正常"),
        "until": platform.paused_until if is_paused and platform.is_enabled else None,
    }


def _state(platform: Platform, *, is_paused: bool) -> str | None:
    """What keeps it from being asked; None when nothing does."""
    if not platform.is_enabled:
        return _("已停用")
    if not has_usable_key(platform):
        return _("没有密钥")
    if is_paused:
        return _("已暂停：%(reason)s") % {"reason": reason_in_words(platform.pause_reason)}
    return _("待检查") if awaits_probe(platform) else None


def reason_in_words(reason: str) -> str:
    """Why a platform was paused, in the reader's language."""
    return str(Reason(reason).label) if reason in Reason.values else _("原因未知")
