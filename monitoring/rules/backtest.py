"""When a rule, as it is being edited, would have fired on the stored samples.

Uses the same decisions as the evaluator, tick by tick, on running totals that are read once.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from monitoring.measurement import Measurement
from monitoring.models import Rule
from monitoring.models.samples import BUCKET_SECONDS, floor_to_bucket
from monitoring.rules.decision import AlertAction, EvaluationState, ThresholdVerdict, decide
from monitoring.rules.ending_series import EndingSeries
from monitoring.rules.evidence import RuleEvidence, RuleParameters, WindowSums
from monitoring.rules.rule_query import build_rule_query, get_rule_selectors
from monitoring.samples.queries import (
    SAMPLE_DELAY,
    SAMPLE_STALE_AFTER,
    SeriesSelector,
    find_series_ids,
    get_complete_until,
    read_gauges_by_bucket,
    read_increases_by_bucket,
)

BUCKET = timedelta(seconds=BUCKET_SECONDS)

# Number of a bucket edge, state before the evaluation -> the evidence up to the edge.
EvidenceSource = Callable[[int, EvaluationState], RuleEvidence]


@dataclass
class BacktestFiring:
    """One alert that would have fired; `resolved_at` is None if it would still be open."""

    fired_at: datetime
    measurement: Measurement
    resolved_at: datetime | None = None


@dataclass(frozen=True)
class BacktestPoint:
    """The result of one evaluation."""

    at: datetime
    measurement: Measurement
    verdict: ThresholdVerdict

    def get_breach_score(self, comparison: str) -> float:
        """Return a number that is higher the closer the value is to a breach; -inf without a value."""
        if self.measurement.low is None or self.measurement.high is None:
            return float("-inf")
        return self.measurement.low if comparison == Rule.Comparison.ABOVE else -self.measurement.high


@dataclass
class Backtest:
    """Every evaluation, and every alert that would have fired."""

    start: datetime
    end: datetime
    points: list[BacktestPoint] = field(default_factory=list)
    firings: list[BacktestFiring] = field(default_factory=list)

    @property
    def has_data(self) -> bool:
        """Whether there were any samples."""
        return any(point.verdict is not ThresholdVerdict.NO_DATA for point in self.points)


def run_backtest(rule: Rule, now: datetime, period: timedelta) -> Backtest:
    """Evaluate a stored or unsaved rule for every 15 s of the period before now; store nothing.

    The rule starts in the state "ok". Raises InvalidRule.
    """
    parameters = build_rule_query(rule).parameters
    start, end = floor_to_bucket(now - period), floor_to_bucket(now)
    widest = timedelta(seconds=max(parameters.windows, default=0), days=parameters.evidence_days)
    origin = floor_to_bucket(start - SAMPLE_DELAY - widest) - 2 * BUCKET
    build_evidence = _build_evidence_source(rule, parameters, origin, get_complete_until(end))
    result, state = Backtest(start, end), EvaluationState()
    first_edge = int((start - SAMPLE_DELAY - origin) / BUCKET)
    for number in range(int((end - start) / BUCKET) + 1):
        at = start + number * BUCKET
        decision = decide(parameters, state, build_evidence(first_edge + number, state), at)
        state = decision.new_state
        result.points.append(BacktestPoint(at, decision.measurement, decision.verdict))
        if decision.action is AlertAction.FIRE:
            result.firings.append(BacktestFiring(at, decision.measurement))
        elif decision.action is AlertAction.RESOLVE:
            result.firings[-1].resolved_at = at
    return result


def _build_evidence_source(rule: Rule, parameters: RuleParameters, origin: datetime, end: datetime) -> EvidenceSource:
    numerator, denominator = get_rule_selectors(rule)
    if denominator is None:
        return _build_gauge_source(numerator, origin, end)
    numerators, _ = _load_increases(numerator, origin, end)
    denominators, last_seen = _load_increases(denominator, origin, end)
    pairs = enumerate(zip(numerators, denominators, strict=True), 1)
    series = EndingSeries((origin + number * BUCKET, x, n) for number, (x, n) in pairs if x or n)
    # Older samples are not read by the evaluator; see read_totals.
    max_age_buckets = max(parameters.windows) // BUCKET_SECONDS + 3

    def build_evidence(edge: int, state: EvaluationState) -> RuleEvidence:
        until = origin + edge * BUCKET
        since = None if state.resolved_at is None else get_complete_until(state.resolved_at)
        evidence = series.build_evidence(parameters, until, since=since, recovered_since=state.recovered_since)
        is_old = edge - last_seen[edge] > max_age_buckets
        return RuleEvidence(until, (), evidence.endings, evidence.recovery) if is_old else evidence

    return build_evidence


def _load_increases(selector: SeriesSelector, origin: datetime, end: datetime) -> tuple[list[float], list[int]]:
    """Return the increase in each bucket and, by edge, the number of the last earlier bucket with a sample."""
    size = max(0, int((end - origin) / BUCKET))
    increases, last_seen = [0.0] * size, [-size - 10_000]
    seen = [False] * size
    for bucket, increase in read_increases_by_bucket(find_series_ids(selector), origin, end):
        number = int((bucket - origin) / BUCKET)
        increases[number], seen[number] = increase, True
    for number in range(size):
        last_seen.append(number if seen[number] else last_seen[-1])
    return increases, last_seen


def _build_gauge_source(selector: SeriesSelector, origin: datetime, end: datetime) -> EvidenceSource:
    """Return a source of the last value of each process within 3 buckets, unless the process has ended."""
    size = max(0, int((end - origin) / BUCKET))
    stale_after_buckets = int(SAMPLE_STALE_AFTER / BUCKET)
    by_edge: list[dict[object, float]] = [{} for _ in range(size + stale_after_buckets + 1)]
    for bucket, process, ended_at, value in read_gauges_by_bucket(find_series_ids(selector), origin, end):
        number = int((bucket - origin) / BUCKET)
        for edge in range(number + 1, number + 1 + stale_after_buckets):
            if ended_at is None or ended_at >= origin + edge * BUCKET:
                by_edge[edge][process] = value  # buckets are in order: the last value wins

    def build_evidence(edge: int, _state: EvaluationState) -> RuleEvidence:
        values = by_edge[edge].values()
        return RuleEvidence(origin + edge * BUCKET, [WindowSums(0, sum(values), 1.0)] if values else [])

    return build_evidence
