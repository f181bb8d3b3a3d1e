"""A backtest as a drawing: the value, its interval, the thresholds, and when it would have fired."""

from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from monitoring.backtesting import Backtest, Point
from monitoring.explaining import in_numbers
from monitoring.models import Rule

WIDTH, HEIGHT = 960, 280
LEFT, RIGHT, TOP, BOTTOM = 70, 10, 12, 28
MOST_POINTS = 480
X_LABELS = 5


@dataclass(frozen=True)
class Chart:
    """Coordinates for the template."""

    intervals: list[str]
    lines: list[str]
    threshold_y: float
    resolve_y: float | None
    firings: list[tuple[float, float]]
    y_labels: list[tuple[float, str]]
    x_labels: list[tuple[float, str]]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    plot_height: int = HEIGHT - TOP - BOTTOM
    label_x: int = LEFT - 8
    text_y: int = HEIGHT - 8


def chart_of(test: Backtest, rule: Rule) -> Chart:
    """Draw it at some hundred points; of those that share one, the nearest to trouble is drawn."""
    points = _thinned(test.points, rule)
    known = [one for point in points for one in (point.measured.high, point.measured.value) if one is not None]
    thresholds = [rule.threshold, *([] if rule.resolve_threshold is None else [rule.resolve_threshold])]
    top = max([*known, *thresholds, 1e-9]) * 1.08
    top = min(top, 1.0) if rule.kind == Rule.Kind.RATIO else top
    seconds = (test.end - test.start).total_seconds() or 1.0

    def x(at: datetime) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * (at - test.start).total_seconds() / seconds, 1)

    def y(value: float) -> float:
        return round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * min(max(value / top, 0), 1), 1)

    runs = _runs(points)
    return Chart(
        intervals=[_outline([(x(p.at), y(p.measured.high or 0), y(p.measured.low or 0)) for p in run]) for run in runs],
        lines=[" ".join(f"{x(p.at)},{y(p.measured.value or 0)}" for p in run) for run in runs],
        threshold_y=y(rule.threshold),
        resolve_y=None if rule.resolve_threshold is None else y(rule.resolve_threshold),
        firings=[(x(one.fired_at), max(1.5, x(one.resolved_at or test.end) - x(one.fired_at))) for one in test.firings],
        y_labels=[(y(top * part / 4), in_numbers(rule.kind, top * part / 4, rule.metric)) for part in range(5)],
        x_labels=[(x(at), f"{timezone.localtime(at):%m-%d %H:%M}") for at in _moments(test)],
    )


def _moments(test: Backtest) -> list[datetime]:
    return [test.start + (test.end - test.start) * number / (X_LABELS - 1) for number in range(X_LABELS)]


def _thinned(points: list[Point], rule: Rule) -> list[Point]:
    size = max(1, -(-len(points) // MOST_POINTS))

    def trouble(point: Point) -> float:
        seen = point.measured
        if seen.low is None or seen.high is None:
            return float("-inf")
        return seen.low if rule.comparison == Rule.Comparison.ABOVE else -seen.high

    return [max(points[first : first + size], key=trouble) for first in range(0, len(points), size)]


def _runs(points: list[Point]) -> list[list[Point]]:
    """Without the gaps where nothing could be told."""
    runs: list[list[Point]] = [[]]
    for point in points:
        if point.measured.value is None:
            runs.append([])
        else:
            runs[-1].append(point)
    return [run for run in runs if run]


def _outline(edges: list[tuple[float, float, float]]) -> str:
    upper = [f"{x},{high}" for x, high, _ in edges]
    lower = [f"{x},{low}" for x, _, low in reversed(edges)]
    return " ".join(upper + lower)
