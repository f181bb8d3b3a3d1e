"""Recording of errors: exact counts, sampling, no secrets, no failures."""

import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from django.db import OperationalError, connection, transaction
from django.db.models import Sum
from django.utils import timezone

from errors import recording
from errors.codes import ErrorCode
from errors.exceptions import NotFound
from errors.models import ErrorCount, ErrorEvent
from errors.problems import build_problem
from errors.recording import clean_context, error_recorder, record_error, record_problem

C = ErrorCode
SECRETS = [
    "sk-abcdefghijklmnopqrstuvwxyz",
    "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o",
    "eyJ1c2VyIjoxfQ:1tXyZ1:abcdefghijklmnopqrst",
]


@pytest.fixture(autouse=True)
def empty_recorder() -> Iterator[None]:
    error_recorder.clear()
    yield
    error_recorder.clear()


def raise_and_catch(error: Exception) -> Exception:
    """Return the error with a traceback."""
    try:
        raise error
    except Exception as caught:  # noqa: BLE001 - any exception is a failure here
        return caught


@pytest.mark.django_db
def test_an_error_is_written_with_its_context() -> None:
    diagnosis = uuid.uuid4()
    with structlog.contextvars.bound_contextvars(request_id="7f3a9c01deadbeef", diagnosis=str(diagnosis)):
        body = build_problem(C.DATA_NOT_FOUND, locale="en")
        record_problem(
            body, error=raise_and_catch(NotFound()), platform="doubao", context={"route": "/api/x", "status": 404}
        )
    error_recorder.flush()
    event = ErrorEvent.objects.get()
    assert (event.code, event.outcome, event.platform, event.locale) == ("DATA_NOT_FOUND", "shown", "doubao", "en")
    assert (event.request_id, event.diagnosis_id) == ("7f3a9c01deadbeef", diagnosis)
    assert event.exception == "errors.exceptions.NotFound"
    assert event.place == "errors.tests.test_recording:raise_and_catch"
    assert event.context == {"route": "/api/x", "status": 404}
    assert str(event) == "DATA_NOT_FOUND 7f3a9c01"


@pytest.mark.django_db
def test_ten_thousand_equal_errors_are_sampled_and_counted_exactly() -> None:
    def flood() -> None:
        for number in range(2500):
            record_error(C.NETWORK_ERROR, error=raise_and_catch(ConnectionResetError()), request_id=f"request-{number}")

    threads = [threading.Thread(target=flood) for _ in range(4)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(f"record: {(time.perf_counter() - started) / 10_000 * 1e6:.0f} us each, from 4 threads")
    error_recorder.flush()
    assert ErrorCount.objects.aggregate(total=Sum("count"))["total"] == 10_000
    assert ErrorCount.objects.count() <= 2, "one group, on either side of an hour's end"
    assert recording.MAX_UNSAMPLED_EVENTS <= ErrorEvent.objects.count() <= 2 * (recording.MAX_UNSAMPLED_EVENTS + 8)


@pytest.mark.django_db
def test_the_number_of_different_errors_is_limited() -> None:
    for number in range(recording.MAX_TRACKED_GROUPS + 500):
        record_error(C.SERVER_ERROR, place=f"module:{number}")
    error_recorder.flush()
    assert ErrorCount.objects.aggregate(total=Sum("count"))["total"] == recording.MAX_TRACKED_GROUPS + 500
    assert ErrorCount.objects.count() <= recording.MAX_TRACKED_GROUPS + 2
    assert ErrorEvent.objects.count() <= recording.MAX_PENDING_EVENTS


@pytest.mark.django_db
def test_counts_of_several_flushes_are_added() -> None:
    for _ in range(3):
        record_error(C.CONFLICT)
        error_recorder.flush()
    record_error(C.CONFLICT, outcome="retried")
    error_recorder.flush()
    assert sorted(ErrorCount.objects.values_list("outcome", "count")) == [("retried", 1), ("shown", 3)]


@pytest.mark.django_db(transaction=True)
def test_errors_are_recorded_when_the_transaction_is_rolled_back_or_broken() -> None:
    with pytest.raises(OperationalError), transaction.atomic():
        ErrorCount.objects.create(code="X", fingerprint="x", outcome="shown", hour=timezone.now())
        record_error(C.SERVER_ERROR, error=raise_and_catch(OperationalError("gone")))
        raise OperationalError("gone")
    error_recorder.flush()
    assert ErrorEvent.objects.get().code == "SERVER_ERROR"
    assert list(ErrorCount.objects.values_list("code", flat=True)) == ["SERVER_ERROR"]


@pytest.mark.django_db(transaction=True)
def test_errors_are_kept_while_the_table_is_unavailable() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE errors_errorevent RENAME TO away")
    try:
        for _ in range(7):
            record_error(C.NETWORK_TIMEOUT)
        with pytest.raises(Exception, match="errors_errorevent"):
            error_recorder.flush()
        record_error(C.NETWORK_TIMEOUT)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE away RENAME TO errors_errorevent")
    error_recorder.flush()
    assert ErrorCount.objects.get().count == 8
    assert ErrorEvent.objects.count() == 8


def test_recording_never_raises() -> None:
    class Odd(Exception):
        @property
        def __traceback__(self) -> Any:  # type: ignore[override]
            raise RuntimeError("odd")

    record_error(C.SERVER_ERROR, error=Odd(), context={"status": object()}, diagnosis_id="not a uuid")
    record_error(C.SERVER_ERROR, request_id="x" * 1000, platform="y" * 1000)


@pytest.mark.django_db
@pytest.mark.parametrize("secret", SECRETS)
def test_secrets_are_not_recorded(secret: str) -> None:
    record_error(
        C.AI_PLATFORM_ERROR,
        error=raise_and_catch(RuntimeError(f"refused key {secret}")),
        context={"reason": f"said {secret}", "fields": [secret], "text": "the answer", "token": secret, secret: "x"},
    )
    error_recorder.flush()
    with connection.cursor() as cursor:
        cursor.execute("SELECT row_to_json(e)::text FROM errors_errorevent e")
        stored = cursor.fetchone()[0]
    assert secret not in stored
    assert "the answer" not in stored
    assert "***" in stored


def test_context_values_are_shortened() -> None:
    kept = clean_context({"reason": "很" * 5000, "fields": ["字" * 500] * 500, "status": 500, "other": 1})
    assert len(str(kept)) < 2000
    assert set(kept) == {"reason", "fields", "status"}


@pytest.mark.django_db
@pytest.mark.parametrize(
    "poison",
    [
        {"place": "a\x00b"},
        {"platform": "\x00"},
        {"request_id": "\ud800"},
        {"locale": "x" * 300},
        {"context": {"attempts": float("nan")}},
        {"context": {"attempts": float("inf"), "fields": ["\x00", "\udfff"]}},
        {"revision": 10**12},
        {"outcome": "neither of the three"},
    ],
)
def test_a_poisoned_record_does_not_block_the_others(poison: dict[str, Any]) -> None:
    record_error(C.CONFLICT, request_id="before")
    record_error(C.SERVER_ERROR, **poison)
    record_error(C.CONFLICT, request_id="after")
    error_recorder.flush()
    assert ErrorCount.objects.get(code=C.CONFLICT).count == 2
    assert set(ErrorEvent.objects.filter(code=C.CONFLICT).values_list("request_id", flat=True)) == {"before", "after"}
    record_error(C.DATA_NOT_FOUND)
    error_recorder.flush()
    assert ErrorEvent.objects.filter(code=C.DATA_NOT_FOUND).count() == 1
