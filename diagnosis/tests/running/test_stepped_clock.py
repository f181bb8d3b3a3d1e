"""A process whose clock is an hour off uses the database's clock for deadlines, so nothing ends early."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser
from django.utils import timezone

from diagnosis.choices import DiagnosisStatus
from diagnosis.models import Diagnosis, Platform
from diagnosis.running import state_machine
from diagnosis.running.recovery import expire_overdue
from testing.data.diagnoses import make_diagnosis, make_platform, run_diagnoses
from testing.fakes.platform import FakePlatform

_true_now = timezone.now


@pytest.fixture(params=[timedelta(hours=1), timedelta(hours=-1)], ids=["an hour fast", "an hour slow"])
def stepped(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> timedelta:
    """Shift every `timezone.now()` of this process."""
    off: timedelta = request.param
    monkeypatch.setattr(timezone, "now", lambda: _true_now() + off)
    return off


@pytest.fixture
def begun(owner: AbstractUser, platform: Platform) -> Diagnosis:
    """A run that began before the clock was stepped."""
    diagnosis = make_diagnosis(owner, [platform])
    assert state_machine.begin_run(diagnosis.pk)
    return diagnosis


def test_sweep_with_a_stepped_clock_ends_nothing_early(begun: Diagnosis, stepped: timedelta) -> None:
    assert expire_overdue() == 0
    assert Diagnosis.objects.get(pk=begun.pk).status == DiagnosisStatus.ASKING


@pytest.mark.django_db(transaction=True)
def test_continued_run_with_a_stepped_clock_keeps_its_deadline(
    owner: AbstractUser, fake: FakePlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    diagnosis = make_diagnosis(owner, [make_platform(base_url=fake.base_url)])
    state_machine.begin_run(diagnosis.pk)
    monkeypatch.setattr(timezone, "now", lambda: _true_now() + timedelta(hours=1))
    assert [ended.status for ended in run_diagnoses(diagnosis)] == [DiagnosisStatus.COMPLETED]


def test_overdue_diagnosis_is_ended_with_any_clock(begun: Diagnosis, stepped: timedelta) -> None:
    Diagnosis.objects.update(deadline_at=_true_now() - timedelta(minutes=1))
    assert expire_overdue() == 1


def test_deadline_uses_the_database_clock(owner: AbstractUser, platform: Platform, stepped: timedelta) -> None:
    diagnosis = make_diagnosis(owner, [platform])
    state_machine.begin_run(diagnosis.pk)
    left: Any = Diagnosis.objects.get(pk=diagnosis.pk).deadline_at
    assert 500 < (left - _true_now()).total_seconds() <= 600
