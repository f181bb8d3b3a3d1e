"""Webhook for Alertmanager: each of its alerts becomes one alert of the site, however often it is posted.

https://prometheus.io/docs/alerting/latest/configuration/#webhook_config, version 4. Alertmanager posts a group again
every few minutes and after every failure; alerts that are already known change nothing.
"""

import json
from collections.abc import Mapping
from typing import Any

import structlog
from django.conf import settings
from django.http import Http404, HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from errors.placeholders import clean_identifier, clean_text
from monitoring.alerts.lifecycle import fire_alert, resolve_alert
from monitoring.bearer_token import matches_bearer_token
from monitoring.delivery.text import is_http_url
from monitoring.integrations.prometheus_rules import ORIGIN_LABEL, RULE_GROUP
from monitoring.models import Alert
from monitoring.models.rules import AlertSeverity

log = structlog.get_logger(__name__)

MAX_ALERTS_PER_REQUEST = 500
MAX_ALERT_LABELS = 40
# Severity labels that are common in Prometheus rules -> severities of the site.
SEVERITY_BY_LABEL = {
    "critical": AlertSeverity.CRITICAL,
    "page": AlertSeverity.CRITICAL,
    "error": AlertSeverity.ERROR,
    "high": AlertSeverity.ERROR,
    "warning": AlertSeverity.WARNING,
    "info": AlertSeverity.INFO,
    "none": AlertSeverity.INFO,
}


@csrf_exempt
@require_POST
def receive_alerts(request: HttpRequest) -> JsonResponse:
    """Fire and resolve the alerts of a request; return {"fired": n, "resolved": n}.

    Requires ALERTMANAGER_TOKEN; without the setting the route is hidden. Returns 400 for an invalid body, which
    Alertmanager does not send again; Django returns 413 for one that is too large.
    """
    if not matches_bearer_token(request.headers.get("Authorization", ""), settings.ALERTMANAGER_TOKEN):
        raise Http404
    try:
        alerts = _parse_alerts(request.body)
    except ValueError as error:
        return JsonResponse({"error": str(error)}, status=400)
    # The site's own rules, exported to Prometheus, come back here; the site evaluates and tells them itself.
    alerts = [alert for alert in alerts if alert["labels"].get(ORIGIN_LABEL) != RULE_GROUP]
    fired = sum(_fire_external_alert(alert) for alert in alerts if alert["status"] == "firing")
    resolved = 0
    for alert in alerts:
        if alert["status"] == "resolved":
            open_alert = Alert.objects.open().filter(fingerprint=_build_fingerprint(alert)).first()
            resolved += open_alert is not None and resolve_alert(open_alert, text="Alertmanager 报告已恢复")
    return JsonResponse({"fired": fired, "resolved": resolved})


def _parse_alerts(body: bytes) -> list[dict[str, Any]]:
    """Return the alerts, each with status, fingerprint, labels and annotations. Raises ValueError with a text."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ValueError("not JSON") from error
    alerts = document.get("alerts") if isinstance(document, dict) else None
    if not isinstance(alerts, list) or len(alerts) > MAX_ALERTS_PER_REQUEST:
        raise ValueError(f"alerts must be a list of at most {MAX_ALERTS_PER_REQUEST}")
    are_valid = all(
        isinstance(alert, dict)
        and alert.get("status") in ("firing", "resolved")
        and isinstance(alert.get("fingerprint"), str)
        and 0 < len(alert["fingerprint"]) <= 64
        and _is_string_mapping(alert.get("labels"))
        and _is_string_mapping(alert.get("annotations", {}))
        for alert in alerts
    )
    if not are_valid:
        raise ValueError("each alert needs a status, a fingerprint, labels and annotations")
    return alerts


def _is_string_mapping(value: Any) -> bool:
    return isinstance(value, Mapping) and all(isinstance(text, str) for text in value.values())


def _build_fingerprint(alert: dict[str, Any]) -> str:
    return f"prometheus:{alert['fingerprint']}"


def _fire_external_alert(alert: dict[str, Any]) -> bool:
    labels = {
        clean_identifier(name, 60): clean_identifier(text, 200)
        for name, text in list(alert["labels"].items())[:MAX_ALERT_LABELS]
    }
    annotations = alert.get("annotations", {})
    name = labels.get("alertname", "Prometheus")
    runbook_url = annotations.get("runbook_url", "")
    fired = fire_alert(
        fingerprint=_build_fingerprint(alert),
        title=clean_text(annotations.get("summary", ""), 200) or name,
        severity=SEVERITY_BY_LABEL.get(labels.get("severity", "").lower(), AlertSeverity.WARNING),
        source=Alert.Source.PROMETHEUS,
        rule_name=name[:120],
        labels=labels,
        summary=clean_text(annotations.get("description", ""), 500),
        runbook_url=runbook_url if len(runbook_url) <= 300 and is_http_url(runbook_url) else "",
    )
    return fired is not None
