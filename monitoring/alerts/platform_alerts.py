"""Alerts of platforms that cannot answer: one alert per cause, which names the platforms and what to do.

The app that knows the platforms finds the problems (settings.ALERT_PLATFORM_PROBLEMS). Platforms with the same reason
share one alert; one that joins within JOIN_QUIETLY of its start changes the alert without another message.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import transaction
from django.utils.module_loading import import_string

from monitoring.alerts.lifecycle import add_note, fire_alert, repeat_alert, resolve_alert
from monitoring.models import Alert, AlertNote
from monitoring.models.rules import AlertSeverity

log = structlog.get_logger(__name__)

PLATFORM_ALERT_NAME = "platform_unavailable"  # silences and the rules that it inhibits refer to it
PLATFORM_LABEL = "platform"
RUNBOOK_PATH = f"/admin/monitoring/rule/runbooks/{PLATFORM_ALERT_NAME}/"
JOIN_QUIETLY = timedelta(minutes=10)
REMEMBERED = timedelta(days=7)
REPEAT_INTERVAL, MAX_REPEAT_INTERVAL = timedelta(hours=4), timedelta(hours=24)

PlatformProblem = Mapping[str, Any]


def sync_platform_alerts(now: datetime) -> None:
    """Open, extend, repeat and resolve the alerts of platforms, by the problems that exist now.

    Several evaluators may run at once: the fingerprint allows one alert per cause, and the open ones are locked.
    """
    with transaction.atomic():
        open_alerts = list(list_open_platform_alerts().select_for_update(of=("self",)).order_by("pk"))
        failing_since = {name: alert.fired_at for alert in open_alerts for name in get_platforms(alert)}
        problems: list[PlatformProblem] = import_string(settings.ALERT_PLATFORM_PROBLEMS)(
            failing_since, _get_recoveries(now), now
        )
        by_platform = {str(problem["platform"]): problem for problem in problems}
        for alert in open_alerts:
            _update_alert(alert, by_platform, now)
        covered = {name for alert in open_alerts for name in get_platforms(alert) if alert.is_open}
        new = [problem for name, problem in by_platform.items() if name not in covered]
        explained = get_platforms_of_symptoms() if any(not problem["is_paused"] for problem in new) else set()
        groups: dict[str, list[PlatformProblem]] = {}
        for problem in new:
            if problem["is_paused"] or problem["platform"] not in explained:
                groups.setdefault(str(problem["reason"]), []).append(problem)
        for reason, group in groups.items():
            same = (alert for alert in open_alerts if alert.is_open and alert.labels.get("reason") == reason)
            if (existing := next(same, None)) is not None:
                _extend_alert(existing, group, now)
            else:
                _open_alert(reason, group, now)


def list_open_platform_alerts() -> Any:
    """Return the open alerts of platforms."""
    return Alert.objects.open().filter(rule_name=PLATFORM_ALERT_NAME, source=Alert.Source.CODE)


def get_platforms(alert: Alert) -> list[str]:
    """Return the platforms that an alert names."""
    return [name for name in str(alert.labels.get(PLATFORM_LABEL, "")).split(",") if name]


def get_platforms_of_symptoms() -> set[str]:
    """Return the platforms that open alerts of rules name already as their cause."""
    symptoms = Alert.objects.open().filter(source=Alert.Source.RULE)
    return {name for alert in symptoms for name in get_platforms(alert)}


def _get_recoveries(now: datetime) -> dict[str, datetime]:
    """Return {platform: end of its last alert} of the last days."""
    ended = Alert.objects.filter(rule_name=PLATFORM_ALERT_NAME, resolved_at__gt=now - REMEMBERED).order_by(
        "resolved_at"
    )
    return {name: alert.resolved_at for alert in ended if alert.resolved_at for name in get_platforms(alert)}


def _update_alert(alert: Alert, problems: Mapping[str, PlatformProblem], now: datetime) -> None:
    """Resolve the alert if no platform of it has a problem any more, or repeat it when that is due."""
    remaining = [problems[name] for name in get_platforms(alert) if name in problems]
    if not remaining:
        resolve_alert(alert, text="平台已恢复", now=now)
        return
    interval = min(MAX_REPEAT_INTERVAL, REPEAT_INTERVAL * 2 ** min(alert.repeats, 10))
    is_due = not alert.acknowledged_at and now - (alert.notified_at or alert.fired_at) >= interval
    if is_due:
        repeat_alert(alert, text=_build_summary(remaining), now=now)


def _extend_alert(alert: Alert, group: Sequence[PlatformProblem], now: datetime) -> None:
    alert.labels = alert.labels | {PLATFORM_LABEL: ",".join([*get_platforms(alert), *_get_names(group)])}
    alert.details = [*alert.details, *(problem["text"] for problem in group)]
    alert.save(update_fields=["labels", "details"])
    if now - alert.fired_at < JOIN_QUIETLY:
        add_note(alert, _build_summary(group), kind=AlertNote.Kind.NOTE, now=now)
    else:
        repeat_alert(alert, text=f"又有平台受影响。{_build_summary(group)}", now=now)


def _open_alert(reason: str, group: Sequence[PlatformProblem], now: datetime) -> None:
    names = "、".join(str(problem["name"]) for problem in group)
    fire_alert(
        fingerprint=f"platform:{reason}:{_get_names(group)[0]}",
        title=f"平台无法回答：{names}（{group[0]['reason_label']}）",
        severity=AlertSeverity.ERROR,
        source=Alert.Source.CODE,
        rule_name=PLATFORM_ALERT_NAME,
        labels={PLATFORM_LABEL: ",".join(_get_names(group)), "reason": reason},
        summary=_build_summary(group),
        details=[problem["text"] for problem in group],
        runbook_url=f"{settings.SITE_URL}{RUNBOOK_PATH}",
        now=now,
    )


def _get_names(group: Sequence[PlatformProblem]) -> list[str]:
    return [str(problem["platform"]) for problem in group]


def _build_summary(problems: Sequence[PlatformProblem]) -> str:
    """Return which platforms, why, and what to do."""
    return "；".join(str(problem["text"]) for problem in problems) + f"。{problems[0]['advice']}。"
