"""Template context of the dashboard."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from errors.statistics import get_first_hour
from monitoring.dashboard.charts import (
    CHART_COUNTERS,
    CHART_GAUGES,
    Chart,
    build_charts,
    compute_platform_stats,
    list_frequent_errors,
)
from monitoring.dashboard.metric_history import TIME_RANGES, MetricHistory
from monitoring.dashboard.overview import build_tiles, get_health_summary, list_open_alerts, list_platform_status_rows
from monitoring.dashboard.push import get_dashboard_stream
from monitoring.dashboard.svg import compute_scale, render_chart_svg
from monitoring.formatting import format_figure, format_moment

CHART_X_LABEL_COUNT = 4


def build_dashboard_context(span: str) -> dict[str, Any]:
    """Return the part of the page that is updated; span is a key of TIME_RANGES."""
    now = timezone.now()
    period = timedelta(seconds=TIME_RANGES[span].seconds)
    history = MetricHistory(TIME_RANGES[span], now, CHART_COUNTERS, CHART_GAUGES)
    health, alerts = get_health_summary(), list_open_alerts()
    names = {"1h": _("1 小时"), "24h": _("24 小时"), "7d": _("7 天")}
    return {
        "span": span,
        "spans": [{"name": name, "words": names[name]} for name in TIME_RANGES],
        "span_words": names[span],
        "tiles": build_tiles(health),
        "health": health,
        "alerts": alerts,
        "charts": [build_chart_context(chart, span) for chart in build_charts(history)],
        "errors": list_frequent_errors(period),
        "errors_since": get_first_hour(period),
        "error_hours": period // timedelta(hours=1),
        "platforms": list_platform_status_rows(compute_platform_stats(history)),
        "demo": settings.DEMO,
        "has_demo": history.has_demo(),
        "end": history.edges[-1],
        "time_zone": settings.TIME_ZONE,
    }


def build_live_config(span: str) -> dict[str, Any]:
    """Return the configuration of the page's script: the event stream with its current position, and texts."""
    stream = get_dashboard_stream()
    return {
        "stream": str(stream.pk),
        "after": stream.last_seq,
        "epoch": stream.epoch,
        "part": f"?span={span}&part=1",
        "language": get_language(),
        "words": {
            "connecting": _("连接中"),
            "live": _("实时更新"),
            "polling": _("轮询更新"),
            "lost": _("连接中断，重试中"),
            "failed": _("无法更新，请刷新页面"),
            "fired": _("新告警："),
            "resolved": _("告警解除："),
        },
    }


def build_chart_context(chart: Chart, span: str) -> dict[str, Any]:
    """Return a chart with its SVG, axis labels and table."""
    scale = compute_scale(chart)
    is_long = span == "7d"
    at = [round(part * (len(chart.edges) - 1) / (CHART_X_LABEL_COUNT - 1)) for part in range(CHART_X_LABEL_COUNT)]
    return {
        "chart": chart,
        "figure": format_figure(chart.summary_value, chart.unit),
        "svg": "" if chart.is_empty else render_chart_svg(chart, describe_chart(chart)),
        "y_labels": [format_figure(value, chart.unit) for value in (scale.high, scale.middle, scale.low)],
        "x_labels": [format_moment(chart.edges[number], is_long=is_long) for number in at],
        "rows": [
            {
                "moment": format_moment(chart.edges[step + 1], is_long=is_long),
                "values": [format_figure(line.values[step], chart.unit) for line in chart.lines],
            }
            for step in reversed(range(len(chart.edges) - 1))
        ],
    }


def describe_chart(chart: Chart) -> str:
    """Return one sentence per line: its lowest, highest and latest value."""
    sentences = []
    for line in chart.lines:
        values = [value for value in line.values if value is not None]
        if not values:
            sentences.append(_("%(label)s：没有数据。") % {"label": line.label})
            continue
        texts = {
            "label": line.label,
            "low": format_figure(min(values), chart.unit),
            "high": format_figure(max(values), chart.unit),
            "last": format_figure(values[-1], chart.unit),
        }
        sentences.append(_("%(label)s：最低 %(low)s，最高 %(high)s，最近 %(last)s。") % texts)
    return " ".join(sentences)
