"""Two runs of one diagnosis, for the first was taken for dead: what one has stored the other does not ask for."""

import asyncio

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import AbstractUser

from diagnosis import transitions
from diagnosis.choices import Status
from diagnosis.exceptions import RunOver
from diagnosis.models import Diagnosis
from diagnosis.run import run_diagnosis
from diagnosis.tests.rows import make_diagnosis, make_platform, valid
from diagsite.tests.fake_platform import FakePlatform, hold
from diagsite.tests.services import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


def _two_questions(owner: AbstractUser, fake: FakePlatform) -> Diagnosis:
    """Of which the second waits until the first is answered, which is on release."""
    fake.behave(hold())
    return make_diagnosis(owner, [make_platform(base_url=fake.base_url, concurrency=1)], questions=["甲？", "乙？"])


async def _while_the_first_is_asked(diagnosis: Diagnosis, fake: FakePlatform, then: object) -> None:
    running = asyncio.create_task(run_diagnosis(diagnosis.pk))
    await asyncio.to_thread(wait_until, lambda: fake.count() == 1, "the first call")
    await sync_to_async(then, thread_sensitive=False)()  # type: ignore[call-overload]
    fake.release()
    await running


def test_a_question_that_the_older_run_has_answered_meanwhile_is_not_asked(
    owner: AbstractUser, fake: FakePlatform
) -> None:
    diagnosis = _two_questions(owner, fake)
    older = transitions.begin_run(diagnosis.pk)
    assert older
    second = older.calls[1]

    def store_late() -> None:
        with pytest.raises(RunOver):
            transitions.settle_answers(older, [(second, valid())])

    asyncio.run(_while_the_first_is_asked(diagnosis, fake, store_late))
    assert (fake.count(question="甲？"), fake.count(question="乙？")) == (1, 0)
    assert Diagnosis.objects.get(pk=diagnosis.pk).status == Status.COMPLETED


def test_a_run_that_has_a_successor_asks_nothing_more(owner: AbstractUser, fake: FakePlatform) -> None:
    diagnosis = _two_questions(owner, fake)
    asyncio.run(_while_the_first_is_asked(diagnosis, fake, lambda: transitions.begin_run(diagnosis.pk)))
    assert fake.count() == 1
    assert Diagnosis.objects.get(pk=diagnosis.pk).status == Status.ASKING
