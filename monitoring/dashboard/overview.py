"""The current state of the site: running and waiting work, connections, open alerts, health, platforms."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from asgiref.sync import async_to_sync
from django.conf import settings
from django.db.models import Count
from django.utils.module_loading import import_string
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from procrastinate.contrib.django.models import ProcrastinateJob

from monitoring.dashboard.charts import PlatformStats
from monitoring.health import NO_ANSWER_IN_TIME, REQUIRED_CHECKS, HealthResult, check_health, get_overall_status
from monitoring.models import Alert
from monitoring.models.rules import AlertSeverity
from progress.statistics import get_connection_statistics

MAX_OPEN_ALERTS = 20


@dataclass(frozen=True)
class HealthSummary:
    """The overall status and the result of each check, as text."""

    status: str
    text: str
    checks: list[dict[str, Any]]


@dataclass(frozen=True)
class PlatformStatusRow:
    """The current state of a platform, with its statistics of the time range (None if it was not called)."""

    name: str
    is_demo: bool
    is_well: bool
    state: str
    until: datetime | None
    row: PlatformStats | None = field(default=None)


@dataclass(frozen=True)
class Tile:
    """One figure at the top of the page, with its details."""

    name: str
    title: str
    figure: str
    parts: str
    tone: str = ""


def build_tiles(health: HealthSummary) -> list[Tile]:
    """Return the figures at the top of the page."""
    diagnoses: dict[str, int] = _call_provider(settings.DASHBOARD_DIAGNOSES)
    rows = ProcrastinateJob.objects.filter(status__in=["todo", "doing"]).order_by().values_list("status")
    job_counts: dict[str, int] = dict(rows.annotate(count=Count("pk")))
    jobs = {_("等待"): job_counts.get("todo", 0), _("运行"): job_counts.get("doing", 0)}
    connected = get_connection_statistics()
    connections = {"WebSocket": connected.sockets_open, _("长轮询"): connected.polls_open}
    open_alerts = Alert.objects.open()
    alert_count, silenced = open_alerts.count(), open_alerts.exclude(held_back_by=None).count()
    silenced_text = _("其中静默 %d") % silenced
    failing = "、".join(check["words"] for check in health.checks if not check["is_ok"])
    failing_text = _("异常：%s") % failing if failing else _("各项检查均通过")
    tone = {"ok": "good", "degraded": "warning", "unavailable": "bad"}[health.status]
    return [
        Tile("health", _("系统"), health.text, failing_text, tone),
        Tile("alerts", _("未解除的告警"), str(alert_count), silenced_text, "bad" if alert_count > silenced else ""),
        Tile("diagnoses", _("进行中的诊断"), str(sum(diagnoses.values())), _format_counts(diagnoses)),
        Tile("jobs", _("后台任务"), str(sum(jobs.values())), _format_counts(jobs)),
        Tile("connections", _("当前连接"), str(sum(connections.values())), _format_counts(connections)),
    ]


def _format_counts(counts: dict[str, int]) -> str:
    return " · ".join(f"{label} {count}" for label, count in counts.items())


def get_health_summary() -> HealthSummary:
    """Run every check; takes a bounded time even if a check hangs."""
    results = async_to_sync(check_health)()
    status_texts = {"ok": _("正常"), "degraded": _("可用，有异常"), "unavailable": _("不可用")}
    labels = {
        "database": _("数据库"),
        "redis": "Redis",
        "push": _("推送通道"),
        "jobs": _("任务进程"),
        "disk": _("磁盘"),
    }
    checks = [
        {
            "words": labels[result.name],
            "is_ok": result.is_ok,
            "is_needed": result.name in REQUIRED_CHECKS,
            "ms": result.ms,
            "detail": "" if result.is_ok else _describe_failed_check(result),
        }
        for result in results
    ]
    status = get_overall_status(results)
    return HealthSummary(status, status_texts[status], checks)


def _describe_failed_check(result: HealthResult) -> str:
    """Return what a failed check means, localized; the detail is for logs and the API."""
    if result.detail == NO_ANSWER_IN_TIME:
        return _("没有及时回应")
    texts = {
        "database": _("无法查询"),
        "redis": _("无法连接"),
        "push": _("通知没有送达"),
        "jobs": _("没有任务进程的心跳"),
        "disk": _("快满了"),
    }
    return (
        f"{texts[result.name]}（{result.detail}）"
        if result.name in ("database", "redis", "push")
        else texts[result.name]
    )


def list_open_alerts() -> list[dict[str, Any]]:
    """Return the open alerts, newest first, with titles in the current language."""
    severities = {
        AlertSeverity.INFO: _("提示"),
        AlertSeverity.WARNING: _("警告"),
        AlertSeverity.ERROR: _("错误"),
        AlertSeverity.CRITICAL: _("严重"),
    }
    is_english = (get_language() or "").startswith("en")
    alerts = Alert.objects.open().select_related("rule", "acknowledged_by")[:MAX_OPEN_ALERTS]
    return [
        {
            "pk": alert.pk,
            "title": (alert.rule.title_en if is_english and alert.rule else "") or alert.title,
            "severity": alert.severity,
            "severity_words": severities[AlertSeverity(alert.severity)],
            "fired_at": alert.fired_at,
            "acknowledged_by": alert.acknowledged_by,
            "is_silenced": alert.held_back_by_id is not None,
        }
        for alert in alerts
    ]


def list_platform_status_rows(stats: dict[str, PlatformStats]) -> list[PlatformStatusRow]:
    """Return the current state of each platform with its statistics."""
    return [
        PlatformStatusRow(
            platform["name"],
            platform["is_demo"],
            platform["is_well"],
            platform["state"],
            platform["until"],
            stats.get(platform["id"]),
        )
        for platform in _call_provider(settings.DASHBOARD_PLATFORMS)
    ]


def _call_provider(path: str) -> Any:
    """Call a function of a higher layer, named by its dotted path in the settings."""
    provider: Callable[[], Any] = import_string(path)
    return provider()
