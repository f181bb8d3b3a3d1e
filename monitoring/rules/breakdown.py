"""Which platforms and reasons are behind an alert about diagnoses (settings.ALERT_FAILED_ANSWERS)."""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from monitoring.alerts.platform_alerts import PLATFORM_LABEL
from monitoring.measurement import Measurement
from monitoring.models import Rule

DIAGNOSIS_METRIC_PREFIX = "diagnosis_"
MAX_LINES = 6
# A platform with this share of the failures is named as their cause.
_MIN_SHARE_OF_CAUSE = 0.2


def build_breakdown(rule: Rule, measurement: Measurement, now: datetime) -> tuple[list[str], dict[str, str]]:
    """Return the lines of the breakdown and the labels that name the platforms; empty for other metrics."""
    if not rule.metric.startswith(DIAGNOSIS_METRIC_PREFIX) or rule.kind == Rule.Kind.GAUGE:
        return [], {}
    since = now - timedelta(seconds=measurement.window_seconds + 120)
    counts: list[dict[str, Any]] = import_string(settings.ALERT_FAILED_ANSWERS)(since, now)
    lines = [f"{row['name']}：{row['reason']} {row['count']} 次" for row in counts[:MAX_LINES]]
    total = sum(row["count"] for row in counts)
    by_platform: dict[str, int] = {}
    for row in counts:
        by_platform[row["platform"]] = by_platform.get(row["platform"], 0) + row["count"]
    causes = [name for name, count in by_platform.items() if count >= total * _MIN_SHARE_OF_CAUSE]
    return lines, {PLATFORM_LABEL: ",".join(causes)} if causes else {}
