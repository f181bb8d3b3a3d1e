"""Fair turns: an account that orders much delays only itself."""

import asyncio
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import AbstractUser
from procrastinate.contrib.django.models import ProcrastinateJob

from diagnosis.models import Diagnosis, Platform
from diagnosis.orders.services import cancel_diagnosis
from diagnosis.running.dispatch import requeue_orphans
from diagnosis.running.runner import run_diagnosis
from performance.call_limits import CallLimits, CallSlot, Limits, Wait
from testing.data.diagnoses import make_diagnosis, make_platform, make_valid_result, run_and_end
from testing.fakes.platform import FakePlatform, hold_response
from testing.services import RedisServer, wait_until


def _find_enqueued(*diagnoses: Diagnosis) -> list[int]:
    """Return the numbers of the diagnoses that have a job, in the order in which workers fetch them."""
    jobs = ProcrastinateJob.objects.filter(status="todo").order_by("-priority", "id")
    numbers = {str(diagnosis.pk): number for number, diagnosis in enumerate(diagnoses)}
    return [numbers[job.args["diagnosis_id"]] for job in jobs if job.args.get("diagnosis_id") in numbers]


@pytest.mark.django_db
def test_an_account_with_many_orders_takes_turns_with_others(
    owner: AbstractUser, stranger: AbstractUser, settings: Any
) -> None:
    settings.MAX_RUNNING_PER_OWNER = 2
    platform = make_platform()
    flood = [make_diagnosis(owner, [platform]) for _ in range(5)]
    other = make_diagnosis(stranger, [platform])
    assert _find_enqueued(*flood, other) == [0, 1, 5]
    run_and_end(flood[0], make_valid_result())
    ProcrastinateJob.objects.filter(pk=flood[0].job_id).update(status="succeeded")
    assert _find_enqueued(*flood, other) == [1, 5, 2]
    cancel_diagnosis(flood[3])  # waits itself: its end makes no room
    cancel_diagnosis(flood[1])
    assert _find_enqueued(*flood, other) == [5, 2, 4]
    assert requeue_orphans() == 0


@pytest.mark.django_db
def test_lost_jobs_are_enqueued_again_within_the_limit(owner: AbstractUser, settings: Any) -> None:
    settings.MAX_RUNNING_PER_OWNER = 2
    diagnoses = [make_diagnosis(owner, [make_platform()]) for _ in range(1)]
    diagnoses += [make_diagnosis(owner, list(Platform.objects.all())) for _ in range(4)]
    ProcrastinateJob.objects.filter(task_name="diagnosis.run").update(status="failed")
    assert requeue_orphans() == 2
    assert _find_enqueued(*diagnoses) == [0, 1]
    # One that had begun has its deadline, and needs no room.
    Diagnosis.objects.filter(pk=diagnoses[4].pk).update(started_at=diagnoses[4].created_at)
    assert requeue_orphans() == 1
    assert _find_enqueued(*diagnoses) == [4, 0, 1]


LIMITS = Limits(4, 8, max_share=0.75)


@pytest.mark.redis
@pytest.mark.parametrize("uses_redis", [False, True])
async def test_a_group_takes_only_its_share_of_the_limits(redis_server: RedisServer, uses_redis: bool) -> None:
    limits = CallLimits("share", redis_server.url if uses_redis else "")
    mine = [await limits.try_acquire(LIMITS, "7") for _ in range(4)]
    assert [isinstance(acquired, CallSlot) for acquired in mine] == [True] * 3 + [False]
    assert isinstance(mine[3], Wait)
    assert mine[3].is_for_group
    other = await limits.try_acquire(LIMITS, "77")
    assert isinstance(other, CallSlot)
    full = await limits.try_acquire(LIMITS, "78")
    assert isinstance(full, Wait)
    assert not full.is_for_group
    for slot in [*mine[:3], other]:
        assert isinstance(slot, CallSlot)
        await limits.release(slot, was_made=slot is not mine[0])
    for _ in range(4):  # of six a minute, two were made
        slot = await limits.try_acquire(LIMITS, "7")
        assert isinstance(slot, CallSlot)
        await limits.release(slot)
    waits = await limits.try_acquire(LIMITS, "7")
    assert isinstance(waits, Wait)
    assert waits.is_for_group
    assert 50 < waits.seconds <= 60
    assert isinstance(await limits.try_acquire(LIMITS, "77"), CallSlot)


@pytest.mark.django_db(transaction=True)
def test_slow_calls_of_one_account_leave_room_for_another(
    owner: AbstractUser, stranger: AbstractUser, fake: FakePlatform
) -> None:
    fake.set_behaviour(hold_response())
    platform = make_platform(base_url=fake.base_url, concurrency=4)
    flood = [make_diagnosis(owner, [platform], questions=[f"占 {n}-{i}" for i in range(4)]) for n in range(3)]
    other = make_diagnosis(stranger, [platform], questions=["别人的问题？"])

    async def run_all() -> None:
        running = [asyncio.create_task(run_diagnosis(diagnosis.pk)) for diagnosis in flood]
        await asyncio.to_thread(fake.wait_for_calls, 3)
        running.append(asyncio.create_task(run_diagnosis(other.pk)))
        wait = sync_to_async(wait_until, thread_sensitive=False)
        await wait(lambda: fake.count(question="别人的问题？") == 1, "the call of the other account")
        assert fake.count() == 4
        fake.release()
        await asyncio.gather(*running)

    asyncio.run(run_all())
