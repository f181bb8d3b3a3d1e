"""Unexpected exceptions: a crashed run is repeated a few times; other diagnoses are not affected."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser
from django.utils import timezone

from diagnosis.choices import DiagnosisStatus
from diagnosis.models import Diagnosis
from diagnosis.reports import service
from diagnosis.reports.service import build_minimal_report
from diagnosis.running import recovery, state_machine
from diagnosis.running.results import CallResult
from diagnosis.running.runner import MAX_CRASHES
from errors.codes import ErrorCode
from progress.models import Event
from testing.data.diagnoses import (
    begin_and_record,
    make_diagnosis,
    make_failed_result,
    make_platform,
    make_valid_result,
    run_diagnoses,
)
from testing.fakes.platform import FakePlatform


@pytest.fixture
def broken_report(monkeypatch: pytest.MonkeyPatch) -> None:
    def build_report(*_: Any) -> dict[str, Any]:
        raise ValueError("a bug of ours")

    monkeypatch.setattr(service, "build_report", build_report)


def _last_event(diagnosis: Diagnosis) -> tuple[str, dict[str, Any]]:
    last = Event.objects.filter(stream=diagnosis.stream_id).latest("seq")
    return last.kind, last.data


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("broken_report")
def test_repeatedly_crashing_run_fails_and_keeps_its_answers(owner: AbstractUser, fake: FakePlatform) -> None:
    diagnosis = make_diagnosis(owner, [make_platform(base_url=fake.base_url)], questions=["甲", "乙"])
    for crashes in range(MAX_CRASHES):
        (diagnosis,) = run_diagnoses(diagnosis)
        assert diagnosis.crashes == crashes + 1
        assert diagnosis.is_final == (diagnosis.crashes == MAX_CRASHES)
    assert (diagnosis.status, diagnosis.error_code) == (DiagnosisStatus.FAILED, ErrorCode.SERVER_ERROR)
    assert (diagnosis.valid, fake.count()) == (2, 2)
    kind, data = _last_event(diagnosis)
    assert (kind, data["status"], data["valid"]) == ("complete", DiagnosisStatus.FAILED, 2)


@pytest.mark.django_db
@pytest.mark.usefixtures("broken_report")
@pytest.mark.parametrize("status", [DiagnosisStatus.CANCELLED, DiagnosisStatus.TIMED_OUT])
def test_cancel_and_timeout_end_even_if_the_report_fails(owner: AbstractUser, status: DiagnosisStatus) -> None:
    diagnosis = begin_and_record(make_diagnosis(owner, [make_platform()], questions=["甲", "乙"]), make_valid_result())
    ended = state_machine.end_diagnosis(diagnosis.pk, status)
    assert ended
    assert ended.status == status
    assert ended.report == build_minimal_report(ended)
    assert [ended.report[name] for name in ("planned", "valid", "failed", "filtered", "brands")] == [2, 1, 1, 0, []]


@pytest.mark.django_db
def test_sweep_continues_after_a_diagnosis_that_cannot_be_ended(
    owner: AbstractUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = (make_diagnosis(owner, [platform]) for platform in [make_platform("a"), make_platform("b")])
    Diagnosis.objects.update(deadline_at=timezone.now() - timedelta(minutes=1))
    end = state_machine.end_diagnosis

    def end_diagnosis(pk: Any, *rest: Any) -> Diagnosis | None:
        if pk == bad.pk:
            raise ValueError("a bug of ours")
        return end(pk, *rest)

    monkeypatch.setattr(recovery, "end_diagnosis", end_diagnosis)
    assert recovery.expire_overdue() == 1
    good.refresh_from_db()
    assert good.status == DiagnosisStatus.TIMED_OUT


@pytest.mark.parametrize(
    ("results", "status"),
    [
        ([make_valid_result(), make_valid_result()], DiagnosisStatus.COMPLETED),
        ([make_valid_result(), make_failed_result()], DiagnosisStatus.PARTIAL),
        ([make_failed_result(), make_failed_result()], DiagnosisStatus.FAILED),
        ([make_valid_result()], DiagnosisStatus.TIMED_OUT),
    ],
)
@pytest.mark.parametrize("stage", [DiagnosisStatus.ASKING, DiagnosisStatus.ANALYSING])
def test_diagnosis_with_all_answers_is_not_timed_out_when_its_worker_is_dead(
    owner: AbstractUser, results: list[CallResult], status: DiagnosisStatus, stage: DiagnosisStatus
) -> None:
    diagnosis = begin_and_record(make_diagnosis(owner, [make_platform()], questions=["甲？", "乙？"]), *results)
    Diagnosis.objects.update(deadline_at=timezone.now() - timedelta(minutes=1), status=stage)
    assert recovery.expire_overdue() == 1
    diagnosis.refresh_from_db()
    assert diagnosis.status == status
    assert diagnosis.report is not None
    assert Event.objects.filter(stream=diagnosis.stream, kind="complete").count() == 1
