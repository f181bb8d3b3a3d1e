"""What is sent when a silence, or its weekly window, ends.

One message summarizes the suppressed notifications, and every alert that is still open is notified.
"""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from monitoring.alerts.lifecycle import send_deferred_notification
from monitoring.alerts.silences import find_active_silence, is_silence_active
from monitoring.delivery import outbox
from monitoring.models import Alert, Silence
from monitoring.models.rules import AlertSeverity

MAX_ALERTS_IN_SUMMARY = 20


def send_silence_notifications(now: datetime) -> int:
    """Notify of open alerts whose silence has ended, and summarize ended silences; return the number of messages."""
    sent = 0
    for pk in Alert.objects.open().filter(held_back_by__isnull=False).values_list("pk", flat=True):
        with transaction.atomic():
            silenced = Alert.objects.open().select_for_update(skip_locked=True, of=("self",))
            alert = silenced.filter(pk=pk, held_back_by__isnull=False).first()
            if alert and find_active_silence(alert, now) is None:
                send_deferred_notification(alert, now=now)
                sent += 1
    is_unsummarized = Q(summed_up_at=None) | Q(notes__created_at__gt=F("summed_up_at"))
    for silence in Silence.objects.filter(is_unsummarized, notes__isnull=False).distinct():
        if is_silence_active(silence, now):
            continue
        with transaction.atomic():
            notes = silence.claim_suppressed_notes(now)
            if notes:
                alerts = list({note.alert_id: note.alert for note in notes}.values())
                severity = max((alert.severity for alert in alerts), key=list(AlertSeverity.values).index)
                summary = build_silence_summary(alerts, len(notes))
                outbox.enqueue_text_message(f"静默结束：{silence.comment}", summary, severity)
                sent += 1
    return sent


def build_silence_summary(alerts: Sequence[Alert], suppressed_count: int) -> str:
    """Return how many notifications of which alerts were suppressed, and which alerts are still open."""
    lines = [f"期间 {suppressed_count} 条通知未发出，涉及 {len(alerts)} 个告警："]
    for alert in alerts[:MAX_ALERTS_IN_SUMMARY]:
        start = f"{timezone.localtime(alert.fired_at):%m-%d %H:%M}"
        end = f"{timezone.localtime(alert.resolved_at):%m-%d %H:%M} 已解除" if alert.resolved_at else "仍在继续"
        lines.append(f"- {alert}：{start} 触发，{end}")
    if len(alerts) > MAX_ALERTS_IN_SUMMARY:
        lines.append(f"…… 另有 {len(alerts) - MAX_ALERTS_IN_SUMMARY} 个")
    return "\n".join(lines)
