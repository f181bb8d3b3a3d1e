"""Parse a diagnosis of an export, without checking or fixing it."""

import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from django.utils.translation import gettext_noop

from diagnosis.choices import DiagnosisStatus, FailureReason
from diagnosis.legacy.coercion import (
    LegacyTime,
    is_boolean_text,
    parse_bool,
    parse_json,
    parse_status,
    parse_text_list,
    parse_time,
)
from diagnosis.legacy.reader import LegacyDiagnosis, SourceRow
from diagnosis.legacy.table_layout import COLUMN_ALIASES
from errors.terminal import gettext as _

MAX_IMPORTED_ANSWERS = 2000

_REASON_PATTERNS = [
    (FailureReason.QUOTA, r"quota|insufficient|balance|配额|余额|欠费"),
    (FailureReason.RATE, r"rate.?limit|too many|\b429\b|限流|频率"),
    (FailureReason.TIMEOUT, r"time.?d?.?out|超时"),
    (FailureReason.FILTERED, r"content.?filter|sensitive|moderation|敏感|违规"),
    (FailureReason.KEY, r"api.?key|unauthori[sz]ed|\b401\b|密钥"),
    (FailureReason.CONNECTION, r"connect|network|连接|网络"),
    (FailureReason.BUSY, r"\b50[0234]\b|unavailable|overload|繁忙"),
]


@dataclass
class ParseStatistics:
    """Counts of irregularities, for the summary of an import."""

    naive_times: int = 0
    boolean_texts: int = 0
    problems: Counter[str] = field(default_factory=Counter)

    def parse_bool(self, value: Any) -> bool:
        """Convert a boolean and count it if it is a text."""
        self.boolean_texts += is_boolean_text(value)
        return parse_bool(value)

    def parse_time(self, value: Any, field_name: str) -> LegacyTime | None:
        """Parse a time and count it if it has no zone; an invalid time is None and counted as a problem."""
        try:
            time = parse_time(value)
        except ValueError:
            self.problems[_("%(field)s 不是时间") % {"field": field_name}] += 1
            return None
        self.naive_times += bool(time and time.is_naive)
        return time

    def parse_status_columns(self, source: SourceRow) -> DiagnosisStatus | None:
        """Return the status that the columns of a diagnosis indicate; none is counted as a problem."""
        status = parse_status(source["status"]) or parse_status(source["stage"])
        if status:
            return status
        if source.table.has("is_completed"):
            return DiagnosisStatus.COMPLETED if self.parse_bool(source["is_completed"]) else DiagnosisStatus.ASKING
        self.problems[_("状态不明")] += 1
        return None


@dataclass(frozen=True)
class ParsedAnswer:
    question: str
    platform: str
    model: str
    text: str
    error: str
    is_ok: bool
    milliseconds: int | None
    answered_at: LegacyTime | None
    repeat: int | None

    @classmethod
    def from_row(cls, source: SourceRow, statistics: ParseStatistics) -> Self:
        """Parse the columns of a row of answers."""
        text, error = _to_text(source["text"]), _to_text(source["error"])
        milliseconds = _parse_number(source["milliseconds"])
        if milliseconds is None and (seconds := _parse_number(source["seconds"])) is not None:
            milliseconds = seconds * 1000
        repeat = _parse_number(source["repeat"])
        return cls(
            question=_to_text(source["question"])[:500],
            platform=_to_text(source["platform"]),
            model=_to_text(source["model"])[:128],
            text=text,
            error=error,
            is_ok=bool(text) and (statistics.parse_bool(source["is_ok"]) if source["is_ok"] is not None else True),
            milliseconds=None if milliseconds is None or not 0 <= milliseconds < 2**31 else int(milliseconds),
            answered_at=statistics.parse_time(source["answered_at"], "answered_at"),
            repeat=int(repeat) if repeat and 1 <= repeat <= 100 else None,
        )

    @property
    def reason(self) -> FailureReason:
        """Return the failure reason that its error text indicates."""
        error_text = self.error.casefold()
        return next(
            (reason for reason, pattern in _REASON_PATTERNS if re.search(pattern, error_text)), FailureReason.UNREADABLE
        )


@dataclass(frozen=True)
class ParsedDiagnosis:
    """A diagnosis of the export. submitted: the competitors requested; competitors: those stored."""

    brand: str
    owner: str
    status: DiagnosisStatus | None
    progress: float | None
    competitors: list[str]
    submitted: list[str]
    questions: list[str]
    platforms: list[str]
    repeats: int
    times: dict[str, LegacyTime]
    answers: list[ParsedAnswer]
    has_report: bool

    @property
    def earliest_time(self) -> datetime | None:
        """Return its first recorded time."""
        times = [*self.times.values(), *(answer.answered_at for answer in self.answers if answer.answered_at)]
        return min((time.at for time in times), default=None)

    @property
    def problem(self) -> str:
        """Return why it cannot be imported, empty if it can."""
        if not self.brand:
            return gettext_noop("没有品牌")
        answer_count = len(self.questions) * len(self.platforms) * self.repeats + len(self.answers)
        return "it requests too many answers" if answer_count > MAX_IMPORTED_ANSWERS else ""

    @property
    def facts(self) -> dict[str, Any]:
        """Return the facts that repairs use, such as times without a zone and submitted competitors."""
        naive = [name for name, time in self.times.items() if time.is_naive]
        if any(answer.answered_at and answer.answered_at.is_naive for answer in self.answers):
            naive.append("answered_at")
        return {"naive": naive, "competitors": self.submitted, "progress": self.progress, "owner": self.owner}


def parse_diagnosis(legacy_diagnosis: LegacyDiagnosis, statistics: ParseStatistics) -> ParsedDiagnosis:
    """Parse the columns of a diagnosis, its answers and reports."""
    source = legacy_diagnosis.source
    submission = parse_json(source["submission"])
    submission = submission if isinstance(submission, dict) else {}
    brands = parse_text_list(source["brands"]) or _parse_submitted_list(submission, "brands")
    brand = next(
        iter(parse_text_list(source["brand"])[:1] or _parse_submitted_list(submission, "brand")[:1] or brands[:1]), ""
    )
    stored_competitors = parse_text_list(source["competitors"]) if source.table.has("competitors") else brands
    submitted_competitors = [*stored_competitors, *_parse_submitted_list(submission, "competitors"), *brands]
    times = {name: statistics.parse_time(source[name], name) for name in ("created_at", "started_at", "finished_at")}
    return ParsedDiagnosis(
        brand=brand[:100],
        owner=_to_text(source["owner"])[:64],
        status=statistics.parse_status_columns(source),
        progress=_parse_number(source["progress"]),
        competitors=_exclude_own_brand(stored_competitors, brand),
        submitted=_exclude_own_brand(submitted_competitors, brand),
        questions=list(
            dict.fromkeys(parse_text_list(source["questions"]) or _parse_submitted_list(submission, "questions"))
        ),
        platforms=list(
            dict.fromkeys(parse_text_list(source["platforms"]) or _parse_submitted_list(submission, "platforms"))
        ),
        repeats=max(1, int(_parse_number(source["repeats"]) or 1)),
        times={name: time for name, time in times.items() if time},
        answers=[ParsedAnswer.from_row(answer, statistics) for answer in legacy_diagnosis.answers],
        has_report=any(
            parse_json(row["report"]) and row["report"] not in ("null", "None")
            for row in [source, *legacy_diagnosis.reports]
        ),
    )


def _parse_submitted_list(submission: dict[str, Any], field_name: str) -> list[str]:
    return next((parse_text_list(submission[name]) for name in COLUMN_ALIASES[field_name] if submission.get(name)), [])


def _exclude_own_brand(names: list[str], brand: str) -> list[str]:
    return [name[:100] for name in dict.fromkeys(names) if name[:100] != brand[:100]]


def _to_text(value: Any) -> str:
    return "" if value is None else str(value).strip()


def _parse_number(value: Any) -> float | None:
    try:
        number = float(str(value).strip().rstrip("%"))
    except ValueError:
        return None
    return number if abs(number) < 1e15 else None
