"""Coordinates of a backtest's chart: the value, its interval, the thresholds, and the firings."""

from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from django.utils import timezone

from monitoring.models import Rule
from monitoring.rules.backtest import Backtest
from monitoring.rules.explanations import format_rule_value

BACKTEST_CHART_WIDTH, BACKTEST_CHART_HEIGHT = 960, 280
MARGIN_LEFT, MARGIN_RIGHT, MARGIN_TOP, MARGIN_BOTTOM = 70, 10, 12, 28
MAX_CHART_POINTS = 480
BACKTEST_X_LABEL_COUNT = 5


@dataclass(frozen=True)
class BacktestChart:
    """Coordinates for the template."""

    intervals: list[str]
    lines: list[str]
    threshold_y: float
    resolve_y: float | None
    firings: list[tuple[float, float]]
    y_labels: list[tuple[float, str]]
    x_labels: list[tuple[float, str]]
    width: int = BACKTEST_CHART_WIDTH
    height: int = BACKTEST_CHART_HEIGHT
    left: int = MARGIN_LEFT
    right: int = BACKTEST_CHART_WIDTH - MARGIN_RIGHT
    top: int = MARGIN_TOP
    plot_height: int = BACKTEST_CHART_HEIGHT - MARGIN_TOP - MARGIN_BOTTOM
    label_x: int = MARGIN_LEFT - 8
    text_y: int = BACKTEST_CHART_HEIGHT - 8


def build_backtest_chart(result: Backtest, rule: Rule) -> BacktestChart:
    """Build the chart from at most MAX_CHART_POINTS evaluations, in each interval the one closest to a breach."""
    size = max(1, -(-len(result.points) // MAX_CHART_POINTS))
    points = [
        max(result.points[first : first + size], key=lambda point: point.get_breach_score(rule.comparison))
        for first in range(0, len(result.points), size)
    ]
    bounds = [bound for point in points for bound in (point.measurement.high, point.measurement.value)]
    y_max = max(bound for bound in [*bounds, rule.threshold, rule.resolve_threshold, 1e-9] if bound is not None) * 1.08
    y_max = min(y_max, 1.0) if rule.kind == Rule.Kind.RATIO else y_max
    seconds = (result.end - result.start).total_seconds() or 1.0
    plot_width = BACKTEST_CHART_WIDTH - MARGIN_LEFT - MARGIN_RIGHT
    plot_height = BACKTEST_CHART_HEIGHT - MARGIN_TOP - MARGIN_BOTTOM

    def x(at: datetime) -> float:
        return round(MARGIN_LEFT + plot_width * (at - result.start).total_seconds() / seconds, 1)

    def y(value: float) -> float:
        return round(BACKTEST_CHART_HEIGHT - MARGIN_BOTTOM - plot_height * min(max(value / y_max, 0), 1), 1)

    by_presence = groupby(points, key=lambda point: point.measurement.value is not None)
    runs = [list(run) for has_value, run in by_presence if has_value]
    intervals = []
    for run in runs:
        upper = [f"{x(point.at)},{y(point.measurement.high or 0)}" for point in run]
        lower = [f"{x(point.at)},{y(point.measurement.low or 0)}" for point in reversed(run)]
        intervals.append(" ".join(upper + lower))
    y_values = [y_max * part / 4 for part in range(5)]
    section_count = BACKTEST_X_LABEL_COUNT - 1
    x_moments = [
        result.start + (result.end - result.start) * number / section_count for number in range(section_count + 1)
    ]
    return BacktestChart(
        intervals=intervals,
        lines=[" ".join(f"{x(point.at)},{y(point.measurement.value or 0)}" for point in run) for run in runs],
        threshold_y=y(rule.threshold),
        resolve_y=None if rule.resolve_threshold is None else y(rule.resolve_threshold),
        firings=[
            (x(firing.fired_at), max(1.5, x(firing.resolved_at or result.end) - x(firing.fired_at)))
            for firing in result.firings
        ],
        y_labels=[(y(value), format_rule_value(rule.kind, value, rule.metric)) for value in y_values],
        x_labels=[(x(at), f"{timezone.localtime(at):%m-%d %H:%M}") for at in x_moments],
    )
