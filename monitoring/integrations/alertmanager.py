"""Alertmanager's webhook: its alerts become ours, each one incident however often it is posted.

https://prometheus.io/docs/alerting/latest/configuration/#webhook_config, version 4. Alertmanager posts a group again
every few minutes and after every failure; what we know already changes nothing.
"""

import json
import secrets
from collections.abc import Mapping
from typing import Any

import structlog
from django.conf import settings
from django.http import Http404, HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from errors.placeholders import clean_text
from monitoring.alerts.lifecycle import fire_alert, resolve_alert
from monitoring.delivery.messages import is_http_url
from monitoring.models import Alert
from monitoring.models.rules import AlertSeverity

log = structlog.get_logger(__name__)

MAX_ALERTS_PER_REQUEST = 500
MAX_ALERT_LABELS = 40
# What Prometheus' users call it -> what we call it.
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
    """For the bearer of ALERTMANAGER_TOKEN; hidden without one. Answers {"fired": n, "resolved": n}.

    400 for a body that is none of Alertmanager's, which it does not send again; Django's 413 for one that is too large.
    """
    _require_token(request)
    try:
        alerts = _parse_alerts(request.body)
    except ValueError as error:
        return JsonResponse({"error": str(error)}, status=400)
    fired = sum(_fire_external_alert(one) for one in alerts if one["status"] == "firing")
    resolved = sum(_resolve_external_alert(one) for one in alerts if one["status"] == "resolved")
    return JsonResponse({"fired": fired, "resolved": resolved})


def _require_token(request: HttpRequest) -> None:
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    token: str = settings.ALERTMANAGER_TOKEN
    if not (token and secrets.compare_digest(given.encode(), token.encode())):
        raise Http404


def _parse_alerts(body: bytes) -> list[dict[str, Any]]:
    """The alerts of a body, each with its status, fingerprint, labels and annotations. Raises ValueError, in words."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ValueError("not JSON") from error
    alerts = document.get("alerts") if isinstance(document, dict) else None
    if not isinstance(alerts, list) or len(alerts) > MAX_ALERTS_PER_REQUEST:
        raise ValueError(f"alerts must be a list of at most {MAX_ALERTS_PER_REQUEST}")
    if not all(_is_valid_alert(one) for one in alerts):
        raise ValueError("each alert needs a status, a fingerprint, labels and annotations")
    return alerts


def _is_valid_alert(one: Any) -> bool:
    return (
        isinstance(one, dict)
        and one.get("status") in ("firing", "resolved")
        and isinstance(one.get("fingerprint"), str)
        and 0 < len(one["fingerprint"]) <= 64
        and _is_string_mapping(one.get("labels"))
        and _is_string_mapping(one.get("annotations", {}))
    )


def _is_string_mapping(value: Any) -> bool:
    return isinstance(value, Mapping) and all(isinstance(text, str) for text in value.values())


def _build_fingerprint(one: dict[str, Any]) -> str:
    return f"prometheus:{one['fingerprint']}"


def _fire_external_alert(one: dict[str, Any]) -> bool:
    labels = {
        clean_text(name, 60): clean_text(text, 200) for name, text in list(one["labels"].items())[:MAX_ALERT_LABELS]
    }
    annotations = one.get("annotations", {})
    name = labels.get("alertname", "Prometheus")
    runbook = annotations.get("runbook_url", "")
    alert = fire_alert(
        fingerprint=_build_fingerprint(one),
        title=clean_text(annotations.get("summary", ""), 200) or name,
        severity=SEVERITY_BY_LABEL.get(labels.get("severity", "").lower(), AlertSeverity.WARNING),
        source=Alert.Source.PROMETHEUS,
        rule_name=name[:120],
        labels=labels,
        summary=clean_text(annotations.get("description", ""), 500),
        runbook_url=runbook if len(runbook) <= 300 and is_http_url(runbook) else "",
    )
    return alert is not None


def _resolve_external_alert(one: dict[str, Any]) -> bool:
    alert = Alert.objects.open().filter(fingerprint=_build_fingerprint(one)).first()
    return alert is not None and resolve_alert(alert, text="Alertmanager 报告已恢复")
