"""The life of an alert: fired, repeated, acknowledged, resolved.

Each step is one transaction of the alert, its timeline and, unless a silence holds it back, the messages in the outbox.
Code that wants to know (`monitoring.alerts.manager`) is told after the commit.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any

import structlog
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import IntegrityError, transaction
from django.utils import timezone

from monitoring.alerts import manager
from monitoring.alerts.silences import find_active_silence
from monitoring.delivery import outbox
from monitoring.models import Alert, AlertNote, Rule
from monitoring.rules.decision import Measurement

log = structlog.get_logger(__name__)

FIRED, REPEATED, RESOLVED = AlertNote.Kind.FIRED, AlertNote.Kind.REPEATED, AlertNote.Kind.RESOLVED


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
    runbook_url: str = "",
    measurement: Measurement | None = None,
    now: datetime | None = None,
) -> Alert | None:
    """Open an alert and tell of it; None when one of the same fingerprint is open already.

    fingerprint: what it is about, such as `rule:high_error_rate` or `watchdog:evaluator`; title: the message's first
    line; summary: the rest in one sentence; measured: what a rule saw.
    """
    now = now or timezone.now()
    measurement_or_empty = measurement or Measurement()
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
        runbook_url=runbook_url,
        value=measurement_or_empty.value,
        low=measurement_or_empty.low,
        high=measurement_or_empty.high,
        numerator=measurement_or_empty.numerator,
        denominator=measurement_or_empty.denominator,
        fired_at=now,
    )
    with transaction.atomic():
        try:
            with transaction.atomic():
                alert.save(force_insert=True)
        except IntegrityError:
            if Alert.objects.open().filter(fingerprint=fingerprint).exists():
                return None
            raise
        _notify(alert, FIRED, summary, now)
    log.warning("alert_fired", alert=alert.pk, fingerprint=fingerprint, severity=severity)
    return alert


def resolve_alert(alert: Alert, *, text: str = "", now: datetime | None = None) -> bool:
    """End it and tell so; False when somebody else has ended it already."""
    now = now or timezone.now()
    with transaction.atomic():
        if not Alert.objects.open().filter(pk=alert.pk).update(resolved_at=now):
            return False
        alert.refresh_from_db()
        _notify(alert, RESOLVED, text, now)
    log.warning("alert_resolved", alert=alert.pk, fingerprint=alert.fingerprint)
    return True


def repeat_alert(alert: Alert, *, text: str = "", now: datetime | None = None) -> None:
    """Tell again that it goes on."""
    with transaction.atomic():
        _notify(alert, REPEATED, text, now or timezone.now())


def acknowledge_alert(alert: Alert, user: AbstractBaseUser, text: str = "", *, now: datetime | None = None) -> bool:
    """Note that somebody looks after it, so that it is not repeated; False when it is over or somebody does already."""
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
    """Write a line into an alert's timeline."""
    return AlertNote.objects.create(
        alert=alert,
        kind=kind,
        text=text[:1000],
        author_id=author.pk if author else None,
        created_at=now or timezone.now(),
    )


def send_deferred_notification(alert: Alert, *, now: datetime) -> None:
    """Tell of an alert that still goes on when what held it back has ended. In the caller's transaction."""
    alert.held_back_by = None
    alert.notified_at = now
    alert.save(update_fields=["held_back_by", "notified_at"])
    add_note(alert, "静默已结束，告警仍在继续", kind=REPEATED, now=now)
    outbox.enqueue_deliveries(alert, FIRED.value)
    transaction.on_commit(partial(manager.notify_alert_callbacks, alert, FIRED.value))


def _notify(alert: Alert, kind: AlertNote.Kind, text: str, now: datetime) -> None:
    """Timeline and outbox. Silences are looked at for each message, when it is about to be written."""
    add_note(alert, text, kind=kind, now=now)
    silence = find_active_silence(alert, now)
    if silence:
        alert.held_back_by = silence
        AlertNote.objects.create(
            alert=alert, kind=AlertNote.Kind.HELD_BACK, text=f"{kind.label}：{silence}"[:1000], silence=silence,
            created_at=now,
        )  # fmt: skip
    else:
        alert.held_back_by = None
        outbox.enqueue_deliveries(alert, kind.value)
    alert.notified_at = now
    alert.save(update_fields=["held_back_by", "notified_at"])
    if not silence:
        transaction.on_commit(partial(manager.notify_alert_callbacks, alert, kind.value))
