"""Generate old records with known defects, good records, and records of running diagnoses."""

import itertools
import random
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection

from diagnosis.analysis.columns import compute_analysis_columns
from diagnosis.analysis.mentions import BrandSpellings
from diagnosis.choices import AnswerState, DiagnosisStatus, FailureReason
from diagnosis.legacy.builder import DiagnosisRows, save_diagnosis_rows
from diagnosis.legacy.platforms import BLANK_PLATFORM_ID
from diagnosis.models import Answer, Brand, Diagnosis, LegacyRecord, Question
from diagnosis.repair.runner import analyze_tables
from diagnosis.reports.service import build_report_from_rows
from diagnosis.running import queue
from progress.models import Stream
from testing.data.diagnoses import make_platform

OWN_BRAND, COMPETITOR_BRANDS = "山岚", ("木石坊", "一盏")
ANSWER_TEXTS = ("山岚和木石坊都不错。", "木石坊更好。", "一盏，其次山岚。", "不好说。")
QUESTION_TEXTS = ("哪个手冲壶好？", "送礼选哪款？")
RECORD_PLATFORMS = ("deepseek", "kimi")
FIRST_CREATED_AT = datetime(2025, 11, 3, 2, 0, tzinfo=UTC)
LOCAL_UTC_OFFSET = timedelta(hours=8)

_BRAND_NAMES = [BrandSpellings(name, [name]) for name in (OWN_BRAND, *COMPETITOR_BRANDS)]
_ANALYSIS_BY_TEXT = {
    (question, text): compute_analysis_columns(text, _BRAND_NAMES, question)
    for question in QUESTION_TEXTS
    for text in ANSWER_TEXTS
}


@dataclass
class GroundTruth:
    """The generated records: {defect: keys of affected rows}, good diagnoses, running diagnoses."""

    broken: dict[str, set[Any]] = field(default_factory=lambda: defaultdict(set))
    good: set[uuid.UUID] = field(default_factory=set)
    in_progress: set[uuid.UUID] = field(default_factory=set)

    @property
    def diagnoses(self) -> set[Any]:
        """Return the keys of all broken diagnoses."""
        return set().union(*(keys for name, keys in self.broken.items() if name != "orphan_answers"))


class RecordBuilder:
    """Builds the rows of diagnoses in memory and collects their ground truth."""

    def __init__(self, owner_id: int, seed: int) -> None:
        self.owner_id, self.rng, self.last_number = owner_id, random.Random(seed), 0
        self.truth = GroundTruth()
        self.records: list[LegacyRecord] = []

    def build_good(self) -> DiagnosisRows:
        """Build a diagnosis without defects, as a run leaves it."""
        self.last_number += 1
        at = FIRST_CREATED_AT + timedelta(minutes=self.last_number)
        stream = Stream(owner_id=self.owner_id, is_closed=True, closed_at=at + timedelta(seconds=70), created_at=at)
        diagnosis = Diagnosis(
            id=uuid.UUID(int=self.rng.getrandbits(128), version=4),
            owner_id=self.owner_id,
            stream=stream,
            brand=OWN_BRAND,
            status=DiagnosisStatus.COMPLETED,
            planned=4,
            valid=4,
            request_hash=f"{self.last_number:064}",
            created_at=at,
            started_at=at + timedelta(seconds=1),
            deadline_at=at + timedelta(seconds=601),
            finished_at=at + timedelta(seconds=70),
        )
        rows = DiagnosisRows(diagnosis)
        rows.brands = [
            Brand(diagnosis=diagnosis, name=name, is_own=position == 0, position=position)
            for position, name in enumerate((OWN_BRAND, *COMPETITOR_BRANDS))
        ]
        rows.questions = [
            Question(diagnosis=diagnosis, position=position, text=text) for position, text in enumerate(QUESTION_TEXTS)
        ]
        rows.answers = [
            self._answer(rows, question, platform) for question in rows.questions for platform in RECORD_PLATFORMS
        ]
        attach_report(rows)
        return rows

    def _answer(self, rows: DiagnosisRows, question: Question, platform: str) -> Answer:
        text = self.rng.choice(ANSWER_TEXTS)
        return Answer(
            diagnosis=rows.diagnosis,
            question=question,
            platform_id=platform,
            repeat=1,
            state=AnswerState.VALID,
            text=text,
            **_ANALYSIS_BY_TEXT[question.text, text],
            model=f"{platform}-chat",
            attempts=1,
            milliseconds=900,
            answered_at=rows.diagnosis.created_at + timedelta(seconds=30),
        )

    def mark_imported(self, rows: DiagnosisRows, **facts: object) -> None:
        """Mark a diagnosis as imported."""
        rows.diagnosis.is_imported = True
        naive = ["created_at", "started_at", "finished_at", "answered_at"]
        record = LegacyRecord(
            table="reports", key=str(self.last_number), state="imported", raw={}, diagnosis=rows.diagnosis
        )
        record.facts = {"naive": naive, "competitors": list(COMPETITOR_BRANDS), **facts}
        self.records.append(record)


def attach_report(rows: DiagnosisRows) -> None:
    """Set the report of its answers."""
    rows.diagnosis.report = build_report_from_rows(rows.diagnosis, rows.brands, rows.questions, rows.answers)


def reset_to_pending(answer: Answer) -> None:
    answer.state, answer.text, answer.mentions, answer.model = AnswerState.PENDING, "", [], ""
    answer.attempts, answer.milliseconds, answer.answered_at = 0, None, None


def mark_failed(answer: Answer) -> None:
    answer.state, answer.text, answer.mentions = AnswerState.FAILED, "", []
    answer.reason, answer.error_code = FailureReason.TIMEOUT, "NETWORK_TIMEOUT"


def reopen(rows: DiagnosisRows) -> None:
    """Make the rows those of a running diagnosis."""
    diagnosis = rows.diagnosis
    diagnosis.status, diagnosis.report, diagnosis.finished_at = DiagnosisStatus.ASKING, None, None
    diagnosis.stream.is_closed, diagnosis.stream.closed_at = False, None


# One function per defect, applied to a good diagnosis ---------------------------------------------------------------


def _ended_incomplete(builder: RecordBuilder, rows: DiagnosisRows) -> None:
    for answer in rows.answers[builder.rng.randrange(4) :]:
        reset_to_pending(answer)
    rows.diagnosis.valid = sum(answer.state == AnswerState.VALID for answer in rows.answers)
    rows.diagnosis.status = builder.rng.choice(
        [DiagnosisStatus.COMPLETED, DiagnosisStatus.PARTIAL, DiagnosisStatus.TIMED_OUT]
    )
    attach_report(rows)


def _running_complete(builder: RecordBuilder, rows: DiagnosisRows) -> None:
    reopen(rows)


def _running_forever(builder: RecordBuilder, rows: DiagnosisRows) -> None:
    reopen(rows)
    reset_to_pending(rows.answers[-1])
    rows.diagnosis.valid = 3
    if builder.rng.random() < 0.5:
        rows.diagnosis.deadline_at, rows.diagnosis.status = None, DiagnosisStatus.QUEUED
        rows.diagnosis.started_at = None
    else:
        rows.diagnosis.job_id = 2**40  # of a job that no longer exists


def _report_missing(builder: RecordBuilder, rows: DiagnosisRows) -> None:
    rows.diagnosis.report = None


def _report_empty(builder: RecordBuilder, rows: DiagnosisRows) -> None:
    if builder.rng.random() < 0.5:
        rows.answers.clear()
        rows.diagnosis.planned = rows.diagnosis.valid = 0
    else:
        for answer in rows.answers:
            mark_failed(answer)
        rows.diagnosis.valid, rows.diagnosis.failed = 0, 4
    attach_report(rows)


def _counts_wrong(builder: RecordBuilder, rows: DiagnosisRows) -> None:
    fault = builder.rng.randrange(3)
    if fault == 0:
        rows.diagnosis.valid = 3  # the counter was saved before counting
    elif fault == 1:
        rows.diagnosis.planned = 6
    else:
        assert rows.diagnosis.report
        rows.diagnosis.report["valid"] = 2


def _competitors_lost(builder: RecordBuilder, rows: DiagnosisRows) -> None:
    del rows.brands[1:]
    if builder.rng.random() < 0.5:
        attach_report(rows)
        builder.mark_imported(rows)


def _times_mixed(builder: RecordBuilder, rows: DiagnosisRows) -> None:
    builder.mark_imported(rows)
    diagnosis = rows.diagnosis
    assert diagnosis.started_at and diagnosis.finished_at
    fault = builder.rng.randrange(3)
    if fault == 0:  # UTC read as local time: eight hours too early
        diagnosis.created_at -= LOCAL_UTC_OFFSET
    elif fault == 1:
        diagnosis.finished_at -= LOCAL_UTC_OFFSET
    else:
        diagnosis.started_at -= LOCAL_UTC_OFFSET
        diagnosis.finished_at -= LOCAL_UTC_OFFSET
        for answer in rows.answers:
            assert answer.answered_at
            answer.answered_at -= LOCAL_UTC_OFFSET


def _booleans_as_text(builder: RecordBuilder, rows: DiagnosisRows) -> None:
    assert rows.diagnosis.report
    for brand in rows.diagnosis.report["brands"]:
        brand["is_own"] = "1" if brand["is_own"] else "0"


def _blank_origin(builder: RecordBuilder, rows: DiagnosisRows) -> None:
    builder.mark_imported(rows)
    answer, fault = rows.answers[1], builder.rng.randrange(3)
    if fault == 0:  # its platform follows from its model, or is unknown
        answer.platform_id = BLANK_PLATFORM_ID
        answer.model = builder.rng.choice(["", "kimi-k2"])
    elif fault == 1:  # it belongs to the only unanswered question
        gap = Answer(diagnosis=rows.diagnosis, question=answer.question, platform_id=answer.platform_id, repeat=1)
        blank = Question(diagnosis=rows.diagnosis, position=2, text=" ")
        answer.question = blank
        rows.questions.append(blank)
        rows.answers.append(gap)
        rows.diagnosis.planned = 5
    else:
        rows.questions[0].text = ""
    attach_report(rows)


DEFECT_APPLIERS: dict[str, Callable[[RecordBuilder, DiagnosisRows], None]] = {
    "ended_incomplete": _ended_incomplete,
    "running_complete": _running_complete,
    "running_forever": _running_forever,
    "report_missing": _report_missing,
    "report_empty": _report_empty,
    "counts_wrong": _counts_wrong,
    "competitors_lost": _competitors_lost,
    "times_mixed": _times_mixed,
    "booleans_as_text": _booleans_as_text,
    "blank_origin": _blank_origin,
}
DEFECT_NAMES = [*DEFECT_APPLIERS, "duplicate", "orphan_answers"]


def create_broken_records(
    owner_id: int, *, broken: int, good: int, in_progress: int = 20, seed: int = 1
) -> GroundTruth:
    """Create `broken` records, evenly over all defects, `good` records, and `in_progress` diagnoses."""
    for platform in (*RECORD_PLATFORMS, BLANK_PLATFORM_ID):
        make_platform(platform, is_enabled=False)
    builder = RecordBuilder(owner_id, seed)
    factories = [_build_record_factory(builder, name) for name in DEFECT_NAMES]
    rows = _iter_records(builder, factories, broken, good)
    while batch := list(itertools.islice(rows, 500)):
        _bulk_create(builder, batch)
    _create_in_progress(builder, in_progress)
    analyze_tables()
    return builder.truth


def _iter_records(
    builder: RecordBuilder, factories: list[Callable[[], Iterator[DiagnosisRows]]], broken: int, good: int
) -> Iterator[DiagnosisRows]:
    for number in range(broken):
        yield from factories[number % len(factories)]()
    for number in range(good):
        rows = builder.build_good()
        if number % 5 == 0:
            builder.mark_imported(rows)
        builder.truth.good.add(rows.diagnosis.pk)
        yield rows


def _build_record_factory(builder: RecordBuilder, name: str) -> Callable[[], Iterator[DiagnosisRows]]:
    def make() -> Iterator[DiagnosisRows]:
        if name == "orphan_answers":
            builder.last_number += 1
            builder.records.append(
                LegacyRecord(table="results", key=str(builder.last_number), state="orphan", raw={"answer": "?"})
            )
            builder.truth.broken[name].add(f"results:{builder.last_number}")
            return
        rows = builder.build_good()
        if name == "duplicate":
            yield from _make_duplicates(builder, rows)
            return
        DEFECT_APPLIERS[name](builder, rows)
        builder.truth.broken[name].add(rows.diagnosis.pk)
        yield rows

    return make


def _make_duplicates(builder: RecordBuilder, first: DiagnosisRows) -> Iterator[DiagnosisRows]:
    """Yield two equal requests; the one with more valid answers is good and stays."""
    second = builder.build_good()
    second.diagnosis.request_hash = first.diagnosis.request_hash
    second.diagnosis.created_at = first.diagnosis.created_at + timedelta(seconds=3)
    worse, better = (first, second) if builder.rng.random() < 0.5 else (second, first)
    mark_failed(worse.answers[0])
    worse.diagnosis.valid, worse.diagnosis.failed, worse.diagnosis.status = 3, 1, DiagnosisStatus.PARTIAL
    attach_report(worse)
    builder.truth.broken["duplicate"].add(worse.diagnosis.pk)
    builder.truth.good.add(better.diagnosis.pk)
    yield from (first, second)


def _bulk_create(builder: RecordBuilder, batch: list[DiagnosisRows]) -> None:
    save_diagnosis_rows(batch)
    LegacyRecord.objects.bulk_create(builder.records)
    builder.records.clear()


def _create_in_progress(builder: RecordBuilder, count: int) -> None:
    """Create inconsistent diagnoses that have a live job or are before their deadline."""
    batch = []
    for number in range(count):
        rows = builder.build_good()
        reopen(rows)
        if number % 2:
            rows.diagnosis.job_id = queue.enqueue_run(rows.diagnosis.pk)
            rows.diagnosis.valid = 2
        else:
            rows.diagnosis.created_at = rows.diagnosis.started_at = datetime.now(UTC)
            rows.diagnosis.deadline_at = datetime.now(UTC) + timedelta(days=1)
        builder.truth.in_progress.add(rows.diagnosis.pk)
        batch.append(rows)
    _bulk_create(builder, batch)


# Contents of the tables -----------------------------------------------------------------------------------------------

_DIAGNOSIS_KEY_COLUMNS = {
    "diagnosis_diagnosis": "id",
    "diagnosis_brand": "diagnosis_id",
    "diagnosis_question": "diagnosis_id",
    "diagnosis_answer": "diagnosis_id",
    "diagnosis_legacyrecord": "diagnosis_id",
}


def compute_fingerprints(keys: set[uuid.UUID] | None = None) -> dict[str, str]:
    """Return {table: hash over all columns of all rows} of these diagnoses, or of all."""
    fingerprints = {}
    with connection.cursor() as cursor:
        for table, column in _DIAGNOSIS_KEY_COLUMNS.items():
            where = f"WHERE {column} = ANY(%s)" if keys is not None else ""
            cursor.execute(_build_hash_query(table, where), [list(keys)] if keys is not None else [])
            fingerprints[table] = str(cursor.fetchone())
        where = "WHERE id IN (SELECT stream_id FROM diagnosis_diagnosis WHERE id = ANY(%s))" if keys is not None else ""
        cursor.execute(_build_hash_query("progress_stream", where), [list(keys)] if keys is not None else [])
        fingerprints["progress_stream"] = str(cursor.fetchone())
    return fingerprints


def _build_hash_query(table: str, where: str) -> str:
    return f"SELECT count(*), sum(hashtextextended(t::text, 0)::numeric) FROM {table} t {where}"
