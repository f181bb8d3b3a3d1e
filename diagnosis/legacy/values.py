"""Values as old tables hold them: every spelling of a boolean, a time, a list, a state."""

import ast
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.utils import timezone
from django.utils.dateparse import parse_datetime

from diagnosis.choices import Status

_TRUE = {"1", "1.0", "true", "t", "yes", "y", "on", "是", "真"}
_FALSE = {"", "0", "0.0", "false", "f", "no", "n", "off", "none", "null", "否", "假"}


def read_bool(value: Any) -> bool:
    """A boolean, a number, or a text that means one; what means none is false."""
    return value if isinstance(value, bool) else str(value).strip().casefold() in _TRUE


def is_boolean_text(value: Any) -> bool:
    """Whether a text means a boolean: the origin wrote them so in places."""
    return isinstance(value, str) and value.strip().casefold() in (_TRUE | _FALSE) - {""}


@dataclass(frozen=True)
class Time:
    """A moment, and whether it was written without its zone and so read as local time."""

    at: datetime
    is_naive: bool


_MILLISECONDS_FROM = 100_000_000_000  # a number above is milliseconds: as seconds it would be the year 5138


def read_time(value: Any) -> Time | None:
    """A time in any of the usual forms; None for none. Raises ValueError for what is no time."""
    if value is None or not str(value).strip():
        return None
    text = str(value).strip()
    try:
        if re.fullmatch(r"\d{9,}(\.\d+)?", text):
            seconds = float(text)
            return Time(datetime.fromtimestamp(seconds / (1000 if seconds > _MILLISECONDS_FROM else 1), UTC), False)
        moment = parse_datetime(_iso(text)) or datetime.fromisoformat(_iso(text))
        if timezone.is_naive(moment):
            return Time(timezone.make_aware(moment), True)
    except (ValueError, OverflowError, OSError) as error:
        raise ValueError(f"no time: {text[:40]}") from error
    return Time(moment, False)


def _iso(text: str) -> str:
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


def read_json(value: Any) -> Any:
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


_NAMES = ("name", "brand_name", "brand", "question", "text", "content", "id", "model", "value")


def read_texts(value: Any) -> list[str]:
    """A list of names or questions: of a JSON list, of objects with a name, of lines, of a comma-separated text."""
    found = read_json(value)
    if isinstance(found, dict):
        found = [found]
    if isinstance(found, str):
        found = re.split(r"[\n;；]" if "\n" in found or "?" in found or "？" in found else r"[,，;；、|]", found)
    if not isinstance(found, list | tuple):
        return []
    return [text for one in found if (text := _text_of(one))]


def _text_of(one: Any) -> str:
    if isinstance(one, dict):
        one = next((one[name] for name in _NAMES if one.get(name)), "")
    return "" if one is None else str(one).strip()


_STATES = {
    Status.QUEUED: "queued pending created waiting init initial initialized initializing new 等待中 排队中",
    Status.ASKING: "asking running processing in_progress started ai_fetching fetching executing active 进行中 提问中",
    Status.ANALYSING: "analysing analyzing analysis intelligence_analyzing aggregating 分析中",
    Status.COMPLETED: "completed complete done success succeeded successful finished ok 已完成 成功",
    Status.PARTIAL: "partial partial_success partial_completed partially_completed 部分完成 部分成功",
    Status.FAILED: "failed failure fail error errored 失败",
    Status.TIMED_OUT: "timed_out timeout timedout expired 超时",
    Status.CANCELLED: "cancelled canceled aborted stopped 已取消",
}
_STATUS_OF = {word: status for status, words in _STATES.items() for word in words.split()}


def read_status(value: Any) -> Status | None:
    """A state by any of its names; None for one that nobody knows."""
    return _STATUS_OF.get(re.sub(r"[\s-]+", "_", str(value or "").strip().casefold()))
