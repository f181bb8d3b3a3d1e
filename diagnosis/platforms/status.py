"""How diagnoses and platforms stand now, for the operators' dashboard (settings.DASHBOARD_DIAGNOSES, …_PLATFORMS)."""

from typing import Any

from django.conf import settings
from django.db.models import Count
from django.utils import timezone
from django.utils.translation import gettext as _

from diagnosis.choices import UNFINISHED_STATUSES, DiagnosisStatus, FailureReason
from diagnosis.models import Diagnosis, Platform
from diagnosis.platforms.health_check import awaits_probe
from diagnosis.platforms.openai_client import has_usable_key


def count_unfinished_by_status() -> dict[str, int]:
    """{state in words: diagnoses in it}, in the order of the way; those of the demo platform with DEMO=1 only."""
    labels = {
        DiagnosisStatus.QUEUED: _("排队中"),
        DiagnosisStatus.ASKING: _("询问中"),
        DiagnosisStatus.ANALYSING: _("分析中"),
    }
    diagnoses = Diagnosis.objects.unfinished() if settings.DEMO else Diagnosis.objects.unfinished().without_demo()
    counts = dict(diagnoses.order_by().values_list("status").annotate(count=Count("pk")))
    return {labels[status]: counts.get(status, 0) for status in UNFINISHED_STATUSES}


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
    labels = {
        FailureReason.QUOTA: _("配额用尽或欠费"),
        FailureReason.RATE: _("被限速"),
        FailureReason.KEY: _("密钥无效或缺失"),
        FailureReason.MODEL: _("模型不存在或未开通"),
        FailureReason.BUSY: _("平台繁忙或故障"),
        FailureReason.TIMEOUT: _("超时"),
        FailureReason.CONNECTION: _("无法连接"),
        FailureReason.OPERATOR: _("运营人员暂停"),
    }
    return labels.get(FailureReason(reason), reason) if reason in FailureReason.values else _("原因未知")
