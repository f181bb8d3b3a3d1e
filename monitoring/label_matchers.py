"""Conditions on labels, as operators write them: `[{"label": "outcome", "op": "!=", "values": ["valid"]}]`."""

from collections.abc import Mapping, Sequence
from typing import Any

OPERATORS = ("=", "!=")
MAX_MATCHERS = 10


def matches(matchers: Sequence[Mapping[str, Any]], labels: Mapping[str, str]) -> bool:
    """Whether all hold; `=` wants one of the values, `!=` none of them. An absent label is ""."""
    return all((labels.get(one["label"], "") in one["values"]) == (one["op"] == "=") for one in matchers)


def validate_matchers(matchers: Any) -> list[str]:
    """What is wrong with matchers as somebody wrote them, in words; nothing when they can be used."""
    if not isinstance(matchers, list) or len(matchers) > MAX_MATCHERS:
        return [f"必须是最多 {MAX_MATCHERS} 个条件的列表"]
    return [fault for number, one in enumerate(matchers, 1) if (fault := _validate_matcher(number, one))]


def _validate_matcher(number: int, one: Any) -> str:
    if not isinstance(one, dict) or set(one) != {"label", "op", "values"}:
        return f"第 {number} 个条件必须有 label、op、values"
    if not isinstance(one["label"], str) or not one["label"]:
        return f"第 {number} 个条件的 label 必须是标签名"
    if one["op"] not in OPERATORS:
        return f"第 {number} 个条件的 op 必须是 = 或 !="
    values = one["values"]
    if not isinstance(values, list) or not values or not all(isinstance(value, str) for value in values):
        return f"第 {number} 个条件的 values 必须是非空的文字列表"
    return ""


def validate_weekly_windows(weekly: Any) -> list[str]:
    """What is wrong with the weekly windows of a silence; nothing when they can be used."""
    if not isinstance(weekly, list):
        return ["必须是时段的列表"]
    return [
        f"第 {number} 个时段必须形如 {_WEEKLY_WINDOW_EXAMPLE}"
        for number, one in enumerate(weekly, 1)
        if not _is_weekly_window(one)
    ]


_WEEKLY_WINDOW_EXAMPLE = '{"days": [0, 6], "from": "22:00", "to": "06:00"}'


def _is_weekly_window(one: Any) -> bool:
    if not isinstance(one, dict) or set(one) != {"days", "from", "to"}:
        return False
    days = one["days"]
    has_days = isinstance(days, list) and bool(days) and all(isinstance(day, int) and 0 <= day <= 6 for day in days)
    return has_days and _is_clock_time(one["from"]) and _is_clock_time(one["to"])


def _is_clock_time(text: Any) -> bool:
    hours, _, minutes = text.partition(":") if isinstance(text, str) else ("", "", "")
    return hours.isdecimal() and minutes.isdecimal() and len(minutes) == 2 and int(hours) < 24 and int(minutes) < 60
