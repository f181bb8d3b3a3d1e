"""A worker is stalled only if a second check finds the same old heartbeat."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from unittest.mock import AsyncMock

import pytest
from asgiref.sync import async_to_sync
from django.db import OperationalError, connection
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from diagnosis.running import queue

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    monkeypatch.setattr(queue, "_first_seen_stale", {})
    now = [1000.0]
    monkeypatch.setattr("diagnosis.running.queue.time.monotonic", lambda: now[0])
    return now


def _show_heartbeat(seconds_ago: float) -> None:
    with connection.cursor() as cursor:
        at = timezone.now() - timedelta(seconds=seconds_ago)
        cursor.execute("UPDATE procrastinate_workers SET last_heartbeat = %s", [at])


@pytest.fixture
def job() -> Iterator[int]:
    """A job that a worker is running."""
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO procrastinate_workers DEFAULT VALUES RETURNING id")
        (worker,) = cursor.fetchone()
        cursor.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, args, status, worker_id)"
            " VALUES ('diagnoses', 'diagnosis.run', '{}', 'doing', %s) RETURNING id",
            [worker],
        )
        (job_id,) = cursor.fetchone()
    yield int(job_id)
    ProcrastinateJob.objects.filter(pk=job_id).update(status="failed")  # its tables are not emptied between tests


def _check() -> list[int]:
    return async_to_sync(queue.fail_stalled_jobs)(10, 4)


def test_jobs_of_a_stalled_worker_fail_at_the_second_check(job: int, clock: list[float]) -> None:
    _show_heartbeat(seconds_ago=11)
    assert _check() == []
    clock[0] += 3.9
    assert _check() == []
    clock[0] += 0.1
    assert _check() == [job]
    assert ProcrastinateJob.objects.get(pk=job).status == "failed"
    assert _check() == []


def test_worker_delayed_by_an_outage_is_not_stalled(job: int, clock: list[float]) -> None:
    """Repeated database outages, without a check between them."""
    for pause in (20, 21, 22):
        _show_heartbeat(seconds_ago=pause)
        assert _check() == []
        clock[0] += 20
    _show_heartbeat(seconds_ago=0)
    assert _check() == []
    assert ProcrastinateJob.objects.get(pk=job).status == "doing"


def test_check_delayed_by_the_database_counts_as_the_first(
    job: int, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two outages, so close that no heartbeat is sent between them."""
    _show_heartbeat(seconds_ago=11)
    assert _check() == []
    ask = queue._transactional_app.job_manager.get_stalled_jobs

    async def held_up(**options: Any) -> Any:
        clock[0] += 20
        return await ask(**options)

    with monkeypatch.context() as patch:
        patch.setattr(queue._transactional_app.job_manager, "get_stalled_jobs", held_up)
        assert _check() == []
    clock[0] += 3.9
    assert _check() == []
    clock[0] += 0.1
    assert _check() == [job]


def test_failed_check_does_not_count(job: int, clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    _show_heartbeat(seconds_ago=11)
    assert _check() == []
    clock[0] += 20
    with monkeypatch.context() as patch:
        patch.setattr(queue._transactional_app.job_manager, "get_stalled_jobs", AsyncMock(side_effect=OperationalError))
        with pytest.raises(OperationalError):
            _check()
    assert _check() == []
    clock[0] += 4
    assert _check() == [job]
