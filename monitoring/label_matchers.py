"""Conditions on labels as operators write them: `[{"label": "outcome", "op": "!=", "values": ["valid"]}]`."""

from collections.abc import Mapping, Sequence
from typing import Any

# Outcomes of a call or an answer that neither succeeded nor failed: the content filter refused it, or nobody asked.
UNDECIDED_OUTCOMES = ["filtered", "cancelled", "budget", "operator", "deadline"]

OPERATORS = ("=", "!=")
MAX_MATCHERS = 10
_WEEKLY_WINDOW_EXAMPLE = '{"days": [0, 6], "from": "22:00", "to": "06:00"}'


def matches(matchers: Sequence[Mapping[str, Any]], labels: Mapping[str, str]) -> bool:
    """Return whether all matchers hold: `=` requires one of the values, `!=` none of them. An absent label is ""."""
    return all(
        (labels.get(matcher["label"], "") in matcher["values"]) == (matcher["op"] == "=") for matcher in matchers
    )


def validate_matchers(matchers: Any) -> list[str]:
    """Return error texts for matchers from user input; an empty list if they are valid."""
    if not isinstance(matchers, list) or len(matchers) > MAX_MATCHERS:
        return [f"必须是最多 {MAX_MATCHERS} 个条件的列表"]
    errors = []
    for number, matcher in enumerate(matchers, 1):
        if not isinstance(matcher, dict) or set(matcher) != {"label", "op", "values"}:
            errors.append(f"第 {number} 个条件必须有 label、op、values")
        elif not isinstance(matcher["label"], str) or not matcher["label"]:
            errors.append(f"第 {number} 个条件的 label 必须是标签名")
        elif matcher["op"] not in OPERATORS:
            errors.append(f"第 {number} 个条件的 op 必须是 = 或 !=")
        elif not (
            isinstance(matcher["values"], list)
            and matcher["values"]
            and all(isinstance(value, str) for value in matcher["values"])
        ):
            errors.append(f"第 {number} 个条件的 values 必须是非空的文字列表")
    return errors


def validate_weekly_windows(weekly: Any) -> list[str]:
    """Return error texts for the weekly windows of a silence; an empty list if they are valid."""
    if not isinstance(weekly, list):
        return ["必须是时段的列表"]
    errors = []
    for number, window in enumerate(weekly, 1):
        is_valid = (
            isinstance(window, dict)
            and set(window) == {"days", "from", "to"}
            and isinstance(window["days"], list)
            and window["days"]
            and all(isinstance(day, int) and 0 <= day <= 6 for day in window["days"])
            and _is_clock_time(window["from"])
            and _is_clock_time(window["to"])
        )
        if not is_valid:
            errors.append(f"第 {number} 个时段必须形如 {_WEEKLY_WINDOW_EXAMPLE}")
    return errors


def _is_clock_time(text: Any) -> bool:
    hours, _, minutes = text.partition(":") if isinstance(text, str) else ("", "", "")
    return hours.isdecimal() and minutes.isdecimal() and len(minutes) == 2 and int(hours) < 24 and int(minutes) < 60
