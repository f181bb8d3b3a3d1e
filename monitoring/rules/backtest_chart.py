"""A backtest as a drawing: the value, its interval, the thresholds, and when it would have fired."""

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
    """Draw it at some hundred points; of those that share one, the nearest to trouble is drawn."""
    points = _downsample(result.points, rule)
    known = [one for point in points for one in (point.measurement.high, point.measurement.value) if one is not None]
    thresholds = [rule.threshold, *([] if rule.resolve_threshold is None else [rule.resolve_threshold])]
    y_max = max([*known, *thresholds, 1e-9]) * 1.08
    y_max = min(y_max, 1.0) if rule.kind == Rule.Kind.RATIO else y_max
    seconds = (result.end - result.start).total_seconds() or 1.0

    def x(at: datetime) -> float:
        return round(
            MARGIN_LEFT
            + (BACKTEST_CHART_WIDTH - MARGIN_LEFT - MARGIN_RIGHT) * (at - result.start).total_seconds() / seconds,
            1,
        )

    def y(value: float) -> float:
        return round(
            BACKTEST_CHART_HEIGHT
            - MARGIN_BOTTOM
            - (BACKTEST_CHART_HEIGHT - MARGIN_TOP - MARGIN_BOTTOM) * min(max(value / y_max, 0), 1),
            1,
        )

    runs = _split_at_gaps(points)
    return BacktestChart(
        intervals=[
            _build_outline([(x(p.at), y(p.measurement.high or 0), y(p.measurement.low or 0)) for p in run])
            for run in runs
        ],
        lines=[" ".join(f"{x(p.at)},{y(p.measurement.value or 0)}" for p in run) for run in runs],
        threshold_y=y(rule.threshold),
        resolve_y=None if rule.resolve_threshold is None else y(rule.resolve_threshold),
        firings=[
            (x(one.fired_at), max(1.5, x(one.resolved_at or result.end) - x(one.fired_at))) for one in result.firings
        ],
        y_labels=[
            (y(y_max * part / 4), format_rule_value(rule.kind, y_max * part / 4, rule.metric)) for part in range(5)
        ],
        x_labels=[(x(at), f"{timezone.localtime(at):%m-%d %H:%M}") for at in _get_x_label_moments(result)],
    )


def _get_x_label_moments(result: Backtest) -> list[datetime]:
    return [
        result.start + (result.end - result.start) * number / (BACKTEST_X_LABEL_COUNT - 1)
        for number in range(BACKTEST_X_LABEL_COUNT)
    ]


def _downsample(points: list[BacktestPoint], rule: Rule) -> list[BacktestPoint]:
    size = max(1, -(-len(points) // MAX_CHART_POINTS))

    def get_breach_score(point: BacktestPoint) -> float:
        measurement = point.measurement
        if measurement.low is None or measurement.high is None:
            return float("-inf")
        return measurement.low if rule.comparison == Rule.Comparison.ABOVE else -measurement.high

    return [max(points[first : first + size], key=get_breach_score) for first in range(0, len(points), size)]


def _split_at_gaps(points: list[BacktestPoint]) -> list[list[BacktestPoint]]:
    """Without the gaps where nothing could be told."""
    runs: list[list[BacktestPoint]] = [[]]
    for point in points:
        if point.measurement.value is None:
            runs.append([])
        else:
            runs[-1].append(point)
    return [run for run in runs if run]


def _build_outline(edges: list[tuple[float, float, float]]) -> str:
    upper = [f"{x},{high}" for x, high, _ in edges]
    lower = [f"{x},{low}" for x, _, low in reversed(edges)]
    return " ".join(upper + lower)
