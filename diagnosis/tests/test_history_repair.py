"""Old records: everything that is wrong is found and mended, nothing that is right is touched, all can be undone."""

import pytest
from django.contrib.auth.models import AbstractUser
from django.core.management import call_command

from diagnosis.choices import AnswerState, Status
from diagnosis.history.defects import DEFECTS
from diagnosis.history.models import LegacyRecord, RepairChange, RepairRun
from diagnosis.history.repair import choose_defects, find_defects, repair
from diagnosis.history.undo import latest_run, undo_run
from diagnosis.models import Diagnosis
from diagnosis.presenters import diagnosis_detail_json, report_json
from diagnosis.tests.broken_history import DEFECT_NAMES, QUESTIONS, Truth, fingerprints, make_history
from progress.models import Event

BROKEN = 48


@pytest.fixture
def truth(owner: AbstractUser) -> Truth:
    """A small history; the largest test makes its own."""
    return make_history(owner.pk, broken=BROKEN, good=12, busy=4)


def _found(name: str) -> set[object]:
    (defect,) = choose_defects([name])
    return {str(row) if isinstance(row, LegacyRecord) else row.pk for row in defect.broken()}


def test_every_defect_of_the_origin_has_its_name() -> None:
    assert sorted(defect.name for defect in DEFECTS) == sorted(DEFECT_NAMES)


def test_of_hundreds_every_broken_record_is_found_and_no_good_one_touched(owner: AbstractUser) -> None:
    truth = make_history(owner.pk, broken=200, good=80)
    found = {name: _found(name) for name in DEFECT_NAMES}
    assert {name: len(truth.broken[name] - found[name]) for name in found} == dict.fromkeys(DEFECT_NAMES, 0)
    assert set().union(*found.values()) == set().union(*truth.broken.values())
    before = fingerprints(truth.good | truth.busy)
    repair()
    assert not any(one.count for one in find_defects())
    assert fingerprints(truth.good | truth.busy) == before


def test_looking_changes_nothing(truth: Truth) -> None:
    before = fingerprints()
    found = find_defects()
    assert sum(one.count for one in found) >= BROKEN
    assert all(one.examples for one in found)
    assert fingerprints() == before
    assert not RepairRun.objects.exists()


def test_a_repair_mends_what_is_broken_and_touches_nothing_else(truth: Truth) -> None:
    kept = truth.good | truth.busy
    before = fingerprints(kept)
    repair()
    assert {one.defect.name: one.count for one in find_defects()} == dict.fromkeys([d.name for d in DEFECTS], 0)
    assert fingerprints(kept) == before


def test_a_second_repair_changes_nothing(truth: Truth) -> None:
    repair()
    before = fingerprints()
    second = repair()
    assert not any(second.mended.values())
    assert not second.changes.exists()
    assert fingerprints() == before


def test_undone_every_row_is_as_it_was(truth: Truth) -> None:
    before, events = fingerprints(), Event.objects.count()
    run = repair()
    assert fingerprints() != before
    done = undo_run(run)
    assert fingerprints() == before
    assert Event.objects.count() == events
    assert (done.left, latest_run()) == (0, None)


def test_what_was_changed_since_is_not_undone(truth: Truth) -> None:
    run = repair(["report_missing"])
    changed = next(iter(truth.broken["report_missing"]))
    Diagnosis.objects.filter(pk=changed).update(report={"mine": True})
    done = undo_run(run)
    assert done.left == 1
    assert Diagnosis.objects.get(pk=changed).report == {"mine": True}


def test_interrupted_it_goes_on_with_the_same_journal(truth: Truth) -> None:
    before = fingerprints()

    def interrupt(name: str, rows: int) -> None:
        if name == "counts_wrong":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        repair(on_progress=interrupt)
    run = repair()
    assert RepairRun.objects.count() == 1
    assert run.mended["counts_wrong"] == run.mended["report_missing"] == BROKEN // len(DEFECT_NAMES)
    assert not any(one.count for one in find_defects())
    undo_run(run)
    assert fingerprints() == before


def test_what_was_mended_can_be_shown(truth: Truth) -> None:
    repair()
    for pk in truth.diagnoses - truth.broken["duplicate"]:
        diagnosis = Diagnosis.objects.get(pk=pk)
        assert diagnosis.is_final and diagnosis.finished_at and diagnosis.stream.is_closed
        assert diagnosis_detail_json(diagnosis)["percent"] == 100
        report = report_json(diagnosis)
        assert report["valid"] == diagnosis.valid == diagnosis.answers.filter(state=AnswerState.VALID).count()
        assert all(isinstance(brand["is_own"], bool) for brand in report["brands"])


def test_a_state_follows_its_answers(truth: Truth) -> None:
    repair()
    states = {name: set(Diagnosis.objects.filter(pk__in=truth.broken[name]).values_list("status", flat=True))
              for name in ("running_complete", "running_forever", "report_empty")}  # fmt: skip
    assert states == {
        "running_complete": {Status.COMPLETED},
        "running_forever": {Status.TIMED_OUT},
        "report_empty": {Status.FAILED},
    }


def test_times_follow_each_other_after_their_mend(truth: Truth) -> None:
    repair(["times_mixed"])
    for diagnosis in Diagnosis.objects.filter(pk__in=truth.broken["times_mixed"]):
        assert diagnosis.started_at and diagnosis.finished_at
        assert (diagnosis.finished_at - diagnosis.created_at).total_seconds() == 70
        assert (diagnosis.started_at - diagnosis.created_at).total_seconds() == 1
        for answer in diagnosis.answers.all():
            assert answer.answered_at
            assert diagnosis.started_at < answer.answered_at < diagnosis.finished_at


def test_competitors_are_looked_for_in_the_answers(truth: Truth) -> None:
    repair(["competitors_lost"])
    for diagnosis in Diagnosis.objects.filter(pk__in=truth.broken["competitors_lost"]):
        assert [brand.name for brand in diagnosis.brands.all()] == ["山岚", "木石坊", "一盏"]
        named = {mention[0] for answer in diagnosis.answers.all() for mention in answer.mentions}
        said = "".join(answer.text for answer in diagnosis.answers.all())
        assert named == {name for name in ("山岚", "木石坊", "一盏") if name in said}


def test_an_answer_without_its_question_takes_the_place_that_is_free(truth: Truth) -> None:
    repair(["blank_origin"])
    texts = set()
    for diagnosis in Diagnosis.objects.filter(pk__in=truth.broken["blank_origin"]):
        texts |= {question.text for question in diagnosis.questions.all()}
        assert diagnosis.answers.filter(state=AnswerState.VALID).count() == diagnosis.planned == 4
        assert not diagnosis.answers.filter(platform="blank").exists()
    assert texts == {*QUESTIONS, "（原记录中没有问题）"}


def test_the_journal_holds_every_row_of_a_removed_duplicate(truth: Truth) -> None:
    repair(["duplicate"])
    gone = truth.broken["duplicate"]
    assert not Diagnosis.objects.filter(pk__in=gone).exists()
    kept = RepairChange.objects.filter(after__isnull=True)
    assert kept.filter(model="diagnosis.diagnosis").count() == len(gone)
    assert kept.filter(model="diagnosis.answer").count() == 4 * len(gone)


def test_the_command_looks_mends_and_takes_back(truth: Truth, capsys: pytest.CaptureFixture[str]) -> None:
    before = fingerprints()
    call_command("repair_history")
    assert "nothing was changed: --apply mends them" in capsys.readouterr().out
    call_command("repair_history", "--apply", "--only", "counts_wrong")
    assert f"{BROKEN // len(DEFECT_NAMES)}  counts_wrong mended" in capsys.readouterr().out
    call_command("repair_history", "--undo")
    assert "rows are as they were before" in capsys.readouterr().out
    assert fingerprints() == before
