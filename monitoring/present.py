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

from monitoring.charts import PlatformRow
from monitoring.health import NEEDED, Finding, check_health, status_of
from monitoring.models import Alert
from monitoring.models.rules import Severity
from progress.statistics import connection_statistics

MOST_ALERTS = 20


@dataclass(frozen=True)
class Health:
    """The state of the whole, and of each check, in words."""

    status: str
    words: str
    checks: list[dict[str, Any]]


@dataclass(frozen=True)
class PlatformNow:
    """How a platform stands, and what it did over the span of the page (None where it was not called)."""

    name: str
    is_demo: bool
    is_well: bool
    state: str
    until: datetime | None
    row: PlatformRow | None = field(default=None)


@dataclass(frozen=True)
class Tile:
    """One figure of the head of the page, with what it is made of."""

    name: str
    title: str
    figure: str
    parts: str
    tone: str = ""


def list_tiles(health: Health, alerts: list[dict[str, Any]]) -> list[Tile]:
    """What an operator wants to know first."""
    diagnoses: dict[str, int] = _ask(settings.DASHBOARD_DIAGNOSES)
    jobs = _count_jobs()
    connected = connection_statistics()
    loud = sum(not alert["is_silenced"] for alert in alerts)
    return [
        Tile("health", _("系统"), health.words, _failing_in_words(health), _TONES[health.status]),
        Tile(
            "alerts",
            _("未解除的告警"),
            str(len(alerts)),
            _("其中静默 %d") % (len(alerts) - loud),
            "bad" if loud else "",
        ),
        Tile("diagnoses", _("进行中的诊断"), str(sum(diagnoses.values())), _parts(diagnoses)),
        Tile("jobs", _("后台任务"), str(sum(jobs.values())), _parts(jobs)),
        Tile(
            "connections",
            _("当前连接"),
            str(connected.sockets_open + connected.polls_open),
            _parts({"WebSocket": connected.sockets_open, _("长轮询"): connected.polls_open}),
        ),
    ]


_TONES = {"ok": "good", "degraded": "warning", "unavailable": "bad"}


def _parts(counts: dict[str, int]) -> str:
    return " · ".join(f"{words} {count}" for words, count in counts.items())


def _failing_in_words(health: Health) -> str:
    failing = [check["words"] for check in health.checks if not check["is_ok"]]
    return _("异常：%s") % "、".join(failing) if failing else _("各项检查均通过")


def _count_jobs() -> dict[str, int]:
    """Of all queues: what waits for a worker, and what runs."""
    rows = ProcrastinateJob.objects.filter(status__in=["todo", "doing"]).order_by().values_list("status")
    counts: dict[str, int] = dict(rows.annotate(count=Count("pk")))
    return {_("等待"): counts.get("todo", 0), _("运行"): counts.get("doing", 0)}


def look_at_health() -> Health:
    """Run every check; takes a bounded time, whatever hangs."""
    findings = async_to_sync(check_health)()
    words = {"ok": _("正常"), "degraded": _("可用，有异常"), "unavailable": _("不可用")}
    status = status_of(findings)
    return Health(status, words[status], [_check(finding) for finding in findings])


def _check(finding: Finding) -> dict[str, Any]:
    words = {
        "database": _("数据库"),
        "redis": "Redis",
        "push": _("推送通道"),
        "jobs": _("任务进程"),
        "disk": _("磁盘"),
    }
    return {
        "words": words[finding.name],
        "is_ok": finding.is_ok,
        "is_needed": finding.name in NEEDED,
        "ms": finding.ms,
        "detail": finding.detail,
    }


def list_open_alerts() -> list[dict[str, Any]]:
    """The open alerts, the newest first."""
    severities = {
        Severity.INFO: _("提示"),
        Severity.WARNING: _("警告"),
        Severity.ERROR: _("错误"),
        Severity.CRITICAL: _("严重"),
    }
    alerts = Alert.objects.open().select_related("rule", "acknowledged_by")[:MOST_ALERTS]
    return [
        {
            "pk": alert.pk,
            "title": _title_of(alert),
            "severity": alert.severity,
            "severity_words": severities[Severity(alert.severity)],
            "fired_at": alert.fired_at,
            "acknowledged_by": alert.acknowledged_by,
            "is_silenced": alert.held_back_by_id is not None,
        }
        for alert in alerts
    ]


def _title_of(alert: Alert) -> str:
    is_english = (get_language() or "").startswith("en")
    return (alert.rule.title_en if is_english and alert.rule else "") or alert.title


def list_platforms(rows: dict[str, PlatformRow]) -> list[PlatformNow]:
    """How each platform stands, with what it did over the span."""
    return [
        PlatformNow(one["name"], one["is_demo"], one["is_well"], one["state"], one["until"], rows.get(one["id"]))
        for one in _ask(settings.DASHBOARD_PLATFORMS)
    ]


def _ask(path: str) -> Any:
    """Ask the floor above, by the dotted path in the settings."""
    who: Callable[[], Any] = import_string(path)
    return who()
