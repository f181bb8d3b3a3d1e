"""What a rule makes of what was measured: a pure function of its parameters, where it stood, the sums, and the time.

A ratio is bounded by Wilson's score interval (Wilson 1927, JASA 22), a mean by `mean * exp(±z / √n)`: the large-sample
interval of an exponential's mean (Lawless 2003, Statistical Models and Methods for Lifetime Data, 4.1), which is on the
safe side while durations spread no wider than their mean. A gauge is known exactly. A rule `>` compares the lower bound
and a rule `<` the upper, so that chance alone rarely fires it. The window widens until there are enough samples; with
fewer than the least even in the widest, nothing is concluded: that neither fires nor resolves.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from math import exp, sqrt
from statistics import NormalDist

from performance.intervals import wilson_interval


class ThresholdVerdict(StrEnum):
    """What one look says. Between: no longer beyond the threshold, and not yet back at the resolve threshold."""

    BREACH = "breach"
    BETWEEN = "between"
    CLEAR = "clear"
    INSUFFICIENT = "insufficient"
    NO_DATA = "no_data"


class AlertAction(StrEnum):
    """What is to be done about it."""

    NOTHING = "nothing"
    FIRE = "fire"
    REPEAT = "repeat"
    RESOLVE = "resolve"


class DecisionReason(StrEnum):
    """The reason of the state, for people."""

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
    """Of a rule, as `Rule` names them."""

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
        """The windows to try, narrowest first, in seconds: each twice the one before, the widest at last."""
        if self.kind == "gauge":
            return []
        found = [max(self.window_seconds, 1)]
        while 2 * found[-1] < self.widest_window_seconds:
            found.append(2 * found[-1])
        return found if found[-1] >= self.widest_window_seconds else [*found, self.widest_window_seconds]


@dataclass(frozen=True, slots=True)
class WindowSums:
    """What a window held: numerator and denominator of a ratio, seconds and count of a mean, the value of a gauge."""

    window_seconds: int
    numerator: float
    denominator: float


@dataclass(frozen=True, slots=True)
class Measurement:
    """The value with its interval; all None when there is too little to tell."""

    value: float | None = None
    low: float | None = None
    high: float | None = None
    numerator: float | None = None
    denominator: float | None = None
    window_seconds: int = 0


@dataclass(frozen=True, slots=True)
class EvaluationState:
    """Where a rule stands. `is_open`: its alert is; notified_at and is_acknowledged are that alert's."""

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
    """Where the rule stands now, and what is to be done."""

    new_state: EvaluationState
    action: AlertAction
    measurement: Measurement
    verdict: ThresholdVerdict
    reason: DecisionReason


def decide(
    parameters: RuleParameters, previous: EvaluationState, sums: Sequence[WindowSums], now: datetime
) -> Decision:
    """One evaluation. sums: of `parameters.windows` in their order, or one of a gauge; empty: nothing was sampled."""
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
        new_state, reason = (
            replace(previous, state="firing", recovered_since=recovered_since),
            DecisionReason.RECOVERED_NOT_LONG_ENOUGH,
        )
    else:
        new_state, reason = replace(previous, state="firing", recovered_since=None), _REASON_WHILE_OPEN[verdict]
    if not _is_repeat_due(parameters, previous, now):
        return new_state, AlertAction.NOTHING, reason
    return replace(new_state, notified_at=now), AlertAction.REPEAT, reason


_REASON_WHILE_OPEN = {
    ThresholdVerdict.BREACH: DecisionReason.STILL_BREACHED,
    ThresholdVerdict.BETWEEN: DecisionReason.NOT_RECOVERED,
    ThresholdVerdict.INSUFFICIENT: DecisionReason.TOO_FEW,
    ThresholdVerdict.NO_DATA: DecisionReason.NO_DATA,
}


def _is_repeat_due(parameters: RuleParameters, previous: EvaluationState, now: datetime) -> bool:
    """Somebody who has acknowledged need not be told again."""
    if not parameters.repeat_seconds or previous.is_acknowledged or previous.notified_at is None:
        return False
    return now - previous.notified_at >= timedelta(seconds=parameters.repeat_seconds)


def compute_measurement(parameters: RuleParameters, sums: Sequence[WindowSums]) -> Measurement:
    """The value and its interval over the first window with enough samples, else over the widest."""
    if not sums:
        return Measurement()
    sufficient = (one for one in sums if one.denominator >= parameters.enough_samples)
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
    """Compare the bound that is nearer to the threshold."""
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


@lru_cache(maxsize=64)
def get_z_quantile(confidence: float) -> float:
    """The one-sided quantile of the normal distribution: 1.645 for 0.95."""
    return NormalDist().inv_cdf(confidence)
