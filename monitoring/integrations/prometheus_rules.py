"""The alert rules as a Prometheus rule file, with the same bounds in PromQL.

Recording rules hold the sums and the bound of each window. A ratio compares Wilson's bound and a mean its own, over the
first window with enough samples; `or` selects the first that has a value. Evidence by the number of last endings, the
resolve threshold, inhibition and cooldown are not exported, because Prometheus has none of them; repeats and channels
are configured in Alertmanager.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from django.conf import settings

from monitoring.models import Rule
from monitoring.rules.decision import get_z_quantile
from monitoring.rules.evidence import RuleParameters
from monitoring.rules.rule_query import get_rule_parameters, get_rule_selectors
from monitoring.samples.queries import SeriesSelector

RULE_GROUP = "diagsite"
ORIGIN_LABEL = "origin"  # Alertmanager's webhook ignores alerts of this origin: the site has told them already
_BOUND_SUFFIX = ":bound"


def render_rule_file(rules: Iterable[Rule]) -> str:
    """Return a YAML file for `rule_files:` of Prometheus. Every scalar is written as JSON, a subset of YAML."""
    head = [
        "# Made by `manage.py export_prometheus_rules` from the site's alert rules: edit them there.",
        "groups:",
        f"  - name: {RULE_GROUP}",
    ]
    entries = [line for rule in rules for line in _render_rule(rule)]
    return "\n".join([*head, "    rules:" if entries else "    rules: []", *entries, ""])


def _render_rule(rule: Rule) -> list[str]:
    fields: dict[str, Any] = {
        "alert": rule.name,
        "expr": build_rule_expression(rule),
        "for": f"{rule.for_seconds}s",
        "keep_firing_for": f"{rule.keep_firing_seconds}s",
    }
    if not rule.keep_firing_seconds:
        del fields["keep_firing_for"]
    # Absolute, because Prometheus and Alertmanager show the link outside the site.
    is_relative = rule.runbook_url.startswith("/")
    runbook_url = f"{settings.SITE_URL}{rule.runbook_url}" if is_relative else rule.runbook_url
    texts = {"summary": rule.title, "description": rule.description, "runbook_url": runbook_url}
    # Prometheus evaluates annotations as templates.
    annotations = {name: text.replace("{{", '{{ "{{" }}') for name, text in texts.items() if text}
    lines = [f"{name}: {_quote(value)}" for name, value in fields.items()]
    lines += _render_mapping("labels", {"severity": rule.severity, ORIGIN_LABEL: RULE_GROUP})
    lines += _render_mapping("annotations", annotations)
    recordings = build_recordings(rule).items()
    entries = [[f"record: {_quote(name)}", f"expr: {_quote(expression)}"] for name, expression in recordings]
    return [line for entry in [*entries, lines] for line in _indent_entry(entry)]


def _indent_entry(lines: list[str]) -> list[str]:
    return [f"      {'-' if number == 0 else ' '} {line}" for number, line in enumerate(lines)]


def _render_mapping(name: str, values: Mapping[str, str]) -> list[str]:
    return [f"{name}:", *(f"  {key}: {_quote(value)}" for key, value in values.items())]


def _quote(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def build_rule_expression(rule: Rule) -> str:
    """Return an expression that is true while the rule is breached; it refers to the rule's recordings."""
    numerator, denominator = get_rule_selectors(rule)
    if denominator is None:
        value = _build_selector(numerator)
        if numerator.metric in settings.SITE_GAUGES:  # the same in every process, unlike gauges of a process
            value = f"max without (instance, job) ({value})"
        value = f"sum({value})"
    else:
        value = " or ".join(name for name in build_recordings(rule) if name.endswith(_BOUND_SUFFIX))
    expression = f"({value}) {rule.comparison} {rule.threshold:.10g}"
    if rule.no_data == Rule.NoData.ALERT:
        expression = f"({expression}) or absent({_build_selector(denominator or numerator)})"
    return expression


def build_recordings(rule: Rule) -> dict[str, str]:
    """Return {name of a recording rule: expression}, in the order of evaluation: sums and bound of each window."""
    parameters = get_rule_parameters(rule)
    numerator, denominator = get_rule_selectors(rule)
    if denominator is None:
        return {}
    recordings = {}
    for window_seconds in parameters.windows:
        prefix = f"{RULE_GROUP}:{re.sub(r'[^a-zA-Z0-9_]', '_', rule.name)}:{window_seconds}s"
        n, x = f"{prefix}:denominator", f"{prefix}:numerator"
        recordings[n] = f"sum(increase({_build_selector(denominator)}[{window_seconds}s]))"
        # A numerator without any series is zero, not unknown.
        recordings[x] = f"sum(increase({_build_selector(numerator)}[{window_seconds}s])) or vector(0)"
        recordings[f"{prefix}{_BOUND_SUFFIX}"] = _build_bound_expression(parameters, x, n, window_seconds)
    return recordings


def _build_bound_expression(parameters: RuleParameters, x: str, n: str, window_seconds: int) -> str:
    """Return Wilson's bound or that of a mean over one window; no value if the window has too few samples."""
    widest = parameters.windows[-1]
    is_widest = window_seconds == widest
    min_samples = parameters.least_samples if is_widest else max(parameters.enough_samples, parameters.least_samples)
    sign = "-" if parameters.comparison == ">" else "+"
    z = get_z_quantile(1 - (1 - parameters.confidence) * window_seconds / widest)
    if parameters.kind == Rule.Kind.RATIO:
        p, zz = f"clamp_max({x} / {n}, 1)", z * z
        half = f"{z:.10g} * sqrt({p} * (1 - {p}) / {n} + {zz / 4:.10g} / {n} ^ 2)"
        bound = f"({p} + {zz / 2:.10g} / {n} {sign} {half}) / (1 + {zz:.10g} / {n})"
    else:
        bound = f"{x} / {n} * exp({sign}{z:.10g} / sqrt({n}))"
    return f"({bound}) and {n} >= {max(min_samples, 1)}"


def _build_selector(selector: SeriesSelector) -> str:
    conditions = []
    for matcher in selector.matchers:
        label, operator, values = matcher["label"], matcher["op"], matcher["values"]
        if len(values) == 1:
            conditions.append(f"{label}{operator}{_quote(values[0])}")
            continue
        # Prometheus anchors the pattern; only RE2's special characters are escaped.
        pattern = "|".join(re.sub(r"([\\.+*?()|\[\]{}^$])", r"\\\1", value) for value in values)
        conditions.append(f"{label}{'=~' if operator == '=' else '!~'}{_quote(pattern)}")
    if not selector.includes_demo:
        conditions.append('demo!="true"')
    return f"{selector.metric}{{{','.join(conditions)}}}" if conditions else selector.metric
