"""Coordinates of a backtest's chart: the value, its interval, the thresholds, and the firings."""

from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from monitoring.models import Rule
from monitoring.rules.backtest import Backtest, BacktestPoint
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
    points = _downsample(result.points, rule)
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

    runs = _split_at_gaps(points)
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


def _downsample(points: list[BacktestPoint], rule: Rule) -> list[BacktestPoint]:
    size = max(1, -(-len(points) // MAX_CHART_POINTS))

    def get_breach_score(point: BacktestPoint) -> float:
        measurement = point.measurement
        if measurement.low is None or measurement.high is None:
            return float("-inf")
        return measurement.low if rule.comparison == Rule.Comparison.ABOVE else -measurement.high

    return [max(points[first : first + size], key=get_breach_score) for first in range(0, len(points), size)]


def _split_at_gaps(points: list[BacktestPoint]) -> list[list[BacktestPoint]]:
    """Return the runs of consecutive points that have a value."""
    runs: list[list[BacktestPoint]] = [[]]
    for point in points:
        if point.measurement.value is None:
            runs.append([])
        else:
            runs[-1].append(point)
    return [run for run in runs if run]
