"""`POST /api/diagnoses/<id>/retry`: a new diagnosis that copies stored answers and repeats failed calls."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser
from django.db import connection
from django.test import Client
from django.utils import timezone

from diagnosis.choices import AnswerState, DiagnosisStatus, FailureReason
from diagnosis.corrections.services import (
    MentionSpan,
    add_alias,
    add_competitor,
    confirm_or_reject_mention,
    undo_correction,
)
from diagnosis.models import Diagnosis, Platform
from diagnosis.orders.services import RequestedBrand
from diagnosis.tests.conftest import make_signed_in_client
from testing.data.diagnoses import (
    begin_and_record,
    make_diagnosis,
    make_failed_result,
    make_platform,
    make_valid_result,
    run_and_end,
    run_diagnoses,
)
from testing.fakes.platform import FakePlatform, respond_with_answer, respond_with_error


def _retry(client: Client, diagnosis: Diagnosis, key: str | None = None) -> Any:
    headers = {} if key is None else {"Idempotency-Key": key}
    return client.post(f"/api/diagnoses/{diagnosis.pk}/retry", headers=headers)


def _new_one(response: Any) -> Diagnosis:
    assert response.status_code == 202, response.content
    return Diagnosis.objects.get(pk=response.json()["id"])


def _mixed(owner: AbstractUser, platform: Platform) -> Diagnosis:
    diagnosis = make_diagnosis(
        owner,
        [platform],
        questions=["甲？", "乙？", "丙？", "丁？"],
        aliases=["SL"],
        competitors=[RequestedBrand("木石坊", ["MSF"])],
    )
    return run_and_end(
        diagnosis,
        make_valid_result("山岚不错"),
        make_failed_result(FailureReason.FILTERED),
        make_failed_result(FailureReason.TIMEOUT),
    )


def test_retry_copies_stored_answers_and_plans_the_failed_ones(
    client: Client, owner: AbstractUser, platform: Platform
) -> None:
    source = _mixed(owner, platform)
    response = _retry(client, source)
    retry = _new_one(response)
    assert response.json()["retry_of"] == str(source.pk)
    assert (retry.planned, retry.valid, retry.filtered, retry.failed, retry.carried_over) == (4, 1, 1, 0, 2)
    rows = retry.answers.order_by("question__position").values_list(
        "question__text", "state", "text", "reason", "is_carried_over", "attempts"
    )
    assert list(rows) == [
        ("甲？", "valid", "山岚不错", "", True, 1),
        ("乙？", "filtered", "", "filtered", True, 3),
        ("丙？", "pending", "", "", False, 0),
        ("丁？", "pending", "", "", False, 0),
    ]
    assert retry.answers.first() != source.answers.first()
    names = retry.brands.values_list("name", "aliases", "is_own")
    assert list(names) == [("山岚", ["SL"], True), ("木石坊", ["MSF"], False)]
    body = client.get(f"/api/diagnoses/{retry.pk}").json()
    assert (body["carried_over"], body["retry_of"]) == (2, str(source.pk))


def test_source_is_unchanged(client: Client, owner: AbstractUser, platform: Platform) -> None:
    source = _mixed(owner, platform)
    before = list(source.answers.values())
    _retry(client, source)
    assert list(source.answers.values()) == before
    assert Diagnosis.objects.get(pk=source.pk).status == DiagnosisStatus.PARTIAL


@pytest.mark.django_db(transaction=True)
def test_only_failed_calls_are_repeated(owner: AbstractUser, client: Client, fake: FakePlatform) -> None:
    fake.set_behaviour(respond_with_answer("山岚"))
    fake.set_behaviour(respond_with_error(400), question="乙？")
    platform = make_platform(base_url=fake.base_url)
    (source,) = run_diagnoses(make_diagnosis(owner, [platform], questions=["甲？", "乙？"]))
    assert source.status == DiagnosisStatus.PARTIAL
    fake.set_behaviour(respond_with_answer("木石坊和山岚"), question="乙？")
    (retry,) = run_diagnoses(_new_one(_retry(client, source)))
    assert (retry.status, retry.valid, retry.carried_over) == (DiagnosisStatus.COMPLETED, 2, 1)
    assert {question: count for (_model, question), count in fake.count_by_question().items()} == {"甲？": 1, "乙？": 2}
    report = client.get(f"/api/diagnoses/{retry.pk}/report").json()
    assert (report["valid"], report["brands"][0]["figures"]["mention_rate"]) == (2, 1.0)


@pytest.mark.parametrize("status", [DiagnosisStatus.CANCELLED, DiagnosisStatus.TIMED_OUT])
def test_calls_that_were_never_made_are_made(
    client: Client, owner: AbstractUser, platform: Platform, status: DiagnosisStatus
) -> None:
    source = run_and_end(
        make_diagnosis(owner, [platform], questions=["甲？", "乙？"]), make_valid_result(), status=status
    )
    retry = _new_one(_retry(client, source))
    assert retry.answers.filter(state=AnswerState.PENDING).count() == 1


def test_second_retry_returns_the_first(client: Client, owner: AbstractUser, platform: Platform) -> None:
    source = _mixed(owner, platform)
    first, second = _retry(client, source), _retry(client, source)
    assert (first.status_code, second.status_code) == (202, 200)
    assert first.json() == second.json()
    assert Diagnosis.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_concurrent_retries_create_one_diagnosis(owner: AbstractUser) -> None:
    source = _mixed(owner, make_platform())
    together = threading.Barrier(8, timeout=180)
    answers: list[tuple[int, str]] = []

    def tap(client: Client) -> None:
        together.wait()
        while (response := _retry(client, source)).status_code == 429:  # another holds the rows: "repeat it"
            pass
        answers.append((response.status_code, response.json()["id"]))
        connection.close()

    threads = [threading.Thread(target=tap, args=[make_signed_in_client(owner)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(status for status, _pk in answers) == [200] * 7 + [202]
    assert Diagnosis.objects.count() == 2


def test_another_retry_is_possible_after_the_first_has_ended(
    client: Client, owner: AbstractUser, platform: Platform
) -> None:
    source = _mixed(owner, platform)
    first = run_and_end(_new_one(_retry(client, source)), make_failed_result(), make_failed_result())
    second = _new_one(_retry(client, source))
    assert second.pk not in (first.pk, source.pk)
    third = _new_one(_retry(client, first))
    assert (third.retry_of, third.carried_over) == (first, 2)


def test_retry_without_failed_calls_is_a_conflict(client: Client, owner: AbstractUser, platform: Platform) -> None:
    source = run_and_end(
        make_diagnosis(owner, [platform], questions=["甲？", "乙？"]),
        make_valid_result(),
        make_failed_result(FailureReason.FILTERED),
    )
    response = _retry(client, source)
    assert (response.status_code, response.json()["code"]) == (409, "CONFLICT")
    assert "无需重试" in str(response.json()["fields"])
    assert Diagnosis.objects.count() == 1


def test_running_diagnosis_cannot_be_retried(client: Client, owner: AbstractUser, platform: Platform) -> None:
    diagnosis = begin_and_record(make_diagnosis(owner, [platform], questions=["甲？", "乙？"]), make_failed_result())
    response = _retry(client, diagnosis)
    assert (response.status_code, response.json()["code"]) == (409, "DIAGNOSIS_RUNNING")


def test_retry_by_staff_belongs_to_the_owner(
    client: Client, client_of_staff: Client, owner: AbstractUser, platform: Platform
) -> None:
    source = _mixed(owner, platform)
    retry = _new_one(_retry(client_of_staff, source))
    assert (retry.owner_id, retry.stream.owner_id) == (owner.pk, owner.pk)
    second = _retry(client, source)
    assert (second.status_code, second.json()["id"]) == (200, str(retry.pk))
    assert client.get(f"/api/diagnoses/{retry.pk}").status_code == 200


def test_disabled_platform_is_not_called_by_a_retry(client: Client, owner: AbstractUser) -> None:
    platforms = [make_platform("on"), make_platform("off")]
    source = run_and_end(
        make_diagnosis(owner, platforms),
        make_failed_result(FailureReason.TIMEOUT),
        make_failed_result(FailureReason.QUOTA),
    )
    Platform.objects.filter(pk="off").update(is_enabled=False)
    retry = _new_one(_retry(client, source))
    assert (retry.planned, retry.failed, retry.carried_over) == (2, 1, 1)
    kept = retry.answers.get(platform="off")
    assert (kept.state, kept.error_code, kept.is_carried_over) == ("failed", "AI_QUOTA_EXHAUSTED", True)
    assert retry.answers.get(platform="on").state == AnswerState.PENDING
    ended = run_and_end(retry, make_valid_result())
    assert (ended.status, ended.valid, ended.failed) == (DiagnosisStatus.PARTIAL, 1, 1)


def test_retry_with_only_disabled_platforms_is_a_conflict(
    client: Client, owner: AbstractUser, platform: Platform
) -> None:
    source = _mixed(owner, platform)
    Platform.objects.update(is_enabled=False)
    response = _retry(client, source)
    assert (response.status_code, response.json()["code"]) == (409, "CONFLICT")
    assert "停用" in str(response.json()["fields"])
    assert Diagnosis.objects.count() == 1


def test_retry_keeps_demo_mark_and_language(client: Client, owner: AbstractUser) -> None:
    demo = Platform.objects.create(pk="demo-x", name="演示", model="demo-fast", is_demo=True)
    source = run_and_end(make_diagnosis(owner, [demo], locale="en"), make_failed_result())
    retry = _new_one(_retry(client, source))
    assert (retry.is_demo, retry.answers.get().is_demo) == (True, True)


def test_repeated_key_returns_the_first_retry_even_after_it_has_ended(
    client: Client, client_of_staff: Client, owner: AbstractUser, platform: Platform
) -> None:
    source = _mixed(owner, platform)
    first = _new_one(_retry(client, source, "k1"))
    run_and_end(first, make_failed_result(), make_failed_result())
    again = _retry(client, source, "k1")
    assert (again.status_code, again.json()["id"]) == (200, str(first.pk))
    assert _retry(client, first, "k1").status_code == 409  # the same key for another diagnosis
    other = _new_one(_retry(client_of_staff, source, "k1"))  # the key of another user
    assert other.owner_id == owner.pk
    assert _retry(client_of_staff, source, "k1").json()["id"] == str(other.pk)


def test_answers_of_a_finished_retry_are_not_asked_again(
    client: Client, owner: AbstractUser, platform: Platform
) -> None:
    source = _mixed(owner, platform)
    partial = run_and_end(_new_one(_retry(client, source)), make_valid_result("山岚"), make_failed_result())
    second = _new_one(_retry(client, source))
    assert (second.retry_of, second.carried_over, second.valid) == (partial, 3, 2)
    complete = run_and_end(second, make_valid_result())
    for diagnosis in (source, partial):
        response = _retry(client, diagnosis)
        assert (response.status_code, response.json()["id"]) == (200, str(complete.pk))
    assert _retry(client, complete).status_code == 409
    assert Diagnosis.objects.count() == 3


def test_corrections_are_copied(client: Client, owner: AbstractUser, platform: Platform) -> None:
    source = run_and_end(
        make_diagnosis(owner, [platform], questions=["甲？", "乙？"], competitors=[RequestedBrand("木石坊")]),
        make_valid_result("山岚不错，木石坊也行"),
        make_failed_result(),
    )
    answer = source.answers.get(state=AnswerState.VALID)
    add_alias(source, "木石坊", "也行", owner)
    rejected = MentionSpan(answer.pk, "山岚", 0, 2)
    confirm_or_reject_mention(source, rejected, owner, is_confirmed=False)
    retry = _new_one(_retry(client, source))
    ended = run_and_end(retry, make_valid_result("木石坊"))
    kept = ended.answers.get(is_carried_over=True)
    assert [brand for brand, *_span in kept.mentions] == ["木石坊", "木石坊"]
    listed = client.get(f"/api/diagnoses/{retry.pk}/corrections").json()
    assert [(one["kind"], one["answer"], one["alias"]) for one in listed] == [
        ("alias", None, "也行"),
        ("reject", str(kept.pk), ""),
    ]
    # Another correction analyses every answer again: the rejected mention must not come back.
    add_competitor(ended, "云栖壶")
    kept.refresh_from_db()
    assert "山岚" not in [brand for brand, *_span in kept.mentions]
    undo_correction(ended, listed[1]["id"])
    kept.refresh_from_db()
    assert "山岚" in [brand for brand, *_span in kept.mentions]
    assert source.corrections.count() == 2


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"paused_until": timezone.now() + timedelta(days=7), "pause_reason": "operator"}, "暂停至"),
        ({"key_variable": "MISSING_API_KEY"}, "没有密钥"),
        ({"is_enabled": False}, "停用"),
    ],
)
def test_platform_that_cannot_answer_is_not_asked_again(
    client: Client, owner: AbstractUser, columns: dict[str, Any], reason: str
) -> None:
    platforms = [make_platform("on"), make_platform("off")]
    both = run_and_end(make_diagnosis(owner, platforms), make_failed_result(), make_failed_result())
    only_off = run_and_end(make_diagnosis(owner, platforms), make_valid_result(), make_failed_result())
    Platform.objects.filter(pk="off").update(**columns)
    assert _new_one(_retry(client, both)).answers.get(state=AnswerState.PENDING).platform_id == "on"
    response = _retry(client, only_off)
    assert response.status_code == 409
    assert reason in response.json()["fields"]["id"]
    assert client.get(f"/api/diagnoses/{only_off.pk}").json()["retry_blocked"] == response.json()["fields"]["id"]
    assert client.get(f"/api/diagnoses/{both.pk}").json()["retry_blocked"] == ""


@pytest.mark.parametrize("status", [None, DiagnosisStatus.CANCELLED])
def test_action_after_a_failure_leads_somewhere(
    client: Client, owner: AbstractUser, platform: Platform, status: DiagnosisStatus | None
) -> None:
    """Partial results are offered only if there is an answer, else other platforms."""
    questions = ["甲？", "乙？"]
    none = run_and_end(make_diagnosis(owner, [platform], questions=questions), make_failed_result(), status=status)
    action = client.get(f"/api/diagnoses/{none.pk}").json()["error"]["copy"]["action"]
    assert (action["kind"], action["params"]) == ("switch_platform", {"diagnosis": str(none.pk)})
    some = run_and_end(
        make_diagnosis(owner, [platform], questions=questions), make_valid_result(), status=DiagnosisStatus.CANCELLED
    )
    action = client.get(f"/api/diagnoses/{some.pk}").json()["error"]["copy"]["action"]
    assert action["kind"] == "open_report"
