"""What is the case now: what runs and waits, who is connected, which alerts are open, what is in order."""

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
from monitoring.health import REQUIRED_CHECKS, HealthResult, check_health, get_overall_status
from monitoring.models import Alert
from monitoring.models.rules import AlertSeverity
from progress.statistics import get_connection_statistics

MAX_OPEN_ALERTS = 20


@dataclass(frozen=True)
class HealthSummary:
    """The state of the whole, and of each check, in words."""

    status: str
    text: str
    checks: list[dict[str, Any]]


@dataclass(frozen=True)
class PlatformStatusRow:
    """How a platform stands, and what it did over the span of the page (None where it was not called)."""

    name: str
    is_demo: bool
    is_well: bool
    state: str
    until: datetime | None
    row: PlatformStats | None = field(default=None)


@dataclass(frozen=True)
class Tile:
    """One figure of the head of the page, with what it is made of."""

    name: str
    title: str
    figure: str
    parts: str
    tone: str = ""


def build_tiles(health: HealthSummary, alerts: list[dict[str, Any]]) -> list[Tile]:
    """What an operator wants to know first."""
    diagnoses: dict[str, int] = _call_provider(settings.DASHBOARD_DIAGNOSES)
    jobs = _count_jobs()
    connected = get_connection_statistics()
    unsilenced = sum(not alert["is_silenced"] for alert in alerts)
    return [
        Tile("health", _("系统"), health.text, _describe_failing_checks(health), _TONES[health.status]),
        Tile(
            "alerts",
            _("未解除的告警"),
            str(len(alerts)),
            _("其中静默 %d") % (len(alerts) - unsilenced),
            "bad" if unsilenced else "",
        ),
        Tile("diagnoses", _("进行中的诊断"), str(sum(diagnoses.values())), _format_counts(diagnoses)),
        Tile("jobs", _("后台任务"), str(sum(jobs.values())), _format_counts(jobs)),
        Tile(
            "connections",
            _("当前连接"),
            str(connected.sockets_open + connected.polls_open),
            _format_counts({"WebSocket": connected.sockets_open, _("长轮询"): connected.polls_open}),
        ),
    ]


_TONES = {"ok": "good", "degraded": "warning", "unavailable": "bad"}


def _format_counts(counts: dict[str, int]) -> str:
    return " · ".join(f"{words} {count}" for words, count in counts.items())


def _describe_failing_checks(health: HealthSummary) -> str:
    failing = [check["words"] for check in health.checks if not check["is_ok"]]
    return _("异常：%s") % "、".join(failing) if failing else _("各项检查均通过")


def _count_jobs() -> dict[str, int]:
    """Of all queues: what waits for a worker, and what runs."""
    rows = ProcrastinateJob.objects.filter(status__in=["todo", "doing"]).order_by().values_list("status")
    counts: dict[str, int] = dict(rows.annotate(count=Count("pk")))
    return {_("等待"): counts.get("todo", 0), _("运行"): counts.get("doing", 0)}


def get_health_summary() -> HealthSummary:
    """Run every check; takes a bounded time, whatever hangs."""
    results = async_to_sync(check_health)()
    texts = {"ok": _("正常"), "degraded": _("可用，有异常"), "unavailable": _("不可用")}
    status = get_overall_status(results)
    return HealthSummary(status, texts[status], [_build_check_row(finding) for finding in results])


def _build_check_row(result: HealthResult) -> dict[str, Any]:
    labels = {
        "database": _("数据库"),
        "redis": "Redis",
        "push": _("推送通道"),
        "jobs": _("任务进程"),
        "disk": _("磁盘"),
    }
    return {
        "words": labels[result.name],
        "is_ok": result.is_ok,
        "is_needed": result.name in REQUIRED_CHECKS,
        "ms": result.ms,
        "detail": result.detail,
    }


def list_open_alerts() -> list[dict[str, Any]]:
    """The open alerts, the newest first."""
    severities = {
        AlertSeverity.INFO: _("提示"),
        AlertSeverity.WARNING: _("警告"),
        AlertSeverity.ERROR: _("错误"),
        AlertSeverity.CRITICAL: _("严重"),
    }
    alerts = Alert.objects.open().select_related("rule", "acknowledged_by")[:MAX_OPEN_ALERTS]
    return [
        {
            "pk": alert.pk,
            "title": _get_localized_title(alert),
            "severity": alert.severity,
            "severity_words": severities[AlertSeverity(alert.severity)],
            "fired_at": alert.fired_at,
            "acknowledged_by": alert.acknowledged_by,
            "is_silenced": alert.held_back_by_id is not None,
        }
        for alert in alerts
    ]


def _get_localized_title(alert: Alert) -> str:
    is_english = (get_language() or "").startswith("en")
    return (alert.rule.title_en if is_english and alert.rule else "") or alert.title


def list_platform_status_rows(rows: dict[str, PlatformStats]) -> list[PlatformStatusRow]:
    """How each platform stands, with what it did over the span."""
    return [
        PlatformStatusRow(one["name"], one["is_demo"], one["is_well"], one["state"], one["until"], rows.get(one["id"]))
        for one in _call_provider(settings.DASHBOARD_PLATFORMS)
    ]


def _call_provider(path: str) -> Any:
    """Ask the floor above, by the dotted path in the settings."""
    provider: Callable[[], Any] = import_string(path)
    return provider()
