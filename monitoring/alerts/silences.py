"""What holds messages back, when, and the summary of it afterwards.

A silence is looked at when a message is about to be written. What it held back stands in the alert's timeline; as soon
as the silence, or its window of the week, is over, one message sums that up, and an alert that still goes on is told.
"""

from collections.abc import Iterable
from datetime import datetime, time, timedelta
from typing import Any

import structlog
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from monitoring.label_matchers import matches, validate_matchers, validate_weekly_windows
from monitoring.models import Alert, AlertNote, Silence
from monitoring.models.rules import AlertSeverity

log = structlog.get_logger(__name__)

MAX_ALERTS_IN_SUMMARY = 20


def get_matchable_labels(alert: Alert) -> dict[str, str]:
    """What a silence's matchers can name: rule, severity, source, and the alert's own labels."""
    own = {str(name): str(value) for name, value in alert.labels.items()}
    return own | {"rule": alert.rule_name, "severity": alert.severity, "source": alert.source}


def find_active_silence(alert: Alert, now: datetime) -> Silence | None:
    """The silence that holds back what an alert has to tell now: of several the one that ends last."""
    silences = list_active_silences(now)
    labels = get_matchable_labels(alert) if silences else {}
    return next((one for one in silences if matches(one.matchers, labels)), None)


def list_active_silences(now: datetime) -> list[Silence]:
    """Those that hold back at this moment, the last to end first."""
    current = Silence.objects.filter(starts_at__lte=now, ends_at__gt=now)
    return [one for one in current if _is_usable(one) and is_silence_active(one, now)]


def _is_usable(silence: Silence) -> bool:
    """One that was stored past the admin's checks must not keep alerts from being told."""
    is_invalid = bool(validate_matchers(silence.matchers) or validate_weekly_windows(silence.weekly))
    if is_invalid:
        log.error("silence_unusable", silence=silence.pk)
    return not is_invalid


def is_silence_active(silence: Silence, now: datetime) -> bool:
    """Whether it holds back now: within its time and, when it has windows of the week, within one of them."""
    if not silence.starts_at <= now < silence.ends_at:
        return False
    local = timezone.localtime(now)
    return not silence.weekly or any(_is_in_weekly_window(window, local) for window in silence.weekly)


def _is_in_weekly_window(window: dict[str, Any], local: datetime) -> bool:
    """A window whose end is not after its start ends on the next day; days are those of the start."""
    starts, ends = _parse_clock_time(window["from"]), _parse_clock_time(window["to"])
    today, clock = local.weekday(), local.time()
    if starts < ends:
        return today in window["days"] and starts <= clock < ends
    yesterday = (local - timedelta(days=1)).weekday()
    return (today in window["days"] and clock >= starts) or (yesterday in window["days"] and clock < ends)


def _parse_clock_time(text: str) -> time:
    hours, minutes = text.split(":")
    return time(int(hours), int(minutes))


def find_matching_alerts(matchers: list[dict[str, Any]], alerts: Iterable[Alert]) -> list[Alert]:
    """Those that a silence with these matchers would hold back."""
    return [alert for alert in alerts if matches(matchers, get_matchable_labels(alert))]


def send_silence_notifications(now: datetime) -> int:
    """Sum up every silence, or window, that is over, and tell of the alerts that go on; returns how many messages."""
    return _send_deferred_notifications(now) + sum(
        _send_silence_summary(silence, now) for silence in _find_unsummarized_silences(now)
    )


def _send_deferred_notifications(now: datetime) -> int:
    from monitoring.alerts.lifecycle import send_deferred_notification  # which looks at silences itself

    sent = 0
    for pk in Alert.objects.open().filter(held_back_by__isnull=False).values_list("pk", flat=True):
        with transaction.atomic():
            silenced = Alert.objects.open().select_for_update(skip_locked=True, of=("self",))
            alert = silenced.filter(pk=pk, held_back_by__isnull=False).first()
            if alert and find_active_silence(alert, now) is None:
                send_deferred_notification(alert, now=now)
                sent += 1
    return sent


def _find_unsummarized_silences(now: datetime) -> list[Silence]:
    is_unsummarized = Q(summed_up_at=None) | Q(notes__created_at__gt=F("summed_up_at"))
    silences = Silence.objects.filter(is_unsummarized, notes__isnull=False).distinct()
    return [silence for silence in silences if not (_is_usable(silence) and is_silence_active(silence, now))]


def _send_silence_summary(silence: Silence, now: datetime) -> int:
    """One message, by whoever marks the silence first."""
    from monitoring.delivery import outbox

    notes = silence.notes.filter(created_at__lte=now).select_related("alert")
    if silence.summed_up_at:
        notes = notes.filter(created_at__gt=silence.summed_up_at)
    with transaction.atomic():
        is_claimed = Silence.objects.filter(pk=silence.pk, summed_up_at=silence.summed_up_at).update(summed_up_at=now)
        if not is_claimed or not notes:
            return 0
        alerts = list({note.alert_id: note.alert for note in notes}.values())
        severity = max((alert.severity for alert in alerts), key=list(AlertSeverity.values).index)
        outbox.enqueue_text_message(f"静默结束：{silence.comment}", build_silence_summary(alerts, notes), severity)
    return 1


def build_silence_summary(alerts: list[Alert], notes: "QuerySet[AlertNote]") -> str:
    """How many messages of which alerts were held back, and which go on."""
    lines = [f"期间 {len(notes)} 条通知未发出，涉及 {len(alerts)} 个告警："]
    for alert in alerts[:MAX_ALERTS_IN_SUMMARY]:
        begun = f"{timezone.localtime(alert.fired_at):%m-%d %H:%M}"
        over = f"{timezone.localtime(alert.resolved_at):%m-%d %H:%M} 已解除" if alert.resolved_at else "仍在继续"
        lines.append(f"- {alert}：{begun} 触发，{over}")
    if len(alerts) > MAX_ALERTS_IN_SUMMARY:
        lines.append(f"…… 另有 {len(alerts) - MAX_ALERTS_IN_SUMMARY} 个")
    return "\n".join(lines)
