"""Quotas of unfinished diagnoses: the response has a wait, and nothing is stored."""

import pytest
from django.contrib.auth.models import AbstractUser
from django.test import Client
from pytest_django import Settings

from diagnosis.choices import FailureReason
from diagnosis.models import Diagnosis, Platform
from diagnosis.tests.orders.test_request_bounds import build_request_body, post_diagnosis
from progress.models import Stream
from testing.data.diagnoses import make_diagnosis, make_failed_result, make_valid_result, run_and_end


@pytest.fixture(autouse=True)
def small(settings: Settings) -> None:
    settings.MAX_UNFINISHED_DIAGNOSES, settings.MAX_UNFINISHED_PER_OWNER = 3, 2


def _assert_refused(response: object, status: int, code: str, title: str) -> None:
    assert response.status_code == status  # type: ignore[attr-defined]
    body = response.json()  # type: ignore[attr-defined]
    assert (body["code"], body["copy"]["title"], body["retryable"]) == (code, title, True)
    assert (response["Retry-After"], body["retry_after_ms"]) == ("30", 30_000)  # type: ignore[index]


@pytest.mark.usefixtures("platform")
def test_exceeding_the_owners_quota_is_429(client: Client) -> None:
    assert [post_diagnosis(client, build_request_body()).status_code for _ in range(2)] == [202, 202]
    _assert_refused(post_diagnosis(client, build_request_body()), 429, "TOO_MANY_UNFINISHED", "进行中的诊断已到上限")
    assert (Diagnosis.objects.count(), Stream.objects.count()) == (2, 2)


@pytest.mark.usefixtures("platform")
def test_exceeding_the_sites_quota_is_503(client: Client, client_of_stranger: Client) -> None:
    for sender in (client, client, client_of_stranger):
        assert post_diagnosis(sender, build_request_body()).status_code == 202
    _assert_refused(post_diagnosis(client_of_stranger, build_request_body()), 503, "QUEUE_FULL", "排队的诊断太多")
    _assert_refused(
        post_diagnosis(client_of_stranger, build_request_body(), "en"), 503, "QUEUE_FULL", "The queue is full"
    )
    assert Diagnosis.objects.count() == 3


@pytest.mark.usefixtures("platform")
def test_repeated_request_is_answered_even_if_quotas_are_exhausted(client: Client) -> None:
    first, _ = (post_diagnosis(client, build_request_body(), **{"Idempotency-Key": key}) for key in ("k1", "k2"))
    again = post_diagnosis(client, build_request_body(), **{"Idempotency-Key": "k1"})
    assert (again.status_code, again.json()) == (200, first.json())


def test_ended_diagnosis_frees_its_place(client: Client, owner: AbstractUser, platform: Platform) -> None:
    first, _ = (make_diagnosis(owner, [platform]) for _ in range(2))
    assert post_diagnosis(client, build_request_body()).status_code == 429
    run_and_end(first, make_valid_result())
    assert post_diagnosis(client, build_request_body()).status_code == 202


def test_quota_applies_to_retries(client: Client, owner: AbstractUser, platform: Platform) -> None:
    source = run_and_end(
        make_diagnosis(owner, [platform], questions=["甲？", "乙？"]),
        make_valid_result(),
        make_failed_result(FailureReason.TIMEOUT),
    )
    for _ in range(2):
        make_diagnosis(owner, [platform])
    again = client.post(f"/api/diagnoses/{source.pk}/retry")
    _assert_refused(again, 429, "TOO_MANY_UNFINISHED", "进行中的诊断已到上限")


@pytest.mark.usefixtures("platform")
def test_zero_means_unlimited(client: Client, settings: Settings) -> None:
    settings.MAX_UNFINISHED_DIAGNOSES = settings.MAX_UNFINISHED_PER_OWNER = 0
    assert {post_diagnosis(client, build_request_body()).status_code for _ in range(4)} == {202}
