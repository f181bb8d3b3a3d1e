"""The same Idempotency-Key and body return the same diagnosis."""

import threading
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser
from django.db import connection
from django.test import Client

from diagnosis.models import Diagnosis, Platform
from diagnosis.orders.services import DiagnosisRequest, RequestContext, RequestedBrand, create_diagnosis
from diagnosis.tests.conftest import make_signed_in_client
from diagnosis.tests.orders.test_request_bounds import build_request_body, post_diagnosis
from progress.models import Stream
from testing.data.diagnoses import make_platform


@pytest.mark.usefixtures("platform")
class TestOneKey:
    def test_with_the_same_body_returns_the_same_response(self, client: Client) -> None:
        first = post_diagnosis(client, build_request_body(), **{"Idempotency-Key": "k1"})
        again = post_diagnosis(client, build_request_body(), **{"Idempotency-Key": "k1"})
        assert (first.status_code, again.status_code) == (202, 200)
        assert first.json() == again.json()
        assert (Diagnosis.objects.count(), Stream.objects.count(), _jobs()) == (1, 1, 1)

    def test_with_equivalent_json_returns_the_same_response(self, client: Client) -> None:
        post_diagnosis(client, build_request_body(), **{"Idempotency-Key": "k1"})
        again = post_diagnosis(
            client, build_request_body(brand=" 山岚 ", aliases=[], repeats=1), **{"Idempotency-Key": "k1"}
        )
        assert again.status_code == 200

    @pytest.mark.parametrize("changes", [{"brand": "木石坊"}, {"repeats": 2}, {"questions": ["别的？"]}])
    def test_with_a_different_body_is_a_conflict(self, client: Client, changes: dict[str, Any]) -> None:
        post_diagnosis(client, build_request_body(), **{"Idempotency-Key": "k1"})
        other = post_diagnosis(client, build_request_body(**changes), **{"Idempotency-Key": "k1"})
        assert (other.status_code, other.json()["code"]) == (409, "CONFLICT")
        assert "Idempotency-Key" in other.json()["fields"]
        assert Diagnosis.objects.count() == 1

    def test_is_scoped_to_the_user(self, client: Client, client_of_stranger: Client) -> None:
        first = post_diagnosis(client, build_request_body(), **{"Idempotency-Key": "k1"})
        other = post_diagnosis(client_of_stranger, build_request_body(), **{"Idempotency-Key": "k1"})
        assert (first.status_code, other.status_code) == (202, 202)
        assert first.json()["id"] != other.json()["id"]

    def test_returns_its_diagnosis_after_the_platform_was_disabled(self, client: Client) -> None:
        first = post_diagnosis(client, build_request_body(), **{"Idempotency-Key": "k1"})
        Platform.objects.update(is_enabled=False)
        again = post_diagnosis(client, build_request_body(), **{"Idempotency-Key": "k1"})
        assert (again.status_code, again.json()) == (200, first.json())

    def test_is_not_consumed_by_a_rejected_request(self, client: Client) -> None:
        assert (
            post_diagnosis(client, build_request_body(platforms=["missing"]), **{"Idempotency-Key": "k1"}).status_code
            == 422
        )
        assert post_diagnosis(client, build_request_body(), **{"Idempotency-Key": "k1"}).status_code == 202

    @pytest.mark.parametrize(("key", "why"), [("", "至少 1 个字。"), ("k" * 129, "最多 128 个字。")])
    def test_of_invalid_length_is_named_in_the_error(self, client: Client, key: str, why: str) -> None:
        response = post_diagnosis(client, build_request_body(), **{"Idempotency-Key": key})
        assert (response.status_code, response.json()["fields"]) == (422, {"Idempotency-Key": why})

    def test_with_unstorable_characters_is_rejected(self, client: Client) -> None:
        response = post_diagnosis(client, build_request_body(), **{"Idempotency-Key": "k\x00k"})
        assert (response.status_code, list(response.json()["fields"])) == (422, ["Idempotency-Key"])


@pytest.mark.usefixtures("platform")
def test_request_without_a_key_creates_a_new_diagnosis(client: Client) -> None:
    first, second = (
        post_diagnosis(client, build_request_body()).json(),
        post_diagnosis(client, build_request_body()).json(),
    )
    assert first["id"] != second["id"]
    assert Diagnosis.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_twenty_concurrent_requests_create_one_diagnosis(owner: AbstractUser) -> None:
    make_platform()
    together = threading.Barrier(20, timeout=180)
    answers: list[tuple[int, str]] = []

    def post_at_once(client: Client) -> None:
        together.wait()  # before anything takes one of the pool's connections
        response = post_diagnosis(client, build_request_body(), **{"Idempotency-Key": "k1"})
        answers.append((response.status_code, response.json()["id"]))
        connection.close()

    threads = [threading.Thread(target=post_at_once, args=[make_signed_in_client(owner)]) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(status for status, _pk in answers) == [200] * 19 + [202]
    assert len({pk for _status, pk in answers}) == 1
    assert (Diagnosis.objects.count(), Stream.objects.count(), _jobs()) == (1, 1, 1)


@pytest.mark.django_db(transaction=True)
def test_failed_transaction_leaves_no_rows(owner: AbstractUser, monkeypatch: pytest.MonkeyPatch) -> None:
    make_platform()

    def broken(*args: Any, **named: Any) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr("diagnosis.running.queue.enqueue_run", broken)
    request = DiagnosisRequest(RequestedBrand("山岚"), ["甲？"], ["fake"])
    with pytest.raises(ZeroDivisionError):
        create_diagnosis(request, RequestContext(owner, "k1"))
    assert (Diagnosis.objects.count(), Stream.objects.count()) == (0, 0)


def _jobs() -> int:
    """Number of queued runs of existing diagnoses."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM procrastinate_jobs JOIN diagnosis_diagnosis d ON args->>'diagnosis_id' = d.id::text"
        )
        row = cursor.fetchone()
    assert row
    return int(row[0])
