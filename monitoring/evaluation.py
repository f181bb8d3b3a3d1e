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


class Verdict(StrEnum):
    """What one look says. Between: no longer beyond the threshold, and not yet back at the resolve threshold."""

    BREACH = "breach"
    BETWEEN = "between"
    CLEAR = "clear"
    INSUFFICIENT = "insufficient"
    NO_DATA = "no_data"


class Action(StrEnum):
    """What is to be done about it."""

    NOTHING = "nothing"
    FIRE = "fire"
    REPEAT = "repeat"
    RESOLVE = "resolve"


class Why(StrEnum):
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
class Parameters:
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
class Sums:
    """What a window held: numerator and denominator of a ratio, seconds and count of a mean, the value of a gauge."""

    window_seconds: int
    numerator: float
    denominator: float


@dataclass(frozen=True, slots=True)
class Measured:
    """The value with its interval; all None when there is too little to tell."""

    value: float | None = None
    low: float | None = None
    high: float | None = None
    numerator: float | None = None
    denominator: float | None = None
    window_seconds: int = 0


@dataclass(frozen=True, slots=True)
class Standing:
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

    standing: Standing
    action: Action
    measured: Measured
    verdict: Verdict
    why: Why


def decide(parameters: Parameters, before: Standing, sums: Sequence[Sums], now: datetime) -> Decision:
    """One evaluation. sums: of `parameters.windows` in their order, or one of a gauge; empty: nothing was sampled."""
    measured = measure(parameters, sums)
    verdict = judge(parameters, measured, has_data=bool(sums))
    taken_as = verdict
    if verdict is Verdict.NO_DATA and parameters.no_data != "keep":
        taken_as = Verdict.BREACH if parameters.no_data == "alert" else Verdict.CLEAR
    step = _while_open if before.is_open else _while_quiet
    after, action, why = step(parameters, before, taken_as, now)
    if verdict is Verdict.NO_DATA:
        why = Why.NO_DATA
        if after.state == "ok":
            after = replace(after, state="no_data")
    if after.state != before.state or after.since is None:
        after = replace(after, since=now)
    return Decision(after, action, measured, verdict, why)


def _while_quiet(
    parameters: Parameters, before: Standing, verdict: Verdict, now: datetime
) -> tuple[Standing, Action, Why]:
    if verdict is not Verdict.BREACH:
        state, why = _QUIET.get(verdict, ("ok", Why.WITHIN))
        return replace(before, state=state, breached_since=None, recovered_since=None), Action.NOTHING, why
    breached_since = before.breached_since or now
    pending = replace(before, state="pending", breached_since=breached_since, recovered_since=None)
    if now - breached_since < timedelta(seconds=parameters.for_seconds):
        return pending, Action.NOTHING, Why.BREACHED_NOT_LONG_ENOUGH
    if before.resolved_at and now - before.resolved_at < timedelta(seconds=parameters.cooldown_seconds):
        return pending, Action.NOTHING, Why.COOLING_DOWN
    firing = replace(pending, state="firing", is_open=True, notified_at=now, is_acknowledged=False)
    return firing, Action.FIRE, Why.BREACHED


_QUIET = {
    Verdict.INSUFFICIENT: ("insufficient", Why.TOO_FEW),
    Verdict.NO_DATA: ("no_data", Why.NO_DATA),
}


def _while_open(
    parameters: Parameters, before: Standing, verdict: Verdict, now: datetime
) -> tuple[Standing, Action, Why]:
    if verdict is Verdict.CLEAR:
        recovered_since = before.recovered_since or now
        if now - recovered_since >= timedelta(seconds=parameters.keep_firing_seconds):
            resolved = Standing(state="ok", since=before.since, resolved_at=now)
            return resolved, Action.RESOLVE, Why.RECOVERED
        after, why = replace(before, state="firing", recovered_since=recovered_since), Why.RECOVERED_NOT_LONG_ENOUGH
    else:
        after, why = replace(before, state="firing", recovered_since=None), _OPEN[verdict]
    if not _is_to_be_repeated(parameters, before, now):
        return after, Action.NOTHING, why
    return replace(after, notified_at=now), Action.REPEAT, why


_OPEN = {
    Verdict.BREACH: Why.STILL_BREACHED,
    Verdict.BETWEEN: Why.NOT_RECOVERED,
    Verdict.INSUFFICIENT: Why.TOO_FEW,
    Verdict.NO_DATA: Why.NO_DATA,
}


def _is_to_be_repeated(parameters: Parameters, before: Standing, now: datetime) -> bool:
    """Somebody who has acknowledged need not be told again."""
    if not parameters.repeat_seconds or before.is_acknowledged or before.notified_at is None:
        return False
    return now - before.notified_at >= timedelta(seconds=parameters.repeat_seconds)


def measure(parameters: Parameters, sums: Sequence[Sums]) -> Measured:
    """The value and its interval over the first window with enough samples, else over the widest."""
    if not sums:
        return Measured()
    enough = (one for one in sums if one.denominator >= parameters.enough_samples)
    chosen = next(enough, sums[-1])
    if parameters.kind == "gauge":
        return Measured(chosen.numerator, chosen.numerator, chosen.numerator)
    numerator, n, window = chosen.numerator, chosen.denominator, chosen.window_seconds
    if n < max(parameters.least_samples, 1):
        return Measured(None, None, None, numerator, n, window)
    z = z_of(parameters.confidence)
    if parameters.kind == "mean":
        mean, factor = numerator / n, exp(z / sqrt(n))
        return Measured(mean, mean / factor, mean * factor, numerator, n, window)
    low, high = wilson_interval(numerator, n, z)
    return Measured(min(1.0, numerator / n), low, high, numerator, n, window)


def judge(parameters: Parameters, measured: Measured, *, has_data: bool) -> Verdict:
    """Compare the bound that is nearer to the threshold."""
    if not has_data:
        return Verdict.NO_DATA
    if measured.low is None or measured.high is None:
        return Verdict.INSUFFICIENT
    back = parameters.threshold if parameters.resolve_threshold is None else parameters.resolve_threshold
    if parameters.comparison == ">":
        is_breached, is_clear = measured.low > parameters.threshold, measured.low <= back
    else:
        is_breached, is_clear = measured.high < parameters.threshold, measured.high >= back
    if is_breached:
        return Verdict.BREACH
    return Verdict.CLEAR if is_clear else Verdict.BETWEEN


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
def z_of(confidence: float) -> float:
    """The one-sided quantile of the normal distribution: 1.645 for 0.95."""
    return NormalDist().inv_cdf(confidence)
