"""What a rule, as operators wrote it, needs to read, and what it hands to the evaluation."""

from dataclasses import dataclass, fields
from functools import cache
from typing import Any

from monitoring.exceptions import InvalidRule
from monitoring.instrumentation.registry import get_series_names
from monitoring.label_matchers import validate_matchers
from monitoring.models import Rule
from monitoring.rules.decision import Measurement, RuleParameters, WindowSums
from monitoring.samples.queries import SampleQuery, SampleReader, SeriesSelector

_PARAMETER_NAMES = [one.name for one in fields(RuleParameters)]
# What an alert keeps of the rule that fired it.
RULE_SNAPSHOT_FIELDS = [
    *("title", "severity", "metric", "matchers", "denominator", "denominator_matchers", "includes_demo"),
    *_PARAMETER_NAMES,
]


@dataclass(frozen=True, slots=True, eq=False)
class RuleQuery:
    """A rule, ready to be evaluated."""

    parameters: RuleParameters
    numerator: SampleQuery
    denominator: SampleQuery | None

    @property
    def queries(self) -> list[SampleQuery]:
        """What has to be read for it."""
        return [self.numerator] if self.denominator is None else [self.numerator, self.denominator]

    def get_window_sums(self, reader: SampleReader) -> list[WindowSums]:
        """What the evaluation takes: by window, or one of a gauge; empty when nothing was sampled."""
        if self.denominator is None:
            value = reader.get_gauge(self.numerator)
            return [] if value is None else [WindowSums(0, value, 1.0)]
        denominators = reader.get_increases(self.denominator)
        numerators = reader.get_increases(self.numerator) or [0.0] * len(denominators)
        return (
            [WindowSums(*one) for one in zip(self.parameters.windows, numerators, denominators, strict=True)]
            if denominators
            else []
        )


def build_rule_query(rule: Rule) -> RuleQuery:
    """What to read and how to judge it. Raises InvalidRule for what the admin would have refused."""
    errors = validate_matchers(rule.matchers) + validate_matchers(rule.denominator_matchers)
    parameters = get_rule_parameters(rule)
    windows = tuple(parameters.windows)
    numerator, denominator = get_rule_selectors(rule)
    unknown = {one.metric for one in (numerator, denominator) if one} - _get_known_series_names()
    if errors or unknown:
        raise InvalidRule(rule=rule.name, faults=errors, unknown=sorted(unknown))
    return RuleQuery(
        parameters, SampleQuery(numerator, windows), SampleQuery(denominator, windows) if denominator else None
    )


@cache
def _get_known_series_names() -> frozenset[str]:
    return get_series_names()


def get_rule_parameters(rule: Rule) -> RuleParameters:
    """The rule's numbers."""
    return RuleParameters(**{name: getattr(rule, name) for name in _PARAMETER_NAMES})


def get_rule_selectors(rule: Rule) -> tuple[SeriesSelector, SeriesSelector | None]:
    """Above the line, and below it: nothing for a gauge, the same metric for a ratio that names none."""
    demo = rule.includes_demo
    if rule.kind == Rule.Kind.MEAN:
        return (
            SeriesSelector(f"{rule.metric}_sum", rule.matchers, demo),
            SeriesSelector(f"{rule.metric}_count", rule.matchers, demo),
        )
    numerator = SeriesSelector(rule.metric, rule.matchers, demo)
    if rule.kind == Rule.Kind.GAUGE:
        return numerator, None
    return numerator, SeriesSelector(rule.denominator or rule.metric, rule.denominator_matchers, demo)


def build_rule_snapshot(rule: Rule) -> dict[str, Any]:
    """The rule as it is, for the alert that it fires."""
    return {name: getattr(rule, name) for name in RULE_SNAPSHOT_FIELDS}


def get_measurement_fields(measurement: Measurement) -> dict[str, float | int | None]:
    """As columns of RuleState."""
    return {one.name: getattr(measurement, one.name) for one in fields(Measurement)}
