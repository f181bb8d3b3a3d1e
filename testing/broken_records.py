"""A history with known faults: which record has which defect, which are good, which somebody is working on."""

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
from diagnosis.legacy.builder import DiagnosisRows
from diagnosis.legacy.platforms import BLANK_PLATFORM_ID
from diagnosis.models import Answer, Brand, Diagnosis, LegacyRecord, Question
from diagnosis.repair.runner import analyze_tables
from diagnosis.reports.service import build_report_from_rows
from diagnosis.running import queue
from progress.models import Stream
from testing.diagnosis_rows import make_platform

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
    """What was made: {defect: keys of the rows that have it}, the good ones, those under work."""

    broken: dict[str, set[Any]] = field(default_factory=lambda: defaultdict(set))
    good: set[uuid.UUID] = field(default_factory=set)
    in_progress: set[uuid.UUID] = field(default_factory=set)

    @property
    def diagnoses(self) -> set[Any]:
        """Every broken diagnosis."""
        return set().union(*(keys for name, keys in self.broken.items() if name != "orphan_answers"))


class RecordBuilder:
    """Makes the rows of diagnoses in memory and stores many at once."""

    def __init__(self, owner_id: int, seed: int) -> None:
        self.owner_id, self.rng, self.last_number = owner_id, random.Random(seed), 0
        self.truth = GroundTruth()
        self.records: list[LegacyRecord] = []

    def good(self) -> DiagnosisRows:
        """A diagnosis without fault, as our runs leave it."""
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
        built = DiagnosisRows(diagnosis)
        built.brands = [
            Brand(diagnosis=diagnosis, name=name, is_own=place == 0, position=place)
            for place, name in enumerate((OWN_BRAND, *COMPETITOR_BRANDS))
        ]
        built.questions = [
            Question(diagnosis=diagnosis, position=place, text=text) for place, text in enumerate(QUESTION_TEXTS)
        ]
        built.answers = [
            self._answer(built, question, platform) for question in built.questions for platform in RECORD_PLATFORMS
        ]
        attach_report(built)
        return built

    def _answer(self, built: DiagnosisRows, question: Question, platform: str) -> Answer:
        text = self.rng.choice(ANSWER_TEXTS)
        return Answer(
            diagnosis=built.diagnosis,
            question=question,
            platform_id=platform,
            repeat=1,
            state=AnswerState.VALID,
            text=text,
            **_ANALYSIS_BY_TEXT[question.text, text],
            model=f"{platform}-chat",
            attempts=1,
            milliseconds=900,
            answered_at=built.diagnosis.created_at + timedelta(seconds=30),
        )

    def mark_imported(self, built: DiagnosisRows, **facts: object) -> None:
        """Let it have come from an import."""
        built.diagnosis.is_imported = True
        naive = ["created_at", "started_at", "finished_at", "answered_at"]
        record = LegacyRecord(
            table="reports", key=str(self.last_number), state="imported", raw={}, diagnosis=built.diagnosis
        )
        record.facts = {"naive": naive, "competitors": list(COMPETITOR_BRANDS), **facts}
        self.records.append(record)


def attach_report(built: DiagnosisRows) -> None:
    """The report of its answers."""
    built.diagnosis.report = build_report_from_rows(built.diagnosis, built.brands, built.questions, built.answers)


def reset_to_pending(answer: Answer) -> None:
    """Let it be planned only."""
    answer.state, answer.text, answer.mentions, answer.model = AnswerState.PENDING, "", [], ""
    answer.attempts, answer.milliseconds, answer.answered_at = 0, None, None


def mark_failed(answer: Answer) -> None:
    """Let it have failed."""
    answer.state, answer.text, answer.mentions = AnswerState.FAILED, "", []
    answer.reason, answer.error_code = FailureReason.TIMEOUT, "NETWORK_TIMEOUT"


def reopen(built: DiagnosisRows) -> None:
    """Let it still be running, as far as its row says."""
    diagnosis = built.diagnosis
    diagnosis.status, diagnosis.report, diagnosis.finished_at = DiagnosisStatus.ASKING, None, None
    diagnosis.stream.is_closed, diagnosis.stream.closed_at = False, None


# One function a defect: what it does to a good diagnosis ------------------------------------------------------------


def _ended_incomplete(maker: RecordBuilder, built: DiagnosisRows) -> None:
    for answer in built.answers[maker.rng.randrange(4) :]:
        reset_to_pending(answer)
    built.diagnosis.valid = sum(one.state == AnswerState.VALID for one in built.answers)
    built.diagnosis.status = maker.rng.choice(
        [DiagnosisStatus.COMPLETED, DiagnosisStatus.PARTIAL, DiagnosisStatus.TIMED_OUT]
    )
    attach_report(built)


def _running_complete(maker: RecordBuilder, built: DiagnosisRows) -> None:
    reopen(built)


def _running_forever(maker: RecordBuilder, built: DiagnosisRows) -> None:
    reopen(built)
    reset_to_pending(built.answers[-1])
    built.diagnosis.valid = 3
    if maker.rng.random() < 0.5:
        built.diagnosis.deadline_at, built.diagnosis.status = None, DiagnosisStatus.QUEUED
        built.diagnosis.started_at = None
    else:
        built.diagnosis.job_id = 2**40  # of a job that is gone


def _report_missing(maker: RecordBuilder, built: DiagnosisRows) -> None:
    built.diagnosis.report = None


def _report_empty(maker: RecordBuilder, built: DiagnosisRows) -> None:
    if maker.rng.random() < 0.5:
        built.answers.clear()
        built.diagnosis.planned = built.diagnosis.valid = 0
    else:
        for answer in built.answers:
            mark_failed(answer)
        built.diagnosis.valid, built.diagnosis.failed = 0, 4
    attach_report(built)


def _counts_wrong(maker: RecordBuilder, built: DiagnosisRows) -> None:
    fault = maker.rng.randrange(3)
    if fault == 0:
        built.diagnosis.valid = 3  # 5 of 6 for ever
    elif fault == 1:
        built.diagnosis.planned = 6
    else:
        assert built.diagnosis.report
        built.diagnosis.report["valid"] = 2


def _competitors_lost(maker: RecordBuilder, built: DiagnosisRows) -> None:
    del built.brands[1:]
    if maker.rng.random() < 0.5:
        attach_report(built)
        maker.mark_imported(built)


def _times_mixed(maker: RecordBuilder, built: DiagnosisRows) -> None:
    maker.mark_imported(built)
    diagnosis = built.diagnosis
    assert diagnosis.started_at and diagnosis.finished_at
    fault = maker.rng.randrange(3)
    if fault == 0:  # created in UTC, read as local: eight hours too early
        diagnosis.created_at -= LOCAL_UTC_OFFSET
    elif fault == 1:
        diagnosis.finished_at -= LOCAL_UTC_OFFSET
    else:
        diagnosis.started_at -= LOCAL_UTC_OFFSET
        diagnosis.finished_at -= LOCAL_UTC_OFFSET
        for answer in built.answers:
            assert answer.answered_at
            answer.answered_at -= LOCAL_UTC_OFFSET


def _booleans_as_text(maker: RecordBuilder, built: DiagnosisRows) -> None:
    assert built.diagnosis.report
    for brand in built.diagnosis.report["brands"]:
        brand["is_own"] = "1" if brand["is_own"] else "0"


def _blank_origin(maker: RecordBuilder, built: DiagnosisRows) -> None:
    maker.mark_imported(built)
    answer, fault = built.answers[1], maker.rng.randrange(3)
    if fault == 0:  # its platform is known by its model, or not at all
        answer.platform_id = BLANK_PLATFORM_ID
        answer.model = maker.rng.choice(["", "kimi-k2"])
    elif fault == 1:  # its question is the one that is missing
        gap = Answer(diagnosis=built.diagnosis, question=answer.question, platform_id=answer.platform_id, repeat=1)
        blank = Question(diagnosis=built.diagnosis, position=2, text=" ")
        answer.question = blank
        built.questions.append(blank)
        built.answers.append(gap)
        built.diagnosis.planned = 5
    else:
        built.questions[0].text = ""
    attach_report(built)


DEFECT_MAKERS: dict[str, Callable[[RecordBuilder, DiagnosisRows], None]] = {
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
DEFECT_NAMES = [*DEFECT_MAKERS, "duplicate", "orphan_answers"]


def create_broken_records(
    owner_id: int, *, broken: int, good: int, in_progress: int = 20, seed: int = 1
) -> GroundTruth:
    """That many broken records, as many of each defect; good ones; and some that somebody is working on."""
    for platform in (*RECORD_PLATFORMS, BLANK_PLATFORM_ID):
        make_platform(platform, is_enabled=False)
    maker = RecordBuilder(owner_id, seed)
    makers = [_build_defect_maker(maker, name) for name in DEFECT_NAMES]
    rows = _iter_records(maker, makers, broken, good)
    while batch := list(itertools.islice(rows, 500)):
        _bulk_create(maker, batch)
    _create_in_progress(maker, in_progress)
    analyze_tables()
    return maker.truth


def _iter_records(
    maker: RecordBuilder, makers: list[Callable[[], Iterator[DiagnosisRows]]], broken: int, good: int
) -> Iterator[DiagnosisRows]:
    for number in range(broken):
        yield from makers[number % len(makers)]()
    for number in range(good):
        built = maker.good()
        if number % 5 == 0:
            maker.mark_imported(built)
        maker.truth.good.add(built.diagnosis.pk)
        yield built


def _build_defect_maker(maker: RecordBuilder, name: str) -> Callable[[], Iterator[DiagnosisRows]]:
    def make() -> Iterator[DiagnosisRows]:
        if name == "orphan_answers":
            maker.last_number += 1
            maker.records.append(
                LegacyRecord(table="results", key=str(maker.last_number), state="orphan", raw={"answer": "?"})
            )
            maker.truth.broken[name].add(f"results:{maker.last_number}")
            return
        built = maker.good()
        if name == "duplicate":
            yield from _make_duplicates(maker, built)
            return
        DEFECT_MAKERS[name](maker, built)
        maker.truth.broken[name].add(built.diagnosis.pk)
        yield built

    return make


def _make_duplicates(maker: RecordBuilder, first: DiagnosisRows) -> Iterator[DiagnosisRows]:
    """The better one stays, whichever it is: a good one."""
    second = maker.good()
    second.diagnosis.request_hash = first.diagnosis.request_hash
    second.diagnosis.created_at = first.diagnosis.created_at + timedelta(seconds=3)
    worse, better = (first, second) if maker.rng.random() < 0.5 else (second, first)
    mark_failed(worse.answers[0])
    worse.diagnosis.valid, worse.diagnosis.failed, worse.diagnosis.status = 3, 1, DiagnosisStatus.PARTIAL
    attach_report(worse)
    maker.truth.broken["duplicate"].add(worse.diagnosis.pk)
    maker.truth.good.add(better.diagnosis.pk)
    yield from (first, second)


def _bulk_create(maker: RecordBuilder, batch: list[DiagnosisRows]) -> None:
    Stream.objects.bulk_create(built.diagnosis.stream for built in batch)
    Diagnosis.objects.bulk_create(built.diagnosis for built in batch)
    Brand.objects.bulk_create(row for built in batch for row in built.brands)
    Question.objects.bulk_create(row for built in batch for row in built.questions)
    Answer.objects.bulk_create(row for built in batch for row in built.answers)
    LegacyRecord.objects.bulk_create(maker.records)
    maker.records.clear()


def _create_in_progress(maker: RecordBuilder, count: int) -> None:
    """As broken as can be, but a live job holds them, or they are younger than their deadline."""
    batch = []
    for number in range(count):
        built = maker.good()
        reopen(built)
        if number % 2:
            built.diagnosis.job_id = queue.enqueue_run(built.diagnosis.pk)
            built.diagnosis.valid = 2
        else:
            built.diagnosis.created_at = built.diagnosis.started_at = datetime.now(UTC)
            built.diagnosis.deadline_at = datetime.now(UTC) + timedelta(days=1)
        maker.truth.in_progress.add(built.diagnosis.pk)
        batch.append(built)
    _bulk_create(maker, batch)


# What the tables hold -------------------------------------------------------------------------------------------------

_DIAGNOSIS_KEY_COLUMNS = {
    "diagnosis_diagnosis": "id",
    "diagnosis_brand": "diagnosis_id",
    "diagnosis_question": "diagnosis_id",
    "diagnosis_answer": "diagnosis_id",
    "diagnosis_legacyrecord": "diagnosis_id",
}


def compute_fingerprints(keys: set[uuid.UUID] | None = None) -> dict[str, str]:
    """{table: a hash over every column of every row}, of these diagnoses or of all."""
    found = {}
    with connection.cursor() as cursor:
        for table, column in _DIAGNOSIS_KEY_COLUMNS.items():
            where = f"WHERE {column} = ANY(%s)" if keys is not None else ""
            cursor.execute(_build_hash_query(table, where), [list(keys)] if keys is not None else [])
            found[table] = str(cursor.fetchone())
        where = "WHERE id IN (SELECT stream_id FROM diagnosis_diagnosis WHERE id = ANY(%s))" if keys is not None else ""
        cursor.execute(_build_hash_query("progress_stream", where), [list(keys)] if keys is not None else [])
        found["progress_stream"] = str(cursor.fetchone())
    return found


def _build_hash_query(table: str, where: str) -> str:
    return f"SELECT count(*), sum(hashtextextended(t::text, 0)::numeric) FROM {table} t {where}"
