"""A Grafana dashboard with a panel for every metric; a test compares it with docs/reference/grafana-dashboard.json."""

import json
from itertools import groupby
from typing import Any

from django.conf import settings

from monitoring.instrumentation.registry import Metric, get_metrics

DASHBOARD_UID, DASHBOARD_TITLE = "diagsite", "Brand diagnoses"
PANEL_WIDTH, PANEL_HEIGHT, PANELS_PER_ROW = 8, 8, 3
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
MAX_GROUPING_LABELS = 2  # more labels make too many lines to read


def render_grafana_dashboard() -> str:
    """Return the dashboard as JSON, ready to import."""
    panels: list[dict[str, Any]] = []
    top = 0
    for app, metrics in groupby(get_metrics().values(), key=lambda metric: metric.app):
        panels.append(_place_panel({"type": "row", "title": app, "panels": []}, panels, 0, top, 24, 1))
        top += 1
        for number, metric in enumerate(metrics):
            left, line = PANEL_WIDTH * (number % PANELS_PER_ROW), number // PANELS_PER_ROW
            panels.append(
                _place_panel(_build_panel(metric), panels, left, top + PANEL_HEIGHT * line, PANEL_WIDTH, PANEL_HEIGHT)
            )
        top += PANEL_HEIGHT * (line + 1)
    dashboard = {
        "uid": DASHBOARD_UID,
        "title": DASHBOARD_TITLE,
        "tags": [DASHBOARD_UID],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {
            "list": [{"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}]
        },
        "panels": panels,
    }
    return json.dumps(dashboard, ensure_ascii=False, indent=2) + "\n"


def _place_panel(
    panel: dict[str, Any], existing: list[dict[str, Any]], left: int, top: int, width: int, height: int
) -> dict[str, Any]:
    return {"id": len(existing) + 1, **panel, "gridPos": {"x": left, "y": top, "w": width, "h": height}}


def _build_panel(metric: Metric) -> dict[str, Any]:
    labels = metric.labels[:MAX_GROUPING_LABELS]
    by = f" by ({', '.join(labels)})" if labels else ""
    legend = " ".join(f"{{{{{label}}}}}" for label in labels) or metric.name
    if metric.kind == "counter":
        unit, queries = "reqps", [(f"sum{by} (rate({metric.name}[$__rate_interval]))", legend)]
    elif metric.kind == "gauge":
        # Gauges computed from the database are the same in every process.
        aggregation = "max" if metric.name in settings.SITE_GAUGES else "sum"
        unit, queries = "short", [(f"{aggregation}{by} ({metric.name})", legend)]
    else:
        rate = f"rate({metric.name}_{{}}[$__rate_interval])"
        mean = f"sum{by} ({rate.format('sum')}) / sum{by} ({rate.format('count')})"
        p95 = f"histogram_quantile(0.95, sum by ({', '.join(('le', *labels))}) ({rate.format('bucket')}))"
        unit, queries = "s", [(mean, f"mean {legend}"), (p95, f"p95 {legend}")]
    return {
        "type": "timeseries",
        "title": metric.name,
        "description": metric.help,
        "datasource": DATASOURCE,
        "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
        "targets": [
            {"refId": chr(65 + number), "datasource": DATASOURCE, "expr": expr, "legendFormat": legend}
            for number, (expr, legend) in enumerate(queries)
        ],
    }
