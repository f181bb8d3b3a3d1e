"""Cancelling reaches the current job of a diagnosis."""

import pytest
from django.contrib.auth.models import AbstractUser
from procrastinate.contrib.django.models import ProcrastinateJob

from diagnosis.models import Diagnosis
from diagnosis.orders.services import cancel_diagnosis
from diagnosis.running import dispatch, queue
from testing.data.diagnoses import make_diagnosis, make_platform


@pytest.mark.django_db
def test_cancel_removes_the_current_job_of_a_requeued_diagnosis(owner: AbstractUser) -> None:
    as_it_was = make_diagnosis(owner, [make_platform()])
    queue.abort_run(as_it_was.job_id)
    assert dispatch.requeue_orphans() == 1
    cancel_diagnosis(as_it_was)
    job = ProcrastinateJob.objects.get(pk=Diagnosis.objects.get(pk=as_it_was.pk).job_id)
    assert (job.pk != as_it_was.job_id, job.status) == (True, "cancelled")
