"""What a rule, as operators wrote it, needs to read, and what it hands to the evaluation."""

from dataclasses import dataclass, fields
from functools import cache
from typing import Any

from monitoring.evaluation import Measured, Parameters, Sums
from monitoring.exceptions import UnusableRule
from monitoring.matching import faults_of_matchers
from monitoring.models import Rule
from monitoring.registry import series_names
from monitoring.windows import Need, Reading, Selector

_NAMES = [one.name for one in fields(Parameters)]
# What an alert keeps of the rule that fired it.
KEPT_OF_RULE = [
    *("title", "severity", "metric", "matchers", "denominator", "denominator_matchers", "includes_demo"),
    *_NAMES,
]


@dataclass(frozen=True, slots=True, eq=False)
class Condition:
    """A rule, ready to be evaluated."""

    parameters: Parameters
    numerator: Need
    denominator: Need | None

    @property
    def needs(self) -> list[Need]:
        """What has to be read for it."""
        return [self.numerator] if self.denominator is None else [self.numerator, self.denominator]

    def sums_of(self, reading: Reading) -> list[Sums]:
        """What the evaluation takes: by window, or one of a gauge; empty when nothing was sampled."""
        if self.denominator is None:
            value = reading.gauge(self.numerator)
            return [] if value is None else [Sums(0, value, 1.0)]
        below = reading.increases(self.denominator)
        above = reading.increases(self.numerator) or [0.0] * len(below)
        return [Sums(*one) for one in zip(self.parameters.windows, above, below, strict=True)] if below else []


def condition_of(rule: Rule) -> Condition:
    """What to read and how to judge it. Raises UnusableRule for what the admin would have refused."""
    faults = faults_of_matchers(rule.matchers) + faults_of_matchers(rule.denominator_matchers)
    parameters = parameters_of(rule)
    windows = tuple(parameters.windows)
    top, bottom = selectors_of(rule)
    unknown = {one.metric for one in (top, bottom) if one} - _known_series()
    if faults or unknown:
        raise UnusableRule(rule=rule.name, faults=faults, unknown=sorted(unknown))
    return Condition(parameters, Need(top, windows), Need(bottom, windows) if bottom else None)


@cache
def _known_series() -> frozenset[str]:
    return series_names()


def parameters_of(rule: Rule) -> Parameters:
    """The rule's numbers."""
    return Parameters(**{name: getattr(rule, name) for name in _NAMES})


def selectors_of(rule: Rule) -> tuple[Selector, Selector | None]:
    """Above the line, and below it: nothing for a gauge, the same metric for a ratio that names none."""
    demo = rule.includes_demo
    if rule.kind == Rule.Kind.MEAN:
        return (
            Selector(f"{rule.metric}_sum", rule.matchers, demo),
            Selector(f"{rule.metric}_count", rule.matchers, demo),
        )
    top = Selector(rule.metric, rule.matchers, demo)
    if rule.kind == Rule.Kind.GAUGE:
        return top, None
    return top, Selector(rule.denominator or rule.metric, rule.denominator_matchers, demo)


def snapshot_of(rule: Rule) -> dict[str, Any]:
    """The rule as it is, for the alert that it fires."""
    return {name: getattr(rule, name) for name in KEPT_OF_RULE}


def measured_fields(measured: Measured) -> dict[str, float | int | None]:
    """As columns of RuleState."""
    return {one.name: getattr(measured, one.name) for one in fields(Measured)}
