"""Translates a stored rule into sample queries and parameters of the evaluation."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from monitoring.exceptions import InvalidRule
from monitoring.instrumentation.registry import get_series_names
from monitoring.label_matchers import validate_matchers
from monitoring.models import Rule
from monitoring.models.samples import BUCKET_SECONDS
from monitoring.rules.ending_series import build_ending_series
from monitoring.rules.evidence import RuleEvidence, RuleParameters, WindowSums, has_enough_samples
from monitoring.samples.queries import SampleQuery, SampleReader, SeriesSelector, read_steps

_BUCKET = timedelta(seconds=BUCKET_SECONDS)

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

    def build_evidence(self, reader: SampleReader) -> RuleEvidence:
        """Return the sums of each window and since the recovery, or the one value of a gauge; without last endings."""
        if self.denominator is None:
            value = reader.get_gauge(self.numerator)
            return RuleEvidence(reader.end, [] if value is None else [WindowSums(0, value, 1.0)])
        denominators = reader.get_increases(self.denominator)
        if not denominators:
            return RuleEvidence(reader.end)
        numerators = reader.get_increases(self.numerator) or [0.0] * len(denominators)
        recovered_since = self.denominator.recovered_since
        seconds = list(self.parameters.windows)
        if recovered_since is not None:
            seconds.append(max(0, int((reader.end - recovered_since).total_seconds())))
        sums = [WindowSums(*each) for each in zip(seconds, numerators, denominators, strict=True)]
        return RuleEvidence(reader.end, sums[: len(self.parameters.windows)], (), sums[-1] if recovered_since else None)


def add_last_endings(
    evidence: dict[int, RuleEvidence], queries: Mapping[int, RuleQuery], reader: SampleReader
) -> dict[int, RuleEvidence]:
    """Add the last endings to the evidence of the rules whose windows are not sufficient, in one database query."""
    quiet = {
        pk: query
        for pk, query in queries.items()
        if query.denominator is not None
        and query.parameters.ending_counts
        and not has_enough_samples(query.parameters, evidence[pk].windows)
    }
    if not quiet:
        return evidence
    series = {pk for query in quiet.values() for each in query.queries for pk in reader.get_series_ids(each)}
    days = max(query.parameters.evidence_days for query in quiet.values())
    steps: dict[int, list[tuple[datetime, float]]] = defaultdict(list)
    for series_id, bucket, increase in read_steps(series, reader.end - timedelta(days=days), reader.end):
        if increase > 0:
            steps[series_id].append((bucket + _BUCKET, increase))
    added = {}
    for pk, query in quiet.items():
        assert query.denominator is not None
        endings = build_ending_series(
            [step for series_id in reader.get_series_ids(query.numerator) for step in steps[series_id]],
            [step for series_id in reader.get_series_ids(query.denominator) for step in steps[series_id]],
        ).sum_last_endings(query.parameters, query.denominator.since, reader.end)
        added[pk] = replace(evidence[pk], endings=endings)
    return evidence | added


def build_rule_query(
    rule: Rule,
    *,
    since: datetime | None = None,
    recovered_since: datetime | None = None,
    excluded_platforms: Sequence[str] = (),
) -> RuleQuery:
    """Build the query of a rule. Raises InvalidRule for unknown metrics and invalid matchers.

    since: samples before it do not count; recovered_since: the start of the recovery of its open alert;
    excluded_platforms: those whose samples another alert explains.
    """
    errors = validate_matchers(rule.matchers) + validate_matchers(rule.denominator_matchers)
    parameters = get_rule_parameters(rule)
    if not 0.5 <= parameters.confidence < 1:
        errors.append("confidence must be from 0.5 to below 1")
    windows = tuple(parameters.windows)
    numerator, denominator = get_rule_selectors(rule)
    if excluded_platforms and not errors:
        excluded = {"label": "platform", "op": "!=", "values": list(excluded_platforms)}
        numerator = replace(numerator, matchers=[*numerator.matchers, excluded])
        denominator = denominator and replace(denominator, matchers=[*denominator.matchers, excluded])
    metrics = {selector.metric for selector in (numerator, denominator) if selector}
    unknown = metrics - _get_known_series_names()
    if errors or unknown:
        raise InvalidRule(rule=rule.name, faults=errors, unknown=sorted(unknown))
    return RuleQuery(
        parameters,
        SampleQuery(numerator, windows, since, recovered_since),
        SampleQuery(denominator, windows, since, recovered_since) if denominator else None,
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
