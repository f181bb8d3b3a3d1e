"""The dashboard: what runs, how well, and what is wrong, over an hour, a day or a week."""

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.cache import add_never_cache_headers
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from errors.audit import ReadOnlyAdmin
from monitoring.dashboard.charts import (
    CHART_COUNTERS,
    CHART_GAUGES,
    Chart,
    build_charts,
    compute_platform_stats,
    list_frequent_errors,
)
from monitoring.dashboard.overview import build_tiles, get_health_summary, list_open_alerts
from monitoring.dashboard.overview import list_platform_status_rows as list_platforms_now
from monitoring.dashboard.push import get_dashboard_stream
from monitoring.dashboard.svg import compute_scale, render_chart_svg
from monitoring.dashboard.time_range import TIME_RANGES, MetricHistory
from monitoring.formatting import format_figure, format_moment
from monitoring.models import Dashboard

DEFAULT_TIME_RANGE = "1h"
CHART_X_LABEL_COUNT = 4


@admin.register(Dashboard)
class DashboardAdmin(ReadOnlyAdmin[Dashboard]):
    """One page instead of a list of rows; for everybody who may enter the admin."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Listed for staff."""
        return self.admin_site.has_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Dashboard | None = None) -> bool:
        """Seen by staff; there is no row to be seen by itself."""
        return obj is None and self.admin_site.has_permission(request)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The page; with `?part=1` only what changes, for the page to put in place of the old."""
        span = request.GET.get("span", "")
        span = span if span in TIME_RANGES else DEFAULT_TIME_RANGE
        if "part" in request.GET:
            response = TemplateResponse(request, "admin/monitoring/dashboard_part.html", build_dashboard_context(span))
        else:
            context = {
                "live": build_live_config(span),  # first: what comes while the rest is read is told
                **build_dashboard_context(span),
                **self.admin_site.each_context(request),
                "title": _("监控面板"),
                "opts": self.opts,
            }
            response = TemplateResponse(request, "admin/monitoring/dashboard.html", context)
        add_never_cache_headers(response)
        return response


def build_dashboard_context(span: str) -> dict[str, Any]:
    """Everything that the page shows."""
    now = timezone.now()
    history = MetricHistory(TIME_RANGES[span], now, CHART_COUNTERS, CHART_GAUGES)
    health, alerts = get_health_summary(), list_open_alerts()
    names = {"1h": _("1 小时"), "24h": _("24 小时"), "7d": _("7 天")}
    return {
        "span": span,
        "spans": [{"name": name, "words": names[name]} for name in TIME_RANGES],
        "span_words": names[span],
        "tiles": build_tiles(health, alerts),
        "health": health,
        "alerts": alerts,
        "charts": [build_chart_context(chart, span) for chart in build_charts(history)],
        "errors": list_frequent_errors(history),
        "platforms": list_platforms_now(compute_platform_stats(history)),
        "demo": settings.DEMO,
        "has_demo": history.has_demo(),
        "end": history.edges[-1],
        "time_zone": settings.TIME_ZONE,
    }


def build_live_config(span: str) -> dict[str, Any]:
    """What the page's script needs: the stream from where it stands now, and words."""
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
    """A chart with its picture, its scales and its table."""
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
    """The chart in a sentence a line: its lowest, highest and latest value."""
    return " ".join(
        _describe_line(line.label, [v for v in line.values if v is not None], chart.unit) for line in chart.lines
    )


def _describe_line(label: str, values: list[float], unit: Any) -> str:
    if not values:
        return _("%(label)s：没有数据。") % {"label": label}
    values_text = {
        "label": label,
        "low": format_figure(min(values), unit),
        "high": format_figure(max(values), unit),
        "last": format_figure(values[-1], unit),
    }
    return _("%(label)s：最低 %(low)s，最高 %(high)s，最近 %(last)s。") % values_text
