"""When a rule, as it is being edited, would have fired on the samples that are stored.

The same evaluation as the real one, tick by tick, on running totals that are read once.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from monitoring.conditions import condition_of, selectors_of
from monitoring.evaluation import Action, Decision, Measured, Standing, Sums, Verdict, decide
from monitoring.models import Rule
from monitoring.models.samples import BUCKET_SECONDS
from monitoring.windows import (
    ALIVE,
    DELAY,
    Selector,
    end_of_samples,
    floor_to_bucket,
    read_gauges_by_bucket,
    read_increases_by_bucket,
    series_matching,
)

BUCKET = timedelta(seconds=BUCKET_SECONDS)

Source = Callable[[int], list[Sums]]  # the sums as of the edge of a bucket, by its number


@dataclass
class Firing:
    """From when to when it would have fired, and what it would have seen; still going on without an end."""

    fired_at: datetime
    measured: Measured
    resolved_at: datetime | None = None


@dataclass(frozen=True)
class Point:
    """What one evaluation saw."""

    at: datetime
    measured: Measured
    verdict: Verdict


@dataclass
class Backtest:
    """What would have happened: every evaluation, and every alert."""

    start: datetime
    end: datetime
    points: list[Point] = field(default_factory=list)
    firings: list[Firing] = field(default_factory=list)

    @property
    def has_data(self) -> bool:
        """Whether anything was sampled at all."""
        return any(point.verdict is not Verdict.NO_DATA for point in self.points)


def backtest(rule: Rule, now: datetime, period: timedelta) -> Backtest:
    """Evaluate an unsaved or stored rule every 15 s of the period before now; stores nothing.

    It begins as if nothing had been wrong before. Raises UnusableRule.
    """
    parameters = condition_of(rule).parameters
    start, end = floor_to_bucket(now - period), floor_to_bucket(now)
    widest = timedelta(seconds=max(parameters.windows, default=0))
    origin = floor_to_bucket(start - DELAY - widest) - 2 * BUCKET
    sums_at = _source(rule, parameters.windows, origin, end_of_samples(end))
    result, standing = Backtest(start, end), Standing()
    for at, edge in _ticks(start, end, origin):
        decision = decide(parameters, standing, sums_at(edge), at)
        standing = decision.standing
        _note(result, decision, at)
    return result


def _ticks(start: datetime, end: datetime, origin: datetime) -> Iterator[tuple[datetime, int]]:
    """(time of an evaluation, number of the edge that it reads up to)"""
    first = int((start - DELAY - origin) / BUCKET)
    for number in range(int((end - start) / BUCKET) + 1):
        yield start + number * BUCKET, first + number


def _note(result: Backtest, decision: Decision, at: datetime) -> None:
    result.points.append(Point(at, decision.measured, decision.verdict))
    if decision.action is Action.FIRE:
        result.firings.append(Firing(at, decision.measured))
    elif decision.action is Action.RESOLVE:
        result.firings[-1].resolved_at = at


def _source(rule: Rule, windows: list[int], origin: datetime, end: datetime) -> Source:
    top, bottom = selectors_of(rule)
    if bottom is None:
        return _gauge(top, origin, end)
    above, _ = _totals(top, origin, end)
    below, last_seen = _totals(bottom, origin, end)
    widths = [-(-window // BUCKET_SECONDS) for window in windows]  # a window begins at the edge before it
    reach = max(widths) + 2

    def sums_at(edge: int) -> list[Sums]:
        if edge - last_seen[edge] > reach:
            return []
        return [
            Sums(window, max(0.0, above[edge] - above[edge - width]), max(0.0, below[edge] - below[edge - width]))
            for window, width in zip(windows, widths, strict=True)
        ]

    return sums_at


def _totals(selector: Selector, origin: datetime, end: datetime) -> tuple[list[float], list[int]]:
    """By edge: the increase since the origin, and the number of the last bucket before it that has a sample."""
    size = max(0, int((end - origin) / BUCKET))
    increases = [0.0] * size
    seen = [False] * size
    for bucket, increase in read_increases_by_bucket(series_matching(selector), origin, end):
        number = int((bucket - origin) / BUCKET)
        increases[number], seen[number] = increase, True
    totals, last_seen = [0.0], [-size - 10_000]
    for number in range(size):
        totals.append(totals[-1] + increases[number])
        last_seen.append(number if seen[number] else last_seen[-1])
    return totals, last_seen


def _gauge(selector: Selector, origin: datetime, end: datetime) -> Source:
    """The last value of each process within 3 buckets, unless it has ended."""
    size = max(0, int((end - origin) / BUCKET))
    reach = int(ALIVE / BUCKET)
    by_edge: list[dict[object, float]] = [{} for _ in range(size + reach + 1)]
    for bucket, process, ended_at, value in read_gauges_by_bucket(series_matching(selector), origin, end):
        number = int((bucket - origin) / BUCKET)
        for edge in range(number + 1, number + 1 + reach):
            if ended_at is None or ended_at >= origin + edge * BUCKET:
                by_edge[edge][process] = value  # in the order of the buckets: the last one stays

    def sums_at(edge: int) -> list[Sums]:
        values = by_edge[edge].values()
        return [Sums(0, sum(values), 1.0)] if values else []

    return sums_at
