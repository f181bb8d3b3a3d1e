"""Repair of old records: all defects are found and fixed, good records stay unchanged, and all can be undone."""

import pytest
from django.contrib.auth.models import AbstractUser
from django.core.management import call_command

from diagnosis.api.serializers import serialize_diagnosis_detail
from diagnosis.choices import AnswerState, DiagnosisStatus
from diagnosis.models import Diagnosis, LegacyRecord, RepairChange, RepairRun
from diagnosis.repair.defects import DEFECTS
from diagnosis.repair.runner import find_defects, run_repair, select_defects
from diagnosis.repair.undo import get_latest_repair_run, undo_repair_run
from diagnosis.reports.serializers import serialize_report
from progress.models import Event
from testing.data.broken_records import (
    DEFECT_NAMES,
    QUESTION_TEXTS,
    GroundTruth,
    compute_fingerprints,
    create_broken_records,
)

BROKEN_COUNT = 48


@pytest.fixture
def truth(owner: AbstractUser) -> GroundTruth:
    return create_broken_records(owner.pk, broken=BROKEN_COUNT, good=12, in_progress=4)


def _find_affected(name: str) -> set[object]:
    (defect,) = select_defects([name])
    return {str(row) if isinstance(row, LegacyRecord) else row.pk for row in defect.find_affected()}


def test_every_defect_has_a_generator() -> None:
    assert sorted(defect.name for defect in DEFECTS) == sorted(DEFECT_NAMES)


def test_all_broken_records_are_found_and_good_ones_unchanged(owner: AbstractUser) -> None:
    truth = create_broken_records(owner.pk, broken=200, good=80)
    affected = {name: _find_affected(name) for name in DEFECT_NAMES}
    assert {name: len(truth.broken[name] - affected[name]) for name in affected} == dict.fromkeys(DEFECT_NAMES, 0)
    assert set().union(*affected.values()) == set().union(*truth.broken.values())
    before = compute_fingerprints(truth.good | truth.in_progress)
    run_repair()
    assert not any(summary.count for summary in find_defects())
    assert compute_fingerprints(truth.good | truth.in_progress) == before


def test_finding_defects_changes_nothing(truth: GroundTruth) -> None:
    before = compute_fingerprints()
    summaries = find_defects()
    assert sum(summary.count for summary in summaries) >= BROKEN_COUNT
    assert all(summary.examples for summary in summaries)
    assert compute_fingerprints() == before
    assert not RepairRun.objects.exists()


def test_repair_fixes_all_defects_and_nothing_else(truth: GroundTruth) -> None:
    kept = truth.good | truth.in_progress
    before = compute_fingerprints(kept)
    run_repair()
    assert {summary.defect.name: summary.count for summary in find_defects()} == dict.fromkeys(
        [d.name for d in DEFECTS], 0
    )
    assert compute_fingerprints(kept) == before


def test_second_repair_changes_nothing(truth: GroundTruth) -> None:
    run_repair()
    before = compute_fingerprints()
    second = run_repair()
    assert not any(second.mended.values())
    assert not second.changes.exists()
    assert compute_fingerprints() == before


def test_undo_restores_every_row(truth: GroundTruth) -> None:
    before, events = compute_fingerprints(), Event.objects.count()
    run = run_repair()
    assert compute_fingerprints() != before
    result = undo_repair_run(run)
    assert compute_fingerprints() == before
    assert Event.objects.count() == events
    assert (result.skipped, get_latest_repair_run()) == (0, None)


def test_undo_skips_rows_changed_since(truth: GroundTruth) -> None:
    run = run_repair(["report_missing"])
    changed = next(iter(truth.broken["report_missing"]))
    Diagnosis.objects.filter(pk=changed).update(report={"mine": True})
    result = undo_repair_run(run)
    assert result.skipped == 1
    assert Diagnosis.objects.get(pk=changed).report == {"mine": True}


def test_interrupted_repair_continues_with_the_same_journal(truth: GroundTruth) -> None:
    before = compute_fingerprints()

    def interrupt(name: str, rows: int) -> None:
        if name == "counts_wrong":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_repair(on_progress=interrupt)
    run = run_repair()
    assert RepairRun.objects.count() == 1
    assert run.mended["counts_wrong"] == run.mended["report_missing"] == BROKEN_COUNT // len(DEFECT_NAMES)
    assert not any(summary.count for summary in find_defects())
    undo_repair_run(run)
    assert compute_fingerprints() == before


def test_repaired_diagnoses_can_be_shown(truth: GroundTruth) -> None:
    run_repair()
    for pk in truth.diagnoses - truth.broken["duplicate"]:
        diagnosis = Diagnosis.objects.get(pk=pk)
        assert diagnosis.is_final and diagnosis.finished_at and diagnosis.stream.is_closed
        assert serialize_diagnosis_detail(diagnosis)["percent"] == 100
        report = serialize_report(diagnosis)
        assert report["valid"] == diagnosis.valid == diagnosis.answers.filter(state=AnswerState.VALID).count()
        assert all(isinstance(brand["is_own"], bool) for brand in report["brands"])


def test_status_follows_the_answers(truth: GroundTruth) -> None:
    run_repair()
    states = {name: set(Diagnosis.objects.filter(pk__in=truth.broken[name]).values_list("status", flat=True))
              for name in ("running_complete", "running_forever", "report_empty")}  # fmt: skip
    assert states == {
        "running_complete": {DiagnosisStatus.COMPLETED},
        "running_forever": {DiagnosisStatus.TIMED_OUT},
        "report_empty": {DiagnosisStatus.FAILED},
    }


def test_repaired_times_are_in_order(truth: GroundTruth) -> None:
    run_repair(["times_mixed"])
    for diagnosis in Diagnosis.objects.filter(pk__in=truth.broken["times_mixed"]):
        assert diagnosis.started_at and diagnosis.finished_at
        assert (diagnosis.finished_at - diagnosis.created_at).total_seconds() == 70
        assert (diagnosis.started_at - diagnosis.created_at).total_seconds() == 1
        for answer in diagnosis.answers.all():
            assert answer.answered_at
            assert diagnosis.started_at < answer.answered_at < diagnosis.finished_at


def test_restored_competitors_are_found_in_the_answers(truth: GroundTruth) -> None:
    run_repair(["competitors_lost"])
    for diagnosis in Diagnosis.objects.filter(pk__in=truth.broken["competitors_lost"]):
        assert [brand.name for brand in diagnosis.brands.all()] == ["山岚", "木石坊", "一盏"]
        named = {mention[0] for answer in diagnosis.answers.all() for mention in answer.mentions}
        text_of_answers = "".join(answer.text for answer in diagnosis.answers.all())
        assert named == {name for name in ("山岚", "木石坊", "一盏") if name in text_of_answers}


def test_answer_without_question_fills_the_gap(truth: GroundTruth) -> None:
    run_repair(["blank_origin"])
    texts = set()
    for diagnosis in Diagnosis.objects.filter(pk__in=truth.broken["blank_origin"]):
        texts |= {question.text for question in diagnosis.questions.all()}
        assert diagnosis.answers.filter(state=AnswerState.VALID).count() == diagnosis.planned == 4
        assert not diagnosis.answers.filter(platform="blank").exists()
    assert texts == {*QUESTION_TEXTS, "（原记录中没有问题）"}


def test_journal_keeps_every_row_of_a_removed_duplicate(truth: GroundTruth) -> None:
    run_repair(["duplicate"])
    duplicates = truth.broken["duplicate"]
    assert not Diagnosis.objects.filter(pk__in=duplicates).exists()
    kept = RepairChange.objects.filter(after__isnull=True)
    assert kept.filter(model="diagnosis.diagnosis").count() == len(duplicates)
    assert kept.filter(model="diagnosis.answer").count() == 4 * len(duplicates)


def test_command_finds_repairs_and_undoes(truth: GroundTruth, capsys: pytest.CaptureFixture[str]) -> None:
    before = compute_fingerprints()
    call_command("repair_history")
    assert "nothing was changed; --apply fixes them" in capsys.readouterr().out
    call_command("repair_history", "--apply", "--only", "counts_wrong")
    assert f"{BROKEN_COUNT // len(DEFECT_NAMES)}  counts_wrong fixed" in capsys.readouterr().out
    call_command("repair_history", "--undo")
    assert "rows restored" in capsys.readouterr().out
    assert compute_fingerprints() == before
