"""Which silences are active and which alerts they match.

A silence is checked whenever a notification is about to be written; suppressed ones are recorded in the timeline of the
alert. silence_notifications.py reports them when the silence ends.
"""

from collections.abc import Iterable
from datetime import datetime, time, timedelta
from typing import Any

import structlog
from django.utils import timezone

from monitoring.label_matchers import matches, validate_matchers, validate_weekly_windows
from monitoring.models import Alert, Silence

log = structlog.get_logger(__name__)


def get_matchable_labels(alert: Alert) -> dict[str, str]:
    """Return the labels that matchers of a silence can name: rule, severity, source, and the alert's own."""
    own = {str(name): str(value) for name, value in alert.labels.items()}
    return own | {"rule": alert.rule_name, "severity": alert.severity, "source": alert.source}


def find_active_silence(alert: Alert, now: datetime) -> Silence | None:
    """Return the silence that suppresses the notifications of an alert; of several, the one that ends last."""
    silences = list_active_silences(now)
    labels = get_matchable_labels(alert) if silences else {}
    return next((silence for silence in silences if matches(silence.matchers, labels)), None)


def list_active_silences(now: datetime) -> list[Silence]:
    """Return the silences that are active at this moment, the last to end first."""
    current = Silence.objects.filter(starts_at__lte=now, ends_at__gt=now)
    return [silence for silence in current if is_silence_active(silence, now)]


def is_silence_active(silence: Silence, now: datetime) -> bool:
    """Return whether now is within the silence's time and, if it has weekly windows, within one of them.

    A silence with invalid matchers or windows, stored without the admin's validation, is never active.
    """
    if not silence.starts_at <= now < silence.ends_at:
        return False
    if validate_matchers(silence.matchers) or validate_weekly_windows(silence.weekly):
        log.error("silence_unusable", silence=silence.pk)
        return False
    local = timezone.localtime(now)
    return not silence.weekly or any(_is_in_weekly_window(window, local) for window in silence.weekly)


def _is_in_weekly_window(window: dict[str, Any], local: datetime) -> bool:
    """Return whether a local time is in the window; one that ends at or before its start ends on the next day."""
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
    """Return the alerts that a silence with these matchers would suppress."""
    return [alert for alert in alerts if matches(matchers, get_matchable_labels(alert))]
