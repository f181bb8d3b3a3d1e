"""The life of an alert: fired, repeated, acknowledged, resolved.

Each step is one transaction that changes the alert, appends to its timeline and, unless a silence is active, writes
the messages to the outbox. Callbacks (alerts/manager.py) run after the commit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from functools import partial
from typing import Any

import structlog
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction
from django.utils import timezone

from monitoring.alerts import manager
from monitoring.alerts.silences import find_active_silence
from monitoring.delivery import outbox
from monitoring.measurement import Measurement
from monitoring.models import Alert, AlertNote, Rule

log = structlog.get_logger(__name__)


def fire_alert(
    *,
    fingerprint: str,
    title: str,
    severity: str,
    source: str = Alert.Source.CODE,
    rule: Rule | None = None,
    rule_name: str = "",
    rule_as_it_was: Mapping[str, Any] | None = None,
    labels: Mapping[str, str] | None = None,
    summary: str = "",
    details: Sequence[str] = (),
    runbook_url: str = "",
    measurement: Measurement | None = None,
    now: datetime | None = None,
) -> Alert | None:
    """Open an alert and notify of it; return None if one with the same fingerprint is already open.

    fingerprint: the incident, such as `rule:high_error_rate` or `watchdog:evaluator`; title: the first line of the
    message; summary: one sentence; details: lines of a breakdown; measurement: the values that made a rule fire.
    """
    now = now or timezone.now()
    columns = asdict(measurement or Measurement())
    del columns["window_seconds"]
    alert = Alert(
        source=source,
        fingerprint=fingerprint,
        rule=rule,
        rule_name=rule_name or (rule.name if rule else fingerprint),
        rule_as_it_was=dict(rule_as_it_was or {}),
        title=title[:200],
        severity=severity,
        labels=dict(labels or {}),
        summary=summary[:500],
        details=list(details),
        runbook_url=runbook_url,
        fired_at=now,
        current_value=columns["value"],
        peak_value=columns["value"],
        **columns,
    )
    with transaction.atomic():
        if not Alert.objects.insert_unless_open(alert):
            return None
        _notify(alert, AlertNote.Kind.FIRED, summary, now)
    log.warning("alert_fired", alert=alert.pk, fingerprint=fingerprint, severity=severity)
    return alert


def resolve_alert(
    alert: Alert,
    *,
    text: str = "",
    current_value: float | None = None,
    peak_value: float | None = None,
    now: datetime | None = None,
) -> bool:
    """Close an alert and notify of it; return False if it was closed already.

    current_value: the value now; peak_value: the worst value while it was open.
    """
    now = now or timezone.now()
    values = {"current_value": current_value, "peak_value": alert.peak_value if peak_value is None else peak_value}
    with transaction.atomic():
        if not Alert.objects.open().filter(pk=alert.pk).update(resolved_at=now, **values):
            return False
        alert.refresh_from_db()
        _notify(alert, AlertNote.Kind.RESOLVED, text, now)
    log.warning("alert_resolved", alert=alert.pk, fingerprint=alert.fingerprint)
    return True


def repeat_alert(
    alert: Alert,
    *,
    text: str = "",
    current_value: float | None = None,
    peak_value: float | None = None,
    now: datetime | None = None,
) -> None:
    """Notify again that an alert is still open, with its value now and the worst one so far."""
    alert.current_value = current_value
    alert.peak_value = alert.peak_value if peak_value is None else peak_value
    alert.repeats += 1
    with transaction.atomic():
        alert.save(update_fields=["current_value", "peak_value", "repeats"])
        _notify(alert, AlertNote.Kind.REPEATED, text, now or timezone.now())


def acknowledge_alert(alert: Alert, user: AbstractBaseUser, text: str = "", *, now: datetime | None = None) -> bool:
    """Record that a user handles the alert, which stops its repeats; return False if it is closed or acknowledged."""
    now = now or timezone.now()
    unacknowledged = Alert.objects.open().filter(pk=alert.pk, acknowledged_at=None)
    with transaction.atomic():
        if not unacknowledged.update(acknowledged_at=now, acknowledged_by_id=user.pk):
            return False
        add_note(alert, text, author=user, kind=AlertNote.Kind.ACKNOWLEDGED, now=now)
    alert.refresh_from_db()
    return True


def add_note(
    alert: Alert,
    text: str,
    *,
    author: AbstractBaseUser | None = None,
    kind: str = AlertNote.Kind.NOTE,
    now: datetime | None = None,
) -> AlertNote:
    """Append an entry to the timeline of an alert."""
    return AlertNote.objects.create(
        alert=alert,
        kind=kind,
        text=text[:1000],
        author_id=author.pk if author else None,
        created_at=now or timezone.now(),
    )


def send_deferred_notification(alert: Alert, *, now: datetime) -> None:
    """Notify of an open alert after its silence has ended, in the caller's transaction."""
    alert.held_back_by = None
    alert.notified_at = now
    alert.save(update_fields=["held_back_by", "notified_at"])
    add_note(alert, "静默已结束，告警仍在继续", kind=AlertNote.Kind.REPEATED, now=now)
    outbox.enqueue_deliveries(alert, AlertNote.Kind.FIRED.value)
    transaction.on_commit(partial(manager.notify_alert_callbacks, alert, AlertNote.Kind.FIRED))


def _notify(alert: Alert, kind: AlertNote.Kind, text: str, now: datetime) -> None:
    """Append to the timeline and, unless a silence is active now, write the messages to the outbox."""
    add_note(alert, text, kind=kind, now=now)
    silence = find_active_silence(alert, now)
    alert.held_back_by = silence
    if silence:
        AlertNote.objects.create(
            alert=alert,
            kind=AlertNote.Kind.HELD_BACK,
            text=f"{kind.label}：{silence}"[:1000],
            silence=silence,
            created_at=now,
        )
    else:
        outbox.enqueue_deliveries(alert, kind.value, text)
        transaction.on_commit(partial(manager.notify_alert_callbacks, alert, kind))
    alert.notified_at = now
    alert.save(update_fields=["held_back_by", "notified_at"])
