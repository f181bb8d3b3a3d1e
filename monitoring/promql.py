"""Alert rules as Prometheus evaluates them: the same question, the same bounds, in PromQL.

A ratio compares Wilson's bound and a mean its own, over the first window with enough samples, as the site does by
itself; `or` takes the first that has a value. Not carried over are the resolve threshold and the cooldown, which
Prometheus does not know, and repeats and channels, which are Alertmanager's.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from django.conf import settings

from monitoring.conditions import parameters_of, selectors_of
from monitoring.evaluation import Parameters, z_of
from monitoring.models import Rule
from monitoring.windows import Selector

GROUP = "diagsite"


def rule_file(rules: Iterable[Rule]) -> str:
    """A file for `rule_files:` of Prometheus, in YAML. Every scalar is written as JSON, which YAML includes."""
    head = [
        "# Made by `manage.py export_prometheus_rules` from the site's alert rules: edit them there.",
        "groups:",
        f"  - name: {GROUP}",
    ]
    entries = [line for rule in rules for line in _entry(rule)]
    return "\n".join([*head, "    rules:" if entries else "    rules: []", *entries, ""])


def _entry(rule: Rule) -> list[str]:
    fields: dict[str, Any] = {
        "alert": rule.name,
        "expr": expression_of(rule),
        "for": f"{rule.for_seconds}s",
        "keep_firing_for": f"{rule.keep_firing_seconds}s",
    }
    if not rule.keep_firing_seconds:
        del fields["keep_firing_for"]
    notes = {"summary": rule.title, "description": rule.description, "runbook_url": rule.runbook_url}
    lines = [f"{name}: {_quoted(value)}" for name, value in fields.items()]
    lines += _mapping("labels", {"severity": rule.severity})
    lines += _mapping("annotations", {name: _untemplated(text) for name, text in notes.items() if text})
    return [f"      {'-' if number == 0 else ' '} {line}" for number, line in enumerate(lines)]


def _mapping(name: str, values: Mapping[str, str]) -> list[str]:
    return [f"{name}:", *(f"  {key}: {_quoted(value)}" for key, value in values.items())]


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _untemplated(text: str) -> str:
    """Prometheus takes annotations for templates; ours are just words."""
    return text.replace("{{", '{{ "{{" }}')


def expression_of(rule: Rule) -> str:
    """What is true while there is trouble."""
    parameters = parameters_of(rule)
    top, bottom = selectors_of(rule)
    if bottom is None:
        value = _gauge(top)
    else:
        value = " or ".join(_bound(parameters, top, bottom, window) for window in parameters.windows)
    expression = f"({value}) {rule.comparison} {rule.threshold:.10g}"
    if rule.no_data == Rule.NoData.ALERT:
        expression = f"({expression}) or absent({_selector(bottom or top)})"
    return expression


def _gauge(selector: Selector) -> str:
    # What is counted in rows is the same in every process; what a process counts of itself adds up.
    if selector.metric in settings.SITE_GAUGES:
        return f"sum(max without (instance, job) ({_selector(selector)}))"
    return f"sum({_selector(selector)})"


def _bound(parameters: Parameters, top: Selector, bottom: Selector, window_seconds: int) -> str:
    """The bound nearer to the threshold over one window; nothing when that has too few samples."""
    n = f"sum(increase({_selector(bottom)}[{window_seconds}s]))"
    # No series at all above the line is nought, not unknown.
    x = f"(sum(increase({_selector(top)}[{window_seconds}s])) or vector(0))"
    is_widest = window_seconds == parameters.windows[-1]
    least = parameters.least_samples if is_widest else max(parameters.enough_samples, parameters.least_samples)
    sign = "-" if parameters.comparison == ">" else "+"
    z = z_of(parameters.confidence)
    bound = _wilson(x, n, z, sign) if parameters.kind == Rule.Kind.RATIO else _mean(x, n, z, sign)
    return f"({bound} and {n} >= {max(least, 1)})"


def _wilson(x: str, n: str, z: float, sign: str) -> str:
    p = f"clamp_max({x} / {n}, 1)"
    zz = z * z
    half = f"{z:.10g} * sqrt({p} * (1 - {p}) / {n} + {zz / 4:.10g} / {n} ^ 2)"
    return f"({p} + {zz / 2:.10g} / {n} {sign} {half}) / (1 + {zz:.10g} / {n})"


def _mean(x: str, n: str, z: float, sign: str) -> str:
    return f"{x} / {n} * exp({sign}{z:.10g} / sqrt({n}))"


def _selector(selector: Selector) -> str:
    matchers = [_matcher(one["label"], one["op"], one["values"]) for one in selector.matchers]
    if not (selector.includes_demo or settings.DEMO):
        matchers.append('demo!="true"')
    return f"{selector.metric}{{{','.join(matchers)}}}" if matchers else selector.metric


def _matcher(label: str, operator: str, values: list[str]) -> str:
    if len(values) == 1:
        return f"{label}{operator}{_quoted(values[0])}"
    # Prometheus' expressions are anchored, and RE2's special characters are among Python's.
    pattern = "|".join(re.sub(r"([\\.+*?()|\[\]{}^$])", r"\\\1", value) for value in values)
    return f"{label}{'=~' if operator == '=' else '!~'}{_quoted(pattern)}"
