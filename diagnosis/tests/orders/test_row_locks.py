"""A request does not hold its database connection while another one holds the rows that it wants."""

import json
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser
from django.db import OperationalError, connection, transaction
from django.test import Client

from diagnosis.corrections.services import add_competitor
from diagnosis.models import Answer, Correction, Diagnosis, Platform, Schedule, ShareLink
from diagnosis.orders.services import RequestedBrand
from diagnosis.row_locks import brief_transaction
from testing.data.diagnoses import make_diagnosis, make_failed_result, make_valid_result, run_and_end

pytestmark = pytest.mark.django_db(transaction=True)

SCHEDULE = {"every": "weekly", "weekday": 0, "time": "09:00", "budget_calls": 1000, "budget_money": "100"}
MAX_SECONDS = 3.0  # on a busy machine; the lock is held longer


@pytest.fixture
def diagnosis(owner: AbstractUser, platform: Platform) -> Diagnosis:
    order = make_diagnosis(
        owner, [platform], brand="苹果", competitors=[RequestedBrand("木石坊")], questions=["甲？", "乙？"]
    )
    return run_and_end(order, make_valid_result("苹果手机好。"), make_failed_result())


@contextmanager
def _all_rows_locked() -> Iterator[None]:
    """Hold the rows of diagnoses, answers and users in another transaction, as a slow request would."""
    is_locked, is_over = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            for table in ("diagnosis_diagnosis", "diagnosis_answer", "diagsite_user"):
                cursor.execute(f"SELECT 1 FROM {table} FOR UPDATE")
            is_locked.set()
            is_over.wait(180)
        connection.close()

    holder = threading.Thread(target=hold)
    holder.start()
    assert is_locked.wait(180)
    try:
        yield
    finally:
        is_over.set()
        holder.join()


def _build_changes(client: Client, diagnosis: Diagnosis) -> dict[str, tuple[str, str, dict[str, Any]]]:
    """Return {name: (method, path, body)} of every request that locks rows."""
    base = f"/api/diagnoses/{diagnosis.pk}"
    (answer,) = Answer.objects.filter(diagnosis=diagnosis, state="valid")
    brand, start, end = answer.mentions[0][:3]
    correction = diagnosis.corrections.create(kind=Correction.Kind.ALIAS, brand="苹果", alias="旧")
    span = {"answer": str(answer.pk), "brand": brand, "start": start, "end": end}
    add_competitor(diagnosis, "加的")
    running = make_diagnosis(diagnosis.owner, list(Platform.objects.all()), questions=["丙？"])
    return {
        "confirm": ("POST", f"{base}/corrections", {"kind": "confirm", **span}),
        "alias": ("POST", f"{base}/corrections", {"kind": "alias", "brand": "苹果", "alias": "PINGGUO"}),
        "undo": ("DELETE", f"{base}/corrections/{correction.public_id}", {}),
        "add a competitor": ("POST", f"{base}/competitors", {"name": "新牌"}),
        "remove a competitor": ("DELETE", f"{base}/competitors/加的", {}),
        "share": ("POST", f"{base}/shares", {"days": 3}),
        "retry": ("POST", f"{base}/retry", {}),
        "cancel": ("POST", f"/api/diagnoses/{running.pk}/cancel", {}),
        "schedule": ("POST", "/api/schedules", {"diagnosis": str(diagnosis.pk)} | SCHEDULE),
    }


def _count_rows() -> list[int]:
    return [model.objects.count() for model in (Correction, Diagnosis, Schedule, ShareLink)]


def test_no_change_waits_for_rows_that_another_request_holds(client: Client, diagnosis: Diagnosis) -> None:
    changes = _build_changes(client, diagnosis)
    before = _count_rows()

    def send(method: str, path: str, body: dict[str, Any]) -> Any:
        headers = {"Idempotency-Key": uuid.uuid4().hex}
        return client.generic(method, path, json.dumps(body), content_type="application/json", headers=headers)

    with _all_rows_locked():
        for name, change in changes.items():
            started = time.monotonic()
            response = send(*change)
            assert time.monotonic() - started < MAX_SECONDS, name
            assert (response.status_code, response.json()["code"]) == (429, "RATE_LIMITED"), (name, response.content)
            assert int(response["Retry-After"]) == 1, name
        assert _count_rows() == before
    statuses = {name: send(*change).status_code for name, change in changes.items()}
    assert all(status < 300 for status in statuses.values()), statuses


def test_other_errors_of_the_database_are_not_taken_for_a_lock() -> None:
    with pytest.raises(OperationalError), brief_transaction(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 10")
        cursor.execute("SELECT pg_sleep(5)")
