"""Convert values of old tables: booleans, times, lists and statuses in many spellings."""

import ast
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.utils import timezone
from django.utils.dateparse import parse_datetime

from diagnosis.choices import DiagnosisStatus

_TRUE_TEXTS = {"1", "1.0", "true", "t", "yes", "y", "on", "是", "真"}
_FALSE_TEXTS = {"", "0", "0.0", "false", "f", "no", "n", "off", "none", "null", "否", "假"}


def parse_bool(value: Any) -> bool:
    """Convert a boolean, number or text to a boolean; unknown values are False."""
    return value if isinstance(value, bool) else str(value).strip().casefold() in _TRUE_TEXTS


def is_boolean_text(value: Any) -> bool:
    """Return whether the value is a text that means a boolean, as the source system sometimes stored them."""
    return isinstance(value, str) and value.strip().casefold() in (_TRUE_TEXTS | _FALSE_TEXTS) - {""}


@dataclass(frozen=True)
class LegacyTime:
    """A time, and whether it had no time zone and was read as local time."""

    at: datetime
    is_naive: bool


_MIN_MILLISECOND_TIMESTAMP = 100_000_000_000  # larger numbers are milliseconds


def parse_time(value: Any) -> LegacyTime | None:
    """Parse a time in any usual format; None if empty. Raises ValueError if it is not a time."""
    if value is None or not str(value).strip():
        return None
    text = str(value).strip()
    try:
        if re.fullmatch(r"\d{9,}(\.\d+)?", text):
            seconds = float(text)
            return LegacyTime(
                datetime.fromtimestamp(seconds / (1000 if seconds > _MIN_MILLISECOND_TIMESTAMP else 1), UTC), False
            )
        moment = parse_datetime(_to_iso_format(text)) or datetime.fromisoformat(_to_iso_format(text))
        if timezone.is_naive(moment):
            return LegacyTime(timezone.make_aware(moment), True)
    except (ValueError, OverflowError, OSError) as error:
        raise ValueError(f"no time: {text[:40]}") from error
    return LegacyTime(moment, False)


def _to_iso_format(text: str) -> str:
    """Rewrite formats such as 2024/3/5 9:07 and 2024年3月5日 as ISO 8601."""
    date = re.match(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?", text)
    if not date:
        return text
    year, month, day = date.groups()
    rest = text[date.end() :].removesuffix(" UTC").strip(" T")
    rest = re.sub(r"^(\d):", r"0\1:", rest)
    if text.endswith(" UTC"):
        rest += "+00:00"
    return f"{year}-{int(month):02}-{int(day):02}" + (f" {rest}" if rest else "")


def parse_json(value: Any) -> Any:
    """Decode the value of a JSON column, also in Python notation (`['a']`); return plain text unchanged."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    if text[:1] not in ("[", "{", '"'):
        return text
    try:
        return json.loads(text)
    except ValueError:
        pass
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text


_TEXT_KEYS = ("name", "brand_name", "brand", "question", "text", "content", "id", "model", "value")


def parse_text_list(value: Any) -> list[str]:
    """Read names or questions from a JSON list, objects with a name, lines, or a comma-separated text."""
    items = parse_json(value)
    if isinstance(items, dict):
        items = [items]
    if isinstance(items, str):
        items = re.split(r"[\n;；]" if "\n" in items or "?" in items or "？" in items else r"[,，;；、|]", items)
    if not isinstance(items, list | tuple):
        return []
    texts = []
    for item in items:
        value = next((item[key] for key in _TEXT_KEYS if item.get(key)), "") if isinstance(item, dict) else item
        texts.append("" if value is None else str(value).strip())
    return [text for text in texts if text]


_ALIASES_BY_STATUS = {
    DiagnosisStatus.QUEUED: "queued pending created waiting init initial initialized initializing new 等待中 排队中",
    DiagnosisStatus.ASKING: "asking running processing in_progress started ai_fetching fetching executing active "
    "进行中 提问中",
    DiagnosisStatus.ANALYSING: "analysing analyzing analysis intelligence_analyzing aggregating 分析中",
    DiagnosisStatus.COMPLETED: "completed complete done success succeeded successful finished ok 已完成 成功",
    DiagnosisStatus.PARTIAL: "partial partial_success partial_completed partially_completed 部分完成 部分成功",
    DiagnosisStatus.FAILED: "failed failure fail error errored 失败",
    DiagnosisStatus.TIMED_OUT: "timed_out timeout timedout expired 超时",
    DiagnosisStatus.CANCELLED: "cancelled canceled aborted stopped 已取消",
}
_STATUS_BY_ALIAS = {word: status for status, words in _ALIASES_BY_STATUS.items() for word in words.split()}


def parse_status(value: Any) -> DiagnosisStatus | None:
    """Return the status of a known name, None for an unknown one."""
    return _STATUS_BY_ALIAS.get(re.sub(r"[\s-]+", "_", str(value or "").strip().casefold()))
