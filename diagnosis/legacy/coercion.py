"""Values as old tables hold them: every spelling of a boolean, a time, a list, a state."""

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
    """A boolean, a number, or a text that means one; what means none is false."""
    return value if isinstance(value, bool) else str(value).strip().casefold() in _TRUE_TEXTS


def is_boolean_text(value: Any) -> bool:
    """Whether a text means a boolean: the origin wrote them so in places."""
    return isinstance(value, str) and value.strip().casefold() in (_TRUE_TEXTS | _FALSE_TEXTS) - {""}


@dataclass(frozen=True)
class LegacyTime:
    """A moment, and whether it was written without its zone and so read as local time."""

    at: datetime
    is_naive: bool


_MIN_MILLISECOND_TIMESTAMP = 100_000_000_000  # a number above is milliseconds: as seconds it would be the year 5138


def parse_time(value: Any) -> LegacyTime | None:
    """A time in any of the usual forms; None for none. Raises ValueError for what is no time."""
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
    """2024/3/5 9:07 and 2024年3月5日 as 2024-03-05 ..."""
    found = re.match(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?", text)
    if not found:
        return text
    year, month, day = found.groups()
    rest = text[found.end() :].removesuffix(" UTC").strip(" T")
    rest = re.sub(r"^(\d):", r"0\1:", rest)
    if text.endswith(" UTC"):
        rest += "+00:00"
    return f"{year}-{int(month):02}-{int(day):02}" + (f" {rest}" if rest else "")


def parse_json(value: Any) -> Any:
    """What a JSON column holds: also as Python wrote it (`['a']`), and plain text as it is."""
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
    """A list of names or questions: of a JSON list, of objects with a name, of lines, of a comma-separated text."""
    items = parse_json(value)
    if isinstance(items, dict):
        items = [items]
    if isinstance(items, str):
        items = re.split(r"[\n;；]" if "\n" in items or "?" in items or "？" in items else r"[,，;；、|]", items)
    if not isinstance(items, list | tuple):
        return []
    return [text for one in items if (text := _to_text(one))]


def _to_text(item: Any) -> str:
    if isinstance(item, dict):
        item = next((item[name] for name in _TEXT_KEYS if item.get(name)), "")
    return "" if item is None else str(item).strip()


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
    """A state by any of its names; None for one that nobody knows."""
    return _STATUS_BY_ALIAS.get(re.sub(r"[\s-]+", "_", str(value or "").strip().casefold()))
