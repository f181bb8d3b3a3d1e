"""Decides what an evaluation of a rule means: a pure function of parameters, previous state, evidence and time.

Breach. A rule fires when chance alone rarely explains its value: a ratio compares its exact lower bound (Clopper and
Pearson), a mean `mean * exp(-z / √n)`, the large-sample bound of an exponential's mean (Lawless 2003, Statistical
Models and Methods for Lifetime Data, 4.1); a rule `<` compares the upper bound. A gauge is exact. The evidence is the
narrowest time window with enough samples. On a site too quiet for any, it is the last few endings, however long ago
they were within `evidence_days`; each of several numbers of endings may breach.

Recovery. An open alert resolves when the samples since it fired are far more likely under the resolve threshold than
under the rate of the incident, by odds that grow with the number of samples a day: Wald's sequential probability ratio
test, restarted whenever the ratio falls below one (Page 1954, Continuous inspection schemes, Biometrika 41). So a total
failure is over after a few good answers, and a rate above the threshold is not taken for a recovery because of a lucky
streak.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from math import exp, log, log1p, sqrt
from statistics import NormalDist

from monitoring.measurement import Measurement
from monitoring.rules.evidence import RuleEvidence, RuleParameters, WindowSums
from performance.intervals import exact_interval

# A recovery is false about once in so many days at most: each ending is a chance to take a lucky streak for one.
DAYS_PER_FALSE_RECOVERY = 200.0
_MIN_RATE_WINDOW = timedelta(hours=1)  # a shorter time says little about how many samples a day has
# An alert without evidence for this long ends, because nothing would ever resolve it.
STALE_AFTER = timedelta(hours=24)
# After a longer pause of the evaluations, a breach before it does not count towards `for_seconds`.
MAX_EVALUATION_GAP = timedelta(seconds=60)
MAX_REPEAT_INTERVAL = timedelta(hours=24)
_MIN_SHARE = 1e-4


class ThresholdVerdict(StrEnum):
    """The result of one comparison. BETWEEN: neither beyond the threshold nor recovered from it."""

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
    STALE = "stale"
    INHIBITED = "inhibited"
    TOO_FEW = "too_few"
    NO_DATA = "no_data"


@dataclass(frozen=True, slots=True)
class EvaluationState:
    """The state of a rule. `is_open` and the fields below it describe its alert.

    recovered_since: while the alert is open, the moment from which samples are counted as a recovery.
    insufficient_since: since when an open alert has had no evidence.
    """

    state: str = "ok"
    since: datetime | None = None
    breached_since: datetime | None = None
    recovered_since: datetime | None = None
    insufficient_since: datetime | None = None
    resolved_at: datetime | None = None
    evaluated_at: datetime | None = None
    is_open: bool = False
    fired_value: float | None = None
    peak_value: float | None = None
    notified_at: datetime | None = None
    repeats: int = 0
    is_acknowledged: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """The new state of a rule, and the transition of its alert."""

    new_state: EvaluationState
    action: AlertAction
    measurement: Measurement
    verdict: ThresholdVerdict
    reason: DecisionReason


def decide(parameters: RuleParameters, previous: EvaluationState, evidence: RuleEvidence, now: datetime) -> Decision:
    """Decide one evaluation."""
    if previous.evaluated_at is None or not timedelta(0) <= now - previous.evaluated_at <= MAX_EVALUATION_GAP:
        is_gauge = parameters.kind == "gauge"
        recovered_since = None if is_gauge else previous.recovered_since
        previous = replace(previous, breached_since=None, recovered_since=recovered_since)
    measurement, verdict = compare_with_threshold(parameters, previous, evidence)
    effective_verdict = verdict
    if verdict is ThresholdVerdict.NO_DATA and parameters.no_data != "keep":
        effective_verdict = ThresholdVerdict.BREACH if parameters.no_data == "alert" else ThresholdVerdict.CLEAR
    if previous.is_open:
        previous = _update_incident(parameters, previous, evidence, measurement, effective_verdict, now)
        new_state, action, reason = _decide_while_open(parameters, previous, evidence, effective_verdict, now)
    else:
        new_state, action, reason = _decide_while_closed(parameters, previous, effective_verdict, now)
        if action is AlertAction.FIRE:
            value = measurement.value
            new_state = replace(new_state, fired_value=value, peak_value=value, recovered_since=evidence.until)
    if verdict is ThresholdVerdict.NO_DATA and reason is not DecisionReason.STALE:
        reason = DecisionReason.NO_DATA
        if new_state.state == "ok":
            new_state = replace(new_state, state="no_data")
    if new_state.state != previous.state or new_state.since is None:
        new_state = replace(new_state, since=now)
    return Decision(replace(new_state, evaluated_at=now), action, measurement, verdict, reason)


def _decide_while_closed(
    parameters: RuleParameters, previous: EvaluationState, verdict: ThresholdVerdict, now: datetime
) -> tuple[EvaluationState, AlertAction, DecisionReason]:
    previous = replace(previous, recovered_since=None, insufficient_since=None, fired_value=None, peak_value=None)
    if verdict is not ThresholdVerdict.BREACH:
        state, reason = _STATE_AND_REASON_WHILE_CLOSED.get(verdict, ("ok", DecisionReason.WITHIN))
        return replace(previous, state=state, breached_since=None), AlertAction.NOTHING, reason
    breached_since = previous.breached_since or now
    pending = replace(previous, state="pending", breached_since=breached_since)
    if now - breached_since < timedelta(seconds=parameters.for_seconds):
        return pending, AlertAction.NOTHING, DecisionReason.BREACHED_NOT_LONG_ENOUGH
    if previous.resolved_at and now - previous.resolved_at < timedelta(seconds=parameters.cooldown_seconds):
        return pending, AlertAction.NOTHING, DecisionReason.COOLING_DOWN
    firing = replace(pending, state="firing", is_open=True, notified_at=now, repeats=0, is_acknowledged=False)
    return firing, AlertAction.FIRE, DecisionReason.BREACHED


_STATE_AND_REASON_WHILE_CLOSED = {
    ThresholdVerdict.INSUFFICIENT: ("insufficient", DecisionReason.TOO_FEW),
    ThresholdVerdict.NO_DATA: ("no_data", DecisionReason.NO_DATA),
}


def _update_incident(
    parameters: RuleParameters,
    previous: EvaluationState,
    evidence: RuleEvidence,
    measurement: Measurement,
    verdict: ThresholdVerdict,
    now: datetime,
) -> EvaluationState:
    """Return the state with the peak, the start of the recovery, and since when there has been no evidence."""
    is_without_evidence = verdict in (ThresholdVerdict.INSUFFICIENT, ThresholdVerdict.NO_DATA)
    insufficient_since = (previous.insufficient_since or now) if is_without_evidence else None
    peak, value = previous.peak_value, measurement.value
    if value is not None and verdict is ThresholdVerdict.BREACH:
        worst = max if parameters.comparison == ">" else min
        peak = value if peak is None else worst(peak, value)
    recovered_since = previous.recovered_since
    if parameters.kind == "gauge":
        recovered_since = (recovered_since or now) if verdict is ThresholdVerdict.CLEAR else None
    elif recovered_since is None or get_recovery_log_odds(parameters, previous, evidence.recovery) <= 0:
        recovered_since = evidence.until
    return replace(
        previous,
        peak_value=peak,
        recovered_since=recovered_since,
        insufficient_since=insufficient_since,
        state="firing",
    )


def _decide_while_open(
    parameters: RuleParameters,
    current: EvaluationState,
    evidence: RuleEvidence,
    verdict: ThresholdVerdict,
    now: datetime,
) -> tuple[EvaluationState, AlertAction, DecisionReason]:
    resolved = EvaluationState(state="ok", since=current.since, resolved_at=now, peak_value=current.peak_value)
    if current.insufficient_since and now - current.insufficient_since >= STALE_AFTER:
        return resolved, AlertAction.RESOLVE, DecisionReason.STALE
    reason = _REASON_WHILE_OPEN[verdict]
    if verdict is ThresholdVerdict.CLEAR:
        recovered_since = current.recovered_since or now
        if now - recovered_since >= timedelta(seconds=parameters.keep_firing_seconds):
            return resolved, AlertAction.RESOLVE, DecisionReason.RECOVERED
        current = replace(current, recovered_since=recovered_since)
    is_ongoing = verdict is ThresholdVerdict.BREACH and has_recent_samples(parameters, evidence)
    if is_ongoing and parameters.repeat_seconds and current.notified_at and not current.is_acknowledged:
        interval = min(
            MAX_REPEAT_INTERVAL, timedelta(seconds=parameters.repeat_seconds) * 2 ** min(current.repeats, 20)
        )
        if now - current.notified_at >= max(interval, timedelta(seconds=parameters.repeat_seconds)):
            return replace(current, notified_at=now, repeats=current.repeats + 1), AlertAction.REPEAT, reason
    return current, AlertAction.NOTHING, reason


_REASON_WHILE_OPEN = {
    ThresholdVerdict.BREACH: DecisionReason.STILL_BREACHED,
    ThresholdVerdict.BETWEEN: DecisionReason.NOT_RECOVERED,
    ThresholdVerdict.CLEAR: DecisionReason.RECOVERED_NOT_LONG_ENOUGH,
    ThresholdVerdict.INSUFFICIENT: DecisionReason.TOO_FEW,
    ThresholdVerdict.NO_DATA: DecisionReason.NO_DATA,
}


def has_recent_samples(parameters: RuleParameters, evidence: RuleEvidence) -> bool:
    """Return whether anything ended in the widest window, so that a repeated message says something new."""
    return parameters.kind == "gauge" or bool(evidence.windows and evidence.windows[-1].denominator > 0)


def compare_with_threshold(
    parameters: RuleParameters, previous: EvaluationState, evidence: RuleEvidence
) -> tuple[Measurement, ThresholdVerdict]:
    """Return the measured value and what it means; of an open alert that recovers, the value since then."""
    if not evidence.has_data:
        return Measurement(), ThresholdVerdict.NO_DATA
    if parameters.kind == "gauge":
        return _compare_gauge(parameters, evidence.windows[0].numerator)
    if previous.is_open and evidence.recovery and is_recovered(parameters, previous, evidence):
        return measure(parameters, evidence.recovery, parameters.confidence, least=1), ThresholdVerdict.CLEAR
    measurement = Measurement()
    for sums, confidence in select_candidates(parameters, evidence):
        measurement = measure(parameters, sums, confidence)
        if is_breached(parameters, measurement):
            return measurement, ThresholdVerdict.BREACH
    if measurement.value is None:
        return measurement, ThresholdVerdict.INSUFFICIENT
    return measurement, ThresholdVerdict.BETWEEN if previous.is_open else ThresholdVerdict.CLEAR


def _compare_gauge(parameters: RuleParameters, value: float) -> tuple[Measurement, ThresholdVerdict]:
    measurement = Measurement(value, value, value)
    if is_breached(parameters, measurement):
        return measurement, ThresholdVerdict.BREACH
    resolve = get_resolve_threshold(parameters)
    is_clear = value <= resolve if parameters.comparison == ">" else value >= resolve
    return measurement, ThresholdVerdict.CLEAR if is_clear else ThresholdVerdict.BETWEEN


def select_candidates(parameters: RuleParameters, evidence: RuleEvidence) -> list[tuple[WindowSums, float]]:
    """Return the sums that may breach, each with its confidence: the first sufficient window, else the last endings.

    A narrow window, and a small number of endings, is looked at afresh more often, so it has to be more certain.
    """
    doubt = 1 - parameters.confidence
    widest = parameters.windows[-1]
    for sums in evidence.windows:
        if sums.denominator >= parameters.enough_samples:
            return [(sums, 1 - doubt * sums.window_seconds / widest)]
    if not evidence.endings:
        return [(evidence.windows[-1], parameters.confidence)]
    shares = [min(1.0, sums.denominator / parameters.enough_samples) for sums in evidence.endings]
    return [(sums, 1 - doubt * share**2) for sums, share in zip(evidence.endings, shares, strict=True)]


def measure(
    parameters: RuleParameters, sums: WindowSums, confidence: float, *, least: int | None = None
) -> Measurement:
    """Return the value and its interval; without them if there are too few samples."""
    numerator, n, window = sums.numerator, sums.denominator, sums.window_seconds
    if n < max(parameters.least_samples if least is None else least, 1):
        return Measurement(None, None, None, numerator, n, window)
    if parameters.kind == "mean":
        mean, factor = numerator / n, exp(get_z_quantile(confidence) / sqrt(n))
        return Measurement(mean, mean / factor, mean * factor, numerator, n, window)
    # The counters of two metrics may be one flush apart.
    low, high = exact_interval(min(round(numerator), round(n)), round(n), confidence)
    return Measurement(min(1.0, numerator / n), low, high, numerator, n, window)


def is_breached(parameters: RuleParameters, measurement: Measurement) -> bool:
    """Return whether the conservative bound is beyond the threshold."""
    if measurement.low is None or measurement.high is None:
        return False
    if parameters.comparison == ">":
        return measurement.low > parameters.threshold
    return measurement.high < parameters.threshold


def get_resolve_threshold(parameters: RuleParameters) -> float:
    """Return the resolve threshold, by default the threshold."""
    return parameters.threshold if parameters.resolve_threshold is None else parameters.resolve_threshold


def is_recovered(parameters: RuleParameters, previous: EvaluationState, evidence: RuleEvidence) -> bool:
    """Return whether the samples since the start of the recovery prove it.

    Those of a whole `evidence_days` prove it by their value alone: a quieter site never has more.
    """
    recovery = evidence.recovery
    if recovery is None or previous.recovered_since is None or recovery.denominator < 1:
        return False
    value, resolve = recovery.numerator / recovery.denominator, get_resolve_threshold(parameters)
    if value > resolve if parameters.comparison == ">" else value < resolve:
        return False
    is_whole = recovery.denominator >= parameters.least_samples and parameters.evidence_days > 0
    if is_whole and evidence.until - previous.recovered_since >= timedelta(days=parameters.evidence_days):
        return True
    duration = max(evidence.until - previous.recovered_since, _MIN_RATE_WINDOW)
    samples_per_day = recovery.denominator * (timedelta(days=1) / duration)
    return get_recovery_log_odds(parameters, previous, recovery) >= log(DAYS_PER_FALSE_RECOVERY * samples_per_day)


def get_recovery_log_odds(parameters: RuleParameters, previous: EvaluationState, recovery: WindowSums | None) -> float:
    """Return the logarithm of how many times likelier the sums are when recovered than during the incident.

    The rate of the incident is halfway, as a factor, between the threshold and the value at which it fired: that value
    is too high on average, because it was chosen for being high.
    """
    if recovery is None or recovery.denominator < 1:
        return 0.0
    n, amount = recovery.denominator, recovery.numerator
    good, limit = get_resolve_threshold(parameters), parameters.threshold
    fired = limit if previous.fired_value is None else previous.fired_value
    if parameters.kind == "ratio" and parameters.comparison == "<":
        good, limit, fired, amount = 1 - good, 1 - limit, 1 - fired, n - amount
    bad = sqrt(max(limit, _MIN_SHARE) * max(fired, _MIN_SHARE))
    if parameters.kind == "ratio":
        good = min(max(good, _MIN_SHARE), 0.9)
        bad = min(max(bad, 1.25 * good), 1 - _MIN_SHARE)
        return (n - amount) * (log1p(-good) - log1p(-bad)) - amount * log(bad / good)
    if good <= 0 or bad <= 0:
        return 0.0
    bad = max(bad, 1.25 * good) if parameters.comparison == ">" else min(bad, good / 1.25)
    return n * log(bad / good) - amount * (1 / good - 1 / bad)


@lru_cache(maxsize=1024)
def get_z_quantile(confidence: float) -> float:
    """Return the one-sided quantile of the normal distribution: 1.645 for 0.95."""
    return NormalDist().inv_cdf(confidence)
