"""When a rule, as it is being edited, would have fired on the samples that are stored.

The same evaluation as the real one, tick by tick, on running totals that are read once.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from monitoring.models import Rule
from monitoring.models.samples import BUCKET_SECONDS
from monitoring.rules.decision import (
    AlertAction,
    Decision,
    EvaluationState,
    Measurement,
    ThresholdVerdict,
    WindowSums,
    decide,
)
from monitoring.rules.rule_query import build_rule_query, get_rule_selectors
from monitoring.samples.queries import (
    SAMPLE_DELAY,
    SAMPLE_STALE_AFTER,
    SeriesSelector,
    find_series_ids,
    floor_to_bucket,
    get_complete_until,
    read_gauges_by_bucket,
    read_increases_by_bucket,
)

BUCKET = timedelta(seconds=BUCKET_SECONDS)

WindowSumsSource = Callable[[int], list[WindowSums]]  # the sums as of the edge of a bucket, by its number


@dataclass
class BacktestFiring:
    """From when to when it would have fired, and what it would have seen; still going on without an end."""

    fired_at: datetime
    measurement: Measurement
    resolved_at: datetime | None = None


@dataclass(frozen=True)
class BacktestPoint:
    """What one evaluation saw."""

    at: datetime
    measurement: Measurement
    verdict: ThresholdVerdict


@dataclass
class Backtest:
    """What would have happened: every evaluation, and every alert."""

    start: datetime
    end: datetime
    points: list[BacktestPoint] = field(default_factory=list)
    firings: list[BacktestFiring] = field(default_factory=list)

    @property
    def has_data(self) -> bool:
        """Whether anything was sampled at all."""
        return any(point.verdict is not ThresholdVerdict.NO_DATA for point in self.points)


def run_backtest(rule: Rule, now: datetime, period: timedelta) -> Backtest:
    """Evaluate an unsaved or stored rule every 15 s of the period before now; stores nothing.

    It begins as if nothing had been wrong before. Raises InvalidRule.
    """
    parameters = build_rule_query(rule).parameters
    start, end = floor_to_bucket(now - period), floor_to_bucket(now)
    widest = timedelta(seconds=max(parameters.windows, default=0))
    origin = floor_to_bucket(start - SAMPLE_DELAY - widest) - 2 * BUCKET
    sums_at = _build_sums_source(rule, parameters.windows, origin, get_complete_until(end))
    result, state = Backtest(start, end), EvaluationState()
    for at, edge in _iter_ticks(start, end, origin):
        decision = decide(parameters, state, sums_at(edge), at)
        state = decision.new_state
        _record_decision(result, decision, at)
    return result


def _iter_ticks(start: datetime, end: datetime, origin: datetime) -> Iterator[tuple[datetime, int]]:
    """(time of an evaluation, number of the edge that it reads up to)"""
    first = int((start - SAMPLE_DELAY - origin) / BUCKET)
    for number in range(int((end - start) / BUCKET) + 1):
        yield start + number * BUCKET, first + number


def _record_decision(result: Backtest, decision: Decision, at: datetime) -> None:
    result.points.append(BacktestPoint(at, decision.measurement, decision.verdict))
    if decision.action is AlertAction.FIRE:
        result.firings.append(BacktestFiring(at, decision.measurement))
    elif decision.action is AlertAction.RESOLVE:
        result.firings[-1].resolved_at = at


def _build_sums_source(rule: Rule, windows: list[int], origin: datetime, end: datetime) -> WindowSumsSource:
    numerator, denominator = get_rule_selectors(rule)
    if denominator is None:
        return _build_gauge_source(numerator, origin, end)
    numerator_totals, _ = _load_running_totals(numerator, origin, end)
    denominator_totals, last_seen = _load_running_totals(denominator, origin, end)
    window_buckets = [-(-window // BUCKET_SECONDS) for window in windows]  # a window begins at the edge before it
    max_age_buckets = max(window_buckets) + 2

    def sums_at(edge: int) -> list[WindowSums]:
        if edge - last_seen[edge] > max_age_buckets:
            return []
        return [
            WindowSums(
                window,
                max(0.0, numerator_totals[edge] - numerator_totals[edge - width]),
                max(0.0, denominator_totals[edge] - denominator_totals[edge - width]),
            )
            for window, width in zip(windows, window_buckets, strict=True)
        ]

    return sums_at


def _load_running_totals(selector: SeriesSelector, origin: datetime, end: datetime) -> tuple[list[float], list[int]]:
    """By edge: the increase since the origin, and the number of the last bucket before it that has a sample."""
    size = max(0, int((end - origin) / BUCKET))
    increases = [0.0] * size
    seen = [False] * size
    for bucket, increase in read_increases_by_bucket(find_series_ids(selector), origin, end):
        number = int((bucket - origin) / BUCKET)
        increases[number], seen[number] = increase, True
    totals, last_seen = [0.0], [-size - 10_000]
    for number in range(size):
        totals.append(totals[-1] + increases[number])
        last_seen.append(number if seen[number] else last_seen[-1])
    return totals, last_seen


def _build_gauge_source(selector: SeriesSelector, origin: datetime, end: datetime) -> WindowSumsSource:
    """The last value of each process within 3 buckets, unless it has ended."""
    size = max(0, int((end - origin) / BUCKET))
    stale_after_buckets = int(SAMPLE_STALE_AFTER / BUCKET)
    by_edge: list[dict[object, float]] = [{} for _ in range(size + stale_after_buckets + 1)]
    for bucket, process, ended_at, value in read_gauges_by_bucket(find_series_ids(selector), origin, end):
        number = int((bucket - origin) / BUCKET)
        for edge in range(number + 1, number + 1 + stale_after_buckets):
            if ended_at is None or ended_at >= origin + edge * BUCKET:
                by_edge[edge][process] = value  # in the order of the buckets: the last one stays

    def sums_at(edge: int) -> list[WindowSums]:
        values = by_edge[edge].values()
        return [WindowSums(0, sum(values), 1.0)] if values else []

    return sums_at
