"""What one diagnosis of an export says, whatever its columns are called; nothing is judged or mended here."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from diagnosis.choices import Reason, Status
from diagnosis.legacy.reading import LegacyDiagnosis, Source
from diagnosis.legacy.tables import ALIASES
from diagnosis.legacy.values import Time, is_boolean_text, read_bool, read_json, read_status, read_texts, read_time

_REASONS = [
    (Reason.QUOTA, r"quota|insufficient|balance|配额|余额|欠费"),
    (Reason.RATE, r"rate.?limit|too many|\b429\b|限流|频率"),
    (Reason.TIMEOUT, r"time.?d?.?out|超时"),
    (Reason.FILTERED, r"content.?filter|sensitive|moderation|敏感|违规"),
    (Reason.KEY, r"api.?key|unauthori[sz]ed|\b401\b|密钥"),
    (Reason.CONNECTION, r"connect|network|连接|网络"),
    (Reason.BUSY, r"\b50[0234]\b|unavailable|overload|繁忙"),
]


@dataclass
class Notes:
    """What was met on the way, counted: for the report of an import."""

    naive_times: int = 0
    boolean_texts: int = 0
    problems: Counter[str] = field(default_factory=Counter)

    def read_bool(self, value: Any) -> bool:
        """A boolean, counted where it is a text."""
        self.boolean_texts += is_boolean_text(value)
        return read_bool(value)

    def read_time(self, value: Any, what: str) -> Time | None:
        """A time, counted where it has no zone; none for what is no time, which is a problem."""
        try:
            time = read_time(value)
        except ValueError:
            self.problems[f"{what} is no time"] += 1
            return None
        self.naive_times += bool(time and time.is_naive)
        return time


@dataclass(frozen=True)
class ParsedAnswer:
    """An answer of the export."""

    question: str
    platform: str
    model: str
    text: str
    error: str
    is_ok: bool
    milliseconds: int | None
    answered_at: Time | None
    repeat: int | None

    @property
    def reason(self) -> Reason:
        """Why there is none, by the words of its error."""
        words = self.error.casefold()
        return next((reason for reason, pattern in _REASONS if re.search(pattern, words)), Reason.UNREADABLE)


@dataclass(frozen=True)
class ParsedDiagnosis:
    """A diagnosis of the export. submitted: the competitors that were ordered; competitors: those that were stored."""

    brand: str
    owner: str
    status: Status | None
    progress: float | None
    competitors: list[str]
    submitted: list[str]
    questions: list[str]
    platforms: list[str]
    repeats: int
    times: dict[str, Time]
    answers: list[ParsedAnswer]
    has_report: bool


def parse_diagnosis(one: LegacyDiagnosis, notes: Notes) -> ParsedDiagnosis:
    """Read it."""
    source = one.source
    submission = read_json(source["submission"])
    submission = submission if isinstance(submission, dict) else {}
    brands = read_texts(source["brands"]) or _submitted(submission, "brands")
    brand = next(iter(read_texts(source["brand"])[:1] or _submitted(submission, "brand")[:1] or brands[:1]), "")
    stored = read_texts(source["competitors"]) if source.table.has("competitors") else brands
    submitted = [*stored, *_submitted(submission, "competitors"), *brands]
    return ParsedDiagnosis(
        brand=brand[:100],
        owner=_text(source["owner"])[:64],
        status=_status(source, notes),
        progress=_number(source["progress"]),
        competitors=_others(stored, brand),
        submitted=_others(submitted, brand),
        questions=list(dict.fromkeys(read_texts(source["questions"]) or _submitted(submission, "questions"))),
        platforms=list(dict.fromkeys(read_texts(source["platforms"]) or _submitted(submission, "platforms"))),
        repeats=max(1, int(_number(source["repeats"]) or 1)),
        times=dict(_times(source, notes)),
        answers=[_answer(answer, notes) for answer in one.answers],
        has_report=any(_is_something(report["report"]) for report in [source, *one.reports]),
    )


def _submitted(submission: dict[str, Any], ours: str) -> list[str]:
    return next((read_texts(submission[name]) for name in ALIASES[ours] if submission.get(name)), [])


def _others(names: list[str], brand: str) -> list[str]:
    return [name[:100] for name in dict.fromkeys(names) if name[:100] != brand[:100]]


def _status(source: Source, notes: Notes) -> Status | None:
    for ours in ("status", "stage"):
        status = read_status(source[ours])
        if status:
            return status
    if source.table.has("is_completed"):
        return Status.COMPLETED if notes.read_bool(source["is_completed"]) else Status.ASKING
    notes.problems["the state is unknown"] += 1
    return None


def _times(source: Source, notes: Notes) -> Iterator[tuple[str, Time]]:
    for name in ("created_at", "started_at", "finished_at"):
        time = notes.read_time(source[name], name)
        if time:
            yield name, time


def _answer(source: Source, notes: Notes) -> ParsedAnswer:
    text, error = _text(source["text"]), _text(source["error"])
    milliseconds = _number(source["milliseconds"])
    if milliseconds is None and (seconds := _number(source["seconds"])) is not None:
        milliseconds = seconds * 1000
    repeat = _number(source["repeat"])
    return ParsedAnswer(
        question=_text(source["question"])[:500],
        platform=_text(source["platform"]),
        model=_text(source["model"])[:128],
        text=text,
        error=error,
        is_ok=bool(text) and (notes.read_bool(source["is_ok"]) if source["is_ok"] is not None else True),
        milliseconds=None if milliseconds is None or not 0 <= milliseconds < 2**31 else int(milliseconds),
        answered_at=notes.read_time(source["answered_at"], "answered_at"),
        repeat=int(repeat) if repeat and 1 <= repeat <= 100 else None,
    )


def _is_something(value: Any) -> bool:
    return bool(read_json(value)) and value not in ("null", "None")


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()


def _number(value: Any) -> float | None:
    try:
        number = float(str(value).strip().rstrip("%"))
    except ValueError:
        return None
    return number if abs(number) < 1e15 else None


def earliest(parsed: ParsedDiagnosis) -> datetime | None:
    """The first moment that is written down of it."""
    times = [*parsed.times.values(), *(answer.answered_at for answer in parsed.answers if answer.answered_at)]
    return min((time.at for time in times), default=None)
