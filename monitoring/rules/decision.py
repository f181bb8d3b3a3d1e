"""Decides what an evaluation of a rule means: a pure function of parameters, previous state, sums and time.

A ratio is bounded by Wilson's score interval (Wilson 1927, JASA 22). A mean is bounded by `mean * exp(±z / √n)`, the
large-sample interval of an exponential's mean (Lawless 2003, Statistical Models and Methods for Lifetime Data, 4.1),
which is conservative if the standard deviation of the durations is at most their mean. A gauge is exact. A rule
`>` compares the lower bound and a rule `<` the upper one, so that chance alone rarely fires it. The window widens
until it has enough samples; with fewer than the minimum in the widest window, the rule neither fires nor resolves.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from math import exp, sqrt
from statistics import NormalDist

from monitoring.measurement import Measurement


class ThresholdVerdict(StrEnum):
    """The result of one comparison. BETWEEN: not beyond the threshold, but not yet at the resolve threshold."""

    BREACH = "breach"
    BETWEEN = "between"
    CLEAR = "clear"
    INSUFFICIENT = "insufficient"
    NO_DATA = "no_data"


class AlertAction(StrEnum):
    """The transition of the alert."""

    NOTHING = "nothing"
    FIRE = "fire"
    REPEAT = "repeat"
    RESOLVE = "resolve"


class DecisionReason(StrEnum):
    """Why the rule has its state, for display."""

    WITHIN = "within"
    BREACHED_NOT_LONG_ENOUGH = "breached_not_long_enough"
    COOLING_DOWN = "cooling_down"
    BREACHED = "breached"
    STILL_BREACHED = "still_breached"
    NOT_RECOVERED = "not_recovered"
    RECOVERED_NOT_LONG_ENOUGH = "recovered_not_long_enough"
    RECOVERED = "recovered"
    TOO_FEW = "too_few"
    NO_DATA = "no_data"


@dataclass(frozen=True, slots=True)
class RuleParameters:
    """Parameters of a rule, named as the fields of `Rule`."""

    kind: str = "ratio"
    comparison: str = ">"
    threshold: float = 0.05
    resolve_threshold: float | None = None
    window_seconds: int = 300
    widest_window_seconds: int = 1800
    enough_samples: int = 50
    least_samples: int = 8
    confidence: float = 0.95
    for_seconds: int = 60
    keep_firing_seconds: int = 120
    repeat_seconds: int = 14_400
    cooldown_seconds: int = 300
    no_data: str = "keep"

    @property
    def windows(self) -> list[int]:
        """The windows in seconds, narrowest first, each twice the previous one; the last is the widest allowed."""
        if self.kind == "gauge":
            return []
        windows = [max(self.window_seconds, 1)]
        while 2 * windows[-1] < self.widest_window_seconds:
            windows.append(2 * windows[-1])
        return windows if windows[-1] >= self.widest_window_seconds else [*windows, self.widest_window_seconds]


@dataclass(frozen=True, slots=True)
class WindowSums:
    """Numerator and denominator of a ratio, seconds and count of a mean, or the value of a gauge and 1."""

    window_seconds: int
    numerator: float
    denominator: float


@dataclass(frozen=True, slots=True)
class EvaluationState:
    """The state of a rule. `is_open`, `notified_at` and `is_acknowledged` describe its alert."""

    state: str = "ok"
    since: datetime | None = None
    breached_since: datetime | None = None
    recovered_since: datetime | None = None
    resolved_at: datetime | None = None
    is_open: bool = False
    notified_at: datetime | None = None
    is_acknowledged: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """The new state of a rule, and the transition of its alert."""

    new_state: EvaluationState
    action: AlertAction
    measurement: Measurement
    verdict: ThresholdVerdict
    reason: DecisionReason


def decide(
    parameters: RuleParameters, previous: EvaluationState, sums: Sequence[WindowSums], now: datetime
) -> Decision:
    """Decide one evaluation.

    sums: one per window of `parameters.windows`, in their order; one for a gauge; empty if there are no samples.
    """
    measurement = compute_measurement(parameters, sums)
    verdict = compare_with_threshold(parameters, measurement, has_data=bool(sums))
    effective_verdict = verdict
    if verdict is ThresholdVerdict.NO_DATA and parameters.no_data != "keep":
        effective_verdict = ThresholdVerdict.BREACH if parameters.no_data == "alert" else ThresholdVerdict.CLEAR
    decide_transition = _decide_while_open if previous.is_open else _decide_while_closed
    new_state, action, reason = decide_transition(parameters, previous, effective_verdict, now)
    if verdict is ThresholdVerdict.NO_DATA:
        reason = DecisionReason.NO_DATA
        if new_state.state == "ok":
            new_state = replace(new_state, state="no_data")
    if new_state.state != previous.state or new_state.since is None:
        new_state = replace(new_state, since=now)
    return Decision(new_state, action, measurement, verdict, reason)


def _decide_while_closed(
    parameters: RuleParameters, previous: EvaluationState, verdict: ThresholdVerdict, now: datetime
) -> tuple[EvaluationState, AlertAction, DecisionReason]:
    if verdict is not ThresholdVerdict.BREACH:
        state, reason = _STATE_AND_REASON_WHILE_CLOSED.get(verdict, ("ok", DecisionReason.WITHIN))
        return replace(previous, state=state, breached_since=None, recovered_since=None), AlertAction.NOTHING, reason
    breached_since = previous.breached_since or now
    pending = replace(previous, state="pending", breached_since=breached_since, recovered_since=None)
    if now - breached_since < timedelta(seconds=parameters.for_seconds):
        return pending, AlertAction.NOTHING, DecisionReason.BREACHED_NOT_LONG_ENOUGH
    if previous.resolved_at and now - previous.resolved_at < timedelta(seconds=parameters.cooldown_seconds):
        return pending, AlertAction.NOTHING, DecisionReason.COOLING_DOWN
    firing = replace(pending, state="firing", is_open=True, notified_at=now, is_acknowledged=False)
    return firing, AlertAction.FIRE, DecisionReason.BREACHED


_STATE_AND_REASON_WHILE_CLOSED = {
    ThresholdVerdict.INSUFFICIENT: ("insufficient", DecisionReason.TOO_FEW),
    ThresholdVerdict.NO_DATA: ("no_data", DecisionReason.NO_DATA),
}


def _decide_while_open(
    parameters: RuleParameters, previous: EvaluationState, verdict: ThresholdVerdict, now: datetime
) -> tuple[EvaluationState, AlertAction, DecisionReason]:
    if verdict is ThresholdVerdict.CLEAR:
        recovered_since = previous.recovered_since or now
        if now - recovered_since >= timedelta(seconds=parameters.keep_firing_seconds):
            resolved = EvaluationState(state="ok", since=previous.since, resolved_at=now)
            return resolved, AlertAction.RESOLVE, DecisionReason.RECOVERED
        new_state = replace(previous, state="firing", recovered_since=recovered_since)
        reason = DecisionReason.RECOVERED_NOT_LONG_ENOUGH
    else:
        new_state, reason = replace(previous, state="firing", recovered_since=None), _REASON_WHILE_OPEN[verdict]
    notified_at = None if previous.is_acknowledged else previous.notified_at
    repeat_after = timedelta(seconds=parameters.repeat_seconds)
    if repeat_after and notified_at is not None and now - notified_at >= repeat_after:
        return replace(new_state, notified_at=now), AlertAction.REPEAT, reason
    return new_state, AlertAction.NOTHING, reason


_REASON_WHILE_OPEN = {
    ThresholdVerdict.BREACH: DecisionReason.STILL_BREACHED,
    ThresholdVerdict.BETWEEN: DecisionReason.NOT_RECOVERED,
    ThresholdVerdict.INSUFFICIENT: DecisionReason.TOO_FEW,
    ThresholdVerdict.NO_DATA: DecisionReason.NO_DATA,
}


def compute_measurement(parameters: RuleParameters, sums: Sequence[WindowSums]) -> Measurement:
    """Return the value and its interval over the first window with enough samples, or over the widest."""
    if not sums:
        return Measurement()
    sufficient = (candidate for candidate in sums if candidate.denominator >= parameters.enough_samples)
    window_sums = next(sufficient, sums[-1])
    if parameters.kind == "gauge":
        return Measurement(window_sums.numerator, window_sums.numerator, window_sums.numerator)
    numerator, n, window = window_sums.numerator, window_sums.denominator, window_sums.window_seconds
    if n < max(parameters.least_samples, 1):
        return Measurement(None, None, None, numerator, n, window)
    z = get_z_quantile(parameters.confidence)
    if parameters.kind == "mean":
        mean, factor = numerator / n, exp(z / sqrt(n))
        return Measurement(mean, mean / factor, mean * factor, numerator, n, window)
    low, high = wilson_interval(numerator, n, z)
    return Measurement(min(1.0, numerator / n), low, high, numerator, n, window)


def compare_with_threshold(parameters: RuleParameters, measurement: Measurement, *, has_data: bool) -> ThresholdVerdict:
    """Compare the conservative bound with the threshold."""
    if not has_data:
        return ThresholdVerdict.NO_DATA
    if measurement.low is None or measurement.high is None:
        return ThresholdVerdict.INSUFFICIENT
    resolve_threshold = parameters.threshold if parameters.resolve_threshold is None else parameters.resolve_threshold
    if parameters.comparison == ">":
        is_breached, is_clear = measurement.low > parameters.threshold, measurement.low <= resolve_threshold
    else:
        is_breached, is_clear = measurement.high < parameters.threshold, measurement.high >= resolve_threshold
    if is_breached:
        return ThresholdVerdict.BREACH
    return ThresholdVerdict.CLEAR if is_clear else ThresholdVerdict.BETWEEN


def wilson_interval(successes: float, trials: float, z: float) -> tuple[float, float]:
    """Wilson's score interval of a proportion, 0 to 1, of at least one trial; more successes than trials are all."""
    share = min(1.0, max(0.0, successes / trials))
    scale = 1 + z * z / trials
    middle = (share + z * z / (2 * trials)) / scale
    half = z * sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials)) / scale
    # At the ends the formula is exactly 0 and 1; floating point is not.
    low = 0.0 if share == 0 else max(0.0, middle - half)
    high = 1.0 if share == 1 else min(1.0, middle + half)
    return low, high


@lru_cache(maxsize=64)
def get_z_quantile(confidence: float) -> float:
    """Return the one-sided quantile of the normal distribution: 1.645 for 0.95."""
    return NormalDist().inv_cdf(confidence)
