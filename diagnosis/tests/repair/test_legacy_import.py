"""Import of exports: column names are detected, rows kept as given, nothing is run or imported twice."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from diagnosis.choices import AnswerState, DiagnosisStatus, FailureReason
from diagnosis.legacy.coercion import parse_bool, parse_status, parse_text_list, parse_time
from diagnosis.models import Diagnosis, LegacyRecord, Platform
from diagnosis.repair.runner import find_defects, run_repair
from diagnosis.reports.serializers import serialize_report
from diagnosis.running.dispatch import requeue_orphans
from diagnosis.running.recovery import expire_overdue

pytestmark = pytest.mark.django_db

REPORTS = """CREATE TABLE diagnosis_reports (id INTEGER PRIMARY KEY, execution_id TEXT, user_openid TEXT,
    brand_name TEXT, competitor_brands TEXT, request_data TEXT, selected_models TEXT, custom_questions TEXT,
    status TEXT, progress INTEGER, is_completed TEXT, created_at TEXT, completed_at TEXT)"""
RESULTS = """CREATE TABLE diagnosis_results (id INTEGER PRIMARY KEY, report_id INTEGER, execution_id TEXT,
    question TEXT, ai_platform TEXT, model TEXT, response_content TEXT, error_message TEXT,
    response_time REAL, created_at TEXT)"""
ANALYSES = "CREATE TABLE diagnosis_analysis (id INTEGER PRIMARY KEY, report_id INTEGER, analysis_data TEXT)"

QUESTIONS = ["哪个手冲壶好？", "送礼选哪款？"]


class SourceDatabase:
    """A database of the source system."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file = sqlite3.connect(path)
        for statement in (REPORTS, RESULTS, ANALYSES, "CREATE TABLE results_backup (id, report_id, response)"):
            self.file.execute(statement)

    def add(self, key: int, *, answers: int = 4, has_analysis: bool = True, **columns: Any) -> None:
        """Insert a diagnosis of two questions on two platforms."""
        row = {
            "id": key,
            "execution_id": f"run-{key}",
            "user_openid": f"openid-{key % 2}",
            "brand_name": "山岚",
            "competitor_brands": '["木石坊"]',
            "selected_models": '[{"name": "DeepSeek"}, {"name": "豆包"}]',
            "custom_questions": json.dumps(QUESTIONS, ensure_ascii=False),
            "status": "completed",
            "progress": 100,
            "is_completed": "1",
            "created_at": f"2025-11-{key:02} 10:00:00",
            "completed_at": f"2025-11-{key:02} 10:01:30",
        } | columns
        self._insert("diagnosis_reports", row)
        for place in range(answers):
            at = {"created_at": row["completed_at"] or row["created_at"]}
            self.answer(key, QUESTIONS[place // 2], ("DeepSeek", "豆包")[place % 2], **at)
        if has_analysis:
            self._insert("diagnosis_analysis", {"report_id": key, "analysis_data": '{"score": 80}'})

    def answer(self, key: int, question: str, platform: str, **columns: Any) -> None:
        """Insert an answer."""
        row = {
            "report_id": key,
            "execution_id": f"run-{key}",
            "question": question,
            "ai_platform": platform,
            "response_content": "木石坊和山岚都好。",
            "response_time": 2.5,
            "created_at": f"2025-11-{key:02} 10:01:00",
        } | columns
        self._insert("diagnosis_results", row)

    def _insert(self, table: str, row: dict[str, Any]) -> None:
        places = ", ".join("?" * len(row))
        self.file.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({places})", list(row.values()))
        self.file.commit()


@pytest.fixture
def source(tmp_path: Path) -> SourceDatabase:
    return SourceDatabase(tmp_path / "database.db")


def _import(source: SourceDatabase, *arguments: str) -> None:
    call_command("import_legacy", str(source.path), "--apply", *arguments)


def test_good_record_is_imported_completely_and_needs_no_repair(source: SourceDatabase) -> None:
    source.add(3)
    _import(source)
    diagnosis = Diagnosis.objects.get()
    assert (diagnosis.status, diagnosis.valid, diagnosis.planned, diagnosis.brand) == (
        DiagnosisStatus.COMPLETED,
        4,
        4,
        "山岚",
    )
    assert diagnosis.created_at.isoformat() == "2025-11-03T02:00:00+00:00"  # local time of the site's zone
    assert getattr(diagnosis.owner, "wechat_openid") == "openid-1"  # noqa: B009 - a field of a higher layer
    assert {answer.platform_id for answer in diagnosis.answers.all()} == {"deepseek", "doubao"}
    assert [brand["figures"]["mention_rate"] for brand in serialize_report(diagnosis)["brands"]] == [1.0, 1.0]
    assert diagnosis.answers.first().milliseconds == 2500  # type: ignore[union-attr]
    assert not any(summary.count for summary in find_defects())


def test_without_apply_nothing_is_stored(source: SourceDatabase, capsys: pytest.CaptureFixture[str]) -> None:
    source.add(3)
    call_command("import_legacy", str(source.path))
    output = capsys.readouterr().out
    assert "1 diagnoses with 4 answers can be imported (--apply does)" in output
    assert "results_backup: its name is that of a temporary table" in output
    assert not (Diagnosis.objects.exists() or LegacyRecord.objects.exists() or Platform.objects.exists())


def test_imported_again_it_adds_nothing(source: SourceDatabase, capsys: pytest.CaptureFixture[str]) -> None:
    source.add(3)
    source.answer(99, QUESTIONS[0], "DeepSeek")
    _import(source)
    _import(source)
    assert "2 rows were imported before" in capsys.readouterr().out
    assert (Diagnosis.objects.count(), LegacyRecord.objects.count()) == (1, 2)


def test_unfinished_imported_diagnosis_is_never_run(source: SourceDatabase) -> None:
    source.add(3, answers=2, status="ai_fetching", is_completed="0", completed_at=None, has_analysis=False)
    _import(source)
    assert Diagnosis.objects.get().status == DiagnosisStatus.ASKING
    assert (requeue_orphans(), expire_overdue()) == (0, 0)
    run_repair()
    diagnosis = Diagnosis.objects.get()
    assert (diagnosis.status, diagnosis.valid, diagnosis.failed) == (DiagnosisStatus.TIMED_OUT, 2, 2)
    assert not any(summary.count for summary in find_defects())


def test_every_defect_of_an_export_is_found_and_fixed(source: SourceDatabase) -> None:
    source.add(1, answers=3)  # an answer is missing
    source.add(2, status="running")
    source.add(3, has_analysis=False)
    source.add(4, answers=0)
    source.add(5, competitor_brands="[]", request_data='{"brand": "山岚", "competitor_brands": ["木石坊", "一盏"]}')
    source.add(6, created_at="2025-11-06T02:00:00", completed_at="2025-11-06T10:01:30+08:00")
    source.add(9)
    source.answer(9, "", "DeepSeek")
    source.add(11)
    source.add(13, answers=3, created_at="2025-11-11 10:00:05", completed_at="2025-11-11 10:01:30")
    source.answer(77, QUESTIONS[0], "DeepSeek")
    _import(source)
    counts = {summary.defect.name: summary.count for summary in find_defects()}
    assert {name: count for name, count in counts.items() if count} == {
        "running_complete": 1,
        "competitors_lost": 1,
        "blank_origin": 1,
        "times_mixed": 1,
        "ended_incomplete": 3,
        "report_empty": 1,
        "report_missing": 1,
        "duplicate": 1,
        "orphan_answers": 1,
    }
    run_repair()
    assert not any(summary.count for summary in find_defects())
    assert Diagnosis.objects.count() == 8
    assert LegacyRecord.objects.get(state="set_aside").raw["report_id"] == 77


def test_failed_answer_keeps_its_reason_without_keys(source: SourceDatabase) -> None:
    source.add(3, answers=3)
    secret = "sk-0123456789abcdef0123456789abcdef"
    source.answer(3, QUESTIONS[1], "豆包", response_content=None, error_message=f"insufficient balance for {secret}")
    _import(source)
    answer = Diagnosis.objects.get().answers.get(state=AnswerState.FAILED)
    assert (answer.reason, secret in answer.error_detail) == (FailureReason.QUOTA, False)


def test_other_column_names_and_formats_are_detected(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as file:
        file.execute("CREATE TABLE runs (taskId TEXT, brandList TEXT, state TEXT, createTime INTEGER, questions TEXT)")
        file.execute("CREATE TABLE replies (taskId TEXT, prompt TEXT, provider TEXT, answer TEXT)")
        file.execute("INSERT INTO runs VALUES ('t1', \"['山岚', '木石坊']\", 'SUCCESS', 1762135200000, '好用吗？')")
        file.execute("INSERT INTO replies VALUES ('t1', '好用吗？', '某平台', '山岚好用。')")
    call_command("import_legacy", str(path), "--apply")
    diagnosis = Diagnosis.objects.get()
    assert [brand.name for brand in diagnosis.brands.all()] == ["山岚", "木石坊"]
    assert (diagnosis.status, diagnosis.valid) == (DiagnosisStatus.COMPLETED, 1)
    assert Platform.objects.get(name="某平台").is_enabled is False


def test_unreadable_record_is_kept_with_its_reason(source: SourceDatabase, capsys: pytest.CaptureFixture[str]) -> None:
    source.add(3, brand_name=None)
    source.add(4, created_at="yesterday", status="???", is_completed=None)
    _import(source)
    output = capsys.readouterr().out
    assert "1 diagnoses could not be read: it names no brand" in output
    assert "1 times: created_at is no time" in output
    record = LegacyRecord.objects.get(state="unreadable")
    assert len(record.raw["answers"]) == 4


@pytest.mark.parametrize("content", [b"no database at all, but long enough to look like one" * 40, b""])
def test_file_that_is_no_export_is_rejected(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file.db"
    path.write_bytes(content)
    with pytest.raises(CommandError, match=r"file\.db: (file is not a database|no table of diagnoses was found)"):
        call_command("import_legacy", str(path))


@pytest.mark.parametrize(
    ("text", "utc", "is_naive"),
    [
        ("2025-11-03 10:00:00", "2025-11-03T02:00:00+00:00", True),
        ("2025-11-03T10:00:00.5Z", "2025-11-03T10:00:00.500000+00:00", False),
        ("2025-11-03T10:00:00+08:00", "2025-11-03T02:00:00+00:00", False),
        ("2025/11/3 9:07", "2025-11-03T01:07:00+00:00", True),
        (1762135200, "2025-11-03T02:00:00+00:00", False),
        ("1762135200000", "2025-11-03T02:00:00+00:00", False),
    ],
)
def test_time_formats(text: object, utc: str, is_naive: bool) -> None:
    from datetime import UTC

    time = parse_time(text)
    assert time and (time.at.astimezone(UTC).isoformat(), time.is_naive) == (utc, is_naive)


def test_value_formats() -> None:
    assert [parse_bool(value) for value in ("1", "0", 1, "True", "否", None, "")] == [
        True, False, True, True, False, False, False,
    ]  # fmt: skip
    assert (
        parse_text_list('["a", {"name": "b"}]')
        == parse_text_list("['a', 'b']")
        == parse_text_list("a，b")
        == ["a", "b"]
    )
    assert [parse_status(value) for value in ("AI_FETCHING", "partial success", "timeout", "?")] == [
        DiagnosisStatus.ASKING, DiagnosisStatus.PARTIAL, DiagnosisStatus.TIMED_OUT, None,
    ]  # fmt: skip


def _without_ids(path: Path) -> SourceDatabase:
    """A source whose tables have no `id`, so that `execution_id` is the key."""
    source = SourceDatabase(path)
    for table in ("diagnosis_reports", "diagnosis_results"):
        source.file.execute(f"ALTER TABLE {table} RENAME TO with_ids")
        columns = [row[1] for row in source.file.execute("PRAGMA table_info(with_ids)") if row[1] != "id"]
        source.file.execute(f"CREATE TABLE {table} ({', '.join(f'{name} TEXT' for name in columns)})")
        source.file.execute("DROP TABLE with_ids")
    return source


def _add_without_id(source: SourceDatabase, execution_id: Any, brand: str = "山岚", answers: int = 1) -> None:
    source._insert("diagnosis_reports", {"execution_id": execution_id, "brand_name": brand, "status": "completed"})
    for number in range(answers):
        row = {
            "execution_id": execution_id,
            "question": f"{number}？",
            "ai_platform": "豆包",
            "response_content": "山岚",
        }
        source._insert("diagnosis_results", row)


LONG_KEYS = ["长" * 128 + end for end in "甲乙"]


def test_repeated_and_long_keys_do_not_stop_the_import(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = _without_ids(tmp_path / "database.db")
    _add_without_id(source, "run-1", "山岚")
    _add_without_id(source, "run-1", "云栖壶", answers=0)
    _add_without_id(source, None, "木石坊", answers=0)  # SQLite's rowid 3 is its key
    _add_without_id(source, "3", "石上泉")
    for key in LONG_KEYS:
        _add_without_id(source, key)
    for _number in range(2):  # answers of a diagnosis that does not exist, with one key
        row = {"execution_id": "gone", "question": "？", "ai_platform": "豆包", "response_content": "好"}
        source._insert("diagnosis_results", row)
    _import(source)
    assert "1 diagnoses could not be read: its key is that of an earlier row" in capsys.readouterr().out
    imported = dict(Diagnosis.objects.order_by("brand").values_list("brand", "valid").distinct())
    assert imported == {"山岚": 1, "木石坊": 0, "石上泉": 1}
    assert Diagnosis.objects.count() == 5
    repeated = LegacyRecord.objects.get(state=LegacyRecord.State.UNREADABLE)
    assert repeated.raw["row"]["brand_name"] == "云栖壶"
    assert LegacyRecord.objects.filter(state=LegacyRecord.State.ORPHAN).count() == 2
    before = set(LegacyRecord.objects.values_list("pk", "key"))
    _import(source)
    assert set(LegacyRecord.objects.values_list("pk", "key")) == before
    assert Diagnosis.objects.count() == 5


def test_import_interrupted_at_a_repeated_key_continues(tmp_path: Path) -> None:
    """Rows that an earlier version imported, also under the beginning of a long key, are recognized."""
    source = _without_ids(tmp_path / "database.db")
    _add_without_id(source, LONG_KEYS[0])
    _import(source)
    LegacyRecord.objects.update(key=LONG_KEYS[0][:128])
    _add_without_id(source, LONG_KEYS[1])
    _add_without_id(source, LONG_KEYS[1])
    _import(source)
    assert Diagnosis.objects.count() == 2
    assert LegacyRecord.objects.count() == 3
