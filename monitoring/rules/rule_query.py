"""Translates a stored rule into sample queries and parameters of the evaluation."""

from dataclasses import dataclass, fields
from functools import cache
from typing import Any

from monitoring.exceptions import InvalidRule
from monitoring.instrumentation.registry import get_series_names
from monitoring.label_matchers import validate_matchers
from monitoring.models import Rule
from monitoring.rules.decision import RuleParameters, WindowSums
from monitoring.samples.queries import SampleQuery, SampleReader, SeriesSelector

_PARAMETER_NAMES = [field.name for field in fields(RuleParameters)]
# The fields of the rule that an alert keeps.
RULE_SNAPSHOT_FIELDS = [
    *("title", "severity", "metric", "matchers", "denominator", "denominator_matchers", "includes_demo"),
    *_PARAMETER_NAMES,
]


@dataclass(frozen=True, slots=True, eq=False)
class RuleQuery:
    """A rule that is ready to be evaluated."""

    parameters: RuleParameters
    numerator: SampleQuery
    denominator: SampleQuery | None

    @property
    def queries(self) -> list[SampleQuery]:
        """The sample queries of the rule."""
        return [self.numerator] if self.denominator is None else [self.numerator, self.denominator]

    def get_window_sums(self, reader: SampleReader) -> list[WindowSums]:
        """Return the sums of each window, or the one value of a gauge; empty if there are no samples."""
        if self.denominator is None:
            value = reader.get_gauge(self.numerator)
            return [] if value is None else [WindowSums(0, value, 1.0)]
        denominators = reader.get_increases(self.denominator)
        if not denominators:
            return []
        numerators = reader.get_increases(self.numerator) or [0.0] * len(denominators)
        return [WindowSums(*sums) for sums in zip(self.parameters.windows, numerators, denominators, strict=True)]


def build_rule_query(rule: Rule) -> RuleQuery:
    """Build the query of a rule. Raises InvalidRule for unknown metrics and invalid matchers."""
    errors = validate_matchers(rule.matchers) + validate_matchers(rule.denominator_matchers)
    parameters = get_rule_parameters(rule)
    windows = tuple(parameters.windows)
    numerator, denominator = get_rule_selectors(rule)
    metrics = {selector.metric for selector in (numerator, denominator) if selector}
    unknown = metrics - _get_known_series_names()
    if errors or unknown:
        raise InvalidRule(rule=rule.name, faults=errors, unknown=sorted(unknown))
    return RuleQuery(
        parameters, SampleQuery(numerator, windows), SampleQuery(denominator, windows) if denominator else None
    )


@cache
def _get_known_series_names() -> frozenset[str]:
    return get_series_names()


def get_rule_parameters(rule: Rule) -> RuleParameters:
    """Return the parameters of the evaluation."""
    return RuleParameters(**{name: getattr(rule, name) for name in _PARAMETER_NAMES})


def get_rule_selectors(rule: Rule) -> tuple[SeriesSelector, SeriesSelector | None]:
    """Return (numerator, denominator): for a gauge None, for a ratio without denominator the metric itself."""
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
    """Return the rule's current fields for the alert that it fires."""
    return {name: getattr(rule, name) for name in RULE_SNAPSHOT_FIELDS}
