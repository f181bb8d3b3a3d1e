"""A Grafana dashboard with a panel for every metric; a test compares it with docs/reference/grafana-dashboard.json."""

import json
from itertools import groupby
from typing import Any

from django.conf import settings

from monitoring.registry import Metric, catalogue

UID, TITLE = "diagsite", "Brand diagnoses"
WIDTH, HEIGHT, COLUMNS = 8, 8, 3
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
MOST_LABELS_APART = 2  # more lines than that nobody reads


def dashboard_text() -> str:
    """The dashboard as JSON, ready to be imported."""
    return json.dumps(_dashboard(), ensure_ascii=False, indent=2) + "\n"


def _dashboard() -> dict[str, Any]:
    return {
        "uid": UID,
        "title": TITLE,
        "tags": [UID],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {
            "list": [{"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}]
        },
        "panels": _panels(),
    }


def _panels() -> list[dict[str, Any]]:
    panels: list[dict[str, Any]] = []
    top = 0
    for app, metrics in groupby(catalogue().values(), key=lambda metric: metric.app):
        panels.append(_placed({"type": "row", "title": app, "panels": []}, panels, 0, top, 24, 1))
        top += 1
        for number, metric in enumerate(metrics):
            left, line = WIDTH * (number % COLUMNS), number // COLUMNS
            panels.append(_placed(_panel(metric), panels, left, top + HEIGHT * line, WIDTH, HEIGHT))
        top += HEIGHT * (line + 1)
    return panels


def _placed(
    panel: dict[str, Any], before: list[dict[str, Any]], left: int, top: int, width: int, height: int
) -> dict[str, Any]:
    return {"id": len(before) + 1, **panel, "gridPos": {"x": left, "y": top, "w": width, "h": height}}


def _panel(metric: Metric) -> dict[str, Any]:
    unit = "s" if metric.kind == "histogram" else "reqps" if metric.kind == "counter" else "short"
    queries = _queries(metric)
    return {
        "type": "timeseries",
        "title": metric.name,
        "description": metric.help,
        "datasource": SOURCE,
        "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
        "targets": [
            {"refId": chr(65 + number), "datasource": SOURCE, "expr": expr, "legendFormat": legend}
            for number, (expr, legend) in enumerate(queries)
        ],
    }


def _queries(metric: Metric) -> list[tuple[str, str]]:
    """(expression, legend) of each line of a panel."""
    labels = metric.labels[:MOST_LABELS_APART]
    by = f" by ({', '.join(labels)})" if labels else ""
    legend = " ".join(f"{{{{{label}}}}}" for label in labels) or metric.name
    if metric.kind == "counter":
        return [(f"sum{by} (rate({metric.name}[$__rate_interval]))", legend)]
    if metric.kind == "gauge":
        # What is counted in rows is the same in every process.
        how = "max" if metric.name in settings.SITE_GAUGES else "sum"
        return [(f"{how}{by} ({metric.name})", legend)]
    rate = f"rate({metric.name}_{{}}[$__rate_interval])"
    inner = f" by ({', '.join(('le', *labels))})"
    mean = f"sum{by} ({rate.format('sum')}) / sum{by} ({rate.format('count')})"
    p95 = f"histogram_quantile(0.95, sum{inner} ({rate.format('bucket')}))"
    return [(mean, f"mean {legend}"), (p95, f"p95 {legend}")]
