"""Two runs of one diagnosis: neither repeats what the other has stored."""

import asyncio
from datetime import timedelta

import psutil
import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import AbstractUser
from django.db import connection
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from diagnosis.choices import DiagnosisStatus
from diagnosis.exceptions import RunSuperseded
from diagnosis.models import Diagnosis
from diagnosis.running import state_machine
from diagnosis.running.dispatch import requeue_orphans
from diagnosis.running.recovery import expire_overdue
from diagnosis.running.runner import run_diagnosis
from testing.data.diagnoses import make_diagnosis, make_platform, make_valid_result
from testing.fakes.platform import FakePlatform, hold_response
from testing.services import get_database_url, wait_until
from testing.site import SiteProcess

pytestmark = pytest.mark.django_db(transaction=True)


def _make_two_questions(owner: AbstractUser, fake: FakePlatform) -> Diagnosis:
    """The second call waits for the first, which is answered on release."""
    fake.set_behaviour(hold_response())
    return make_diagnosis(owner, [make_platform(base_url=fake.base_url, concurrency=1)], questions=["甲？", "乙？"])


# A decision to call may be that old (diagnosis/running/admission.py).
ADMISSION_DELAY_SECONDS = 1.0


async def _run_during_first_call(diagnosis: Diagnosis, fake: FakePlatform, then: object) -> None:
    running = asyncio.create_task(run_diagnosis(diagnosis.pk))
    await asyncio.to_thread(wait_until, lambda: fake.count() == 1, "the first call")
    await sync_to_async(then, thread_sensitive=False)()  # type: ignore[call-overload]
    await asyncio.sleep(ADMISSION_DELAY_SECONDS)
    fake.release()
    await running


def test_answer_stored_by_the_older_run_is_not_requested_again(owner: AbstractUser, fake: FakePlatform) -> None:
    diagnosis = _make_two_questions(owner, fake)
    older = state_machine.begin_run(diagnosis.pk)
    assert older
    second = older.calls[1]

    def store_late() -> None:
        with pytest.raises(RunSuperseded):
            state_machine.record_answers(older, [(second, make_valid_result())])

    asyncio.run(_run_during_first_call(diagnosis, fake, store_late))
    assert (fake.count(question="甲？"), fake.count(question="乙？")) == (1, 0)
    assert Diagnosis.objects.get(pk=diagnosis.pk).status == DiagnosisStatus.COMPLETED


def test_run_whose_job_has_failed_makes_no_more_calls(owner: AbstractUser, fake: FakePlatform) -> None:
    """Even before its successor has begun; and it does not end the diagnosis."""
    diagnosis = _make_two_questions(owner, fake)

    def fail_job() -> None:
        ProcrastinateJob.objects.filter(pk=diagnosis.job_id).update(status="failed")

    asyncio.run(_run_during_first_call(diagnosis, fake, fail_job))
    assert fake.count() == 1
    after = Diagnosis.objects.get(pk=diagnosis.pk)
    assert (after.status, after.valid) == (DiagnosisStatus.ASKING, 1)


def test_run_makes_no_more_calls_after_the_diagnosis_was_requeued(owner: AbstractUser, fake: FakePlatform) -> None:
    diagnosis = _make_two_questions(owner, fake)

    def hand_over() -> None:
        ProcrastinateJob.objects.filter(pk=diagnosis.job_id).update(status="failed")
        assert requeue_orphans() == 1

    asyncio.run(_run_during_first_call(diagnosis, fake, hand_over))
    assert fake.count() == 1
    assert Diagnosis.objects.get(pk=diagnosis.pk).status == DiagnosisStatus.ASKING


SUSPEND_IN_TRANSACTION = """
import os, signal
from django.db import transaction
from diagnosis.models import Diagnosis
with transaction.atomic():
    Diagnosis.objects.select_for_update().get()
    os.kill(os.getpid(), signal.SIGSTOP)
"""


def test_transaction_of_a_suspended_process_is_ended(owner: AbstractUser) -> None:
    diagnosis = make_diagnosis(owner, [make_platform()])
    Diagnosis.objects.update(deadline_at=timezone.now() - timedelta(minutes=1))
    address = get_database_url(connection.settings_dict["NAME"])
    with SiteProcess(["shell", "-c", SUSPEND_IN_TRANSACTION], address, DATABASE_IDLE_SECONDS="2") as process:
        wait_until(lambda: psutil.Process(process.pid).status() == psutil.STATUS_STOPPED, "the process to be suspended")
        assert expire_overdue() == 1
    assert Diagnosis.objects.get(pk=diagnosis.pk).status == DiagnosisStatus.TIMED_OUT


def test_superseded_run_makes_no_more_calls(owner: AbstractUser, fake: FakePlatform) -> None:
    diagnosis = _make_two_questions(owner, fake)
    asyncio.run(_run_during_first_call(diagnosis, fake, lambda: state_machine.begin_run(diagnosis.pk)))
    assert fake.count() == 1
    assert Diagnosis.objects.get(pk=diagnosis.pk).status == DiagnosisStatus.ASKING
