"""Admin pages of the app: they open, search, and allow only permitted changes."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser, Permission
from django.test import Client
from django.utils import timezone

from diagnosis.choices import DiagnosisStatus, FailureReason
from diagnosis.models import Diagnosis, Platform
from diagnosis.orders.services import RequestedBrand
from diagnosis.platforms.status import get_platform_statuses
from diagnosis.tests.conftest import make_signed_in_client
from testing.data.diagnoses import (
    make_diagnosis,
    make_failed_result,
    make_platform,
    make_user,
    make_valid_result,
    run_and_end,
)


@pytest.fixture
def operator(db: None) -> Client:
    return make_signed_in_client(make_user("operator", is_staff=True, is_superuser=True))


@pytest.fixture
def diagnosis(owner: AbstractUser, platform: Platform) -> Diagnosis:
    rivals = [RequestedBrand("木石坊", ["MSF"])]
    diagnosis = make_diagnosis(
        owner, [platform], brand="<b>山岚</b>", questions=["甲？", "乙？", "丙？"], competitors=rivals
    )
    return run_and_end(
        diagnosis,
        make_valid_result(),
        make_failed_result(FailureReason.QUOTA, "HTTP 402: <i>balance</i>"),
        make_failed_result(FailureReason.FILTERED),
    )


@pytest.mark.usefixtures("diagnosis")
@pytest.mark.parametrize("model", ["platform", "diagnosis", "answer"])
def test_lists_and_rows_open(operator: Client, model: str) -> None:
    path = f"/admin/diagnosis/{model}/"
    listed = operator.get(path)
    assert listed.status_code == 200
    rows = {"platform": Platform, "diagnosis": Diagnosis}.get(model)
    pk: Any = rows._default_manager.first().pk if rows else Diagnosis.objects.get().answers.first().pk  # type: ignore[union-attr]
    opened = operator.get(f"{path}{pk}/change/")
    assert opened.status_code == 200
    for page in (listed, opened):
        assert b"<b>" not in page.content
        assert b"<i>balance" not in page.content


def test_a_diagnosis_shows_its_brands_and_questions(operator: Client, diagnosis: Diagnosis) -> None:
    page = operator.get(f"/admin/diagnosis/diagnosis/{diagnosis.pk}/change/").content.decode()
    for text in ("木石坊", "MSF", "甲？", "丙？"):
        assert text in page


def test_an_answer_shows_why_it_failed(operator: Client, diagnosis: Diagnosis) -> None:
    page = operator.get("/admin/diagnosis/answer/?state__exact=failed").content.decode()
    assert "HTTP 402" in page
    assert "配额用尽或欠费" in page


def test_diagnoses_are_found_by_brand_and_request(operator: Client, diagnosis: Diagnosis) -> None:
    Diagnosis.objects.update(request_id="request-0001")
    for query, count in (("山岚", 1), ("request-0001", 1), ("木石坊", 0), ("request-000", 0)):
        page = operator.get("/admin/diagnosis/diagnosis/", {"q": query})
        assert page.context["cl"].result_count == count, query


@pytest.mark.usefixtures("diagnosis")
@pytest.mark.parametrize("model", ["diagnosis", "answer"])
def test_columns_written_by_the_run_are_read_only(operator: Client, model: str) -> None:
    assert operator.get(f"/admin/diagnosis/{model}/add/").status_code == 403
    row = Diagnosis.objects.get() if model == "diagnosis" else Diagnosis.objects.get().answers.all()[0]
    assert operator.post(f"/admin/diagnosis/{model}/{row.pk}/change/", {}).status_code == 403


def _change(operator: Client, platform: Platform, **changes: str) -> Any:
    """Post the platform's form with these changes."""
    path = f"/admin/diagnosis/platform/{platform.pk}/change/"
    form = operator.get(path).context["adminform"].form
    shown = {name: form.get_initial_for_field(field, name) for name, field in form.fields.items()}
    posted = {name: value for name, value in shown.items() if value is not None and value is not False}
    return operator.post(path, posted | changes)


def test_platform_can_be_changed_except_its_demo_mark(operator: Client) -> None:
    platform = make_platform()
    response = _change(operator, platform, concurrency="9", is_demo="on")
    assert response.status_code == 302, response.context["adminform"].form.errors
    platform.refresh_from_db()
    assert (platform.concurrency, platform.is_demo) == (9, False)


def test_platform_id_is_read_only(operator: Client) -> None:
    """Answers refer to it, so another id would be another platform."""
    assert _change(operator, make_platform(), id="other").status_code == 302
    assert list(Platform.objects.values_list("pk", flat=True)) == ["fake"]
    assert "id" in operator.get("/admin/diagnosis/platform/add/").context["adminform"].form.fields


@pytest.mark.parametrize("field", ["concurrency", "requests_per_minute"])
def test_zero_limit_is_rejected_by_the_form(operator: Client, field: str) -> None:
    response = _change(operator, make_platform(), **{field: "0"})
    assert response.status_code == 200
    assert response.context["adminform"].form.errors


def test_a_paused_platform_can_be_resumed(operator: Client) -> None:
    make_platform(paused_until=timezone.now() + timedelta(hours=1), pause_reason=FailureReason.QUOTA)
    data = {"action": "resume", "_selected_action": ["fake"]}
    page = operator.post("/admin/diagnosis/platform/", data, follow=True)
    assert "已恢复 1 个平台" in page.content.decode()
    assert Platform.objects.values_list("paused_until", "pause_reason").get() == (None, "")


def test_platform_can_be_paused_for_an_hour_by_an_operator(operator: Client) -> None:
    platform = make_platform()
    data = {"action": "pause", "_selected_action": ["fake"]}
    page = operator.post("/admin/diagnosis/platform/", data, follow=True)
    assert "已暂停 1 个平台" in page.content.decode()
    platform.refresh_from_db()
    assert platform.paused_until
    assert timedelta(minutes=59) < platform.paused_until - timezone.now() <= timedelta(hours=1)
    assert get_platform_statuses()[0]["state"] == "已暂停：运营人员暂停"


def test_operator_can_retry_failed_calls_for_the_owner(
    operator: Client, owner: AbstractUser, diagnosis: Diagnosis
) -> None:
    whole = run_and_end(make_diagnosis(owner, [Platform.objects.get()]), make_valid_result())
    data = {"action": "retry", "_selected_action": [str(diagnosis.pk), str(whole.pk)]}
    page = operator.post("/admin/diagnosis/diagnosis/", data, follow=True).content.decode()
    assert "已开始 1 个补问" in page
    assert "没有失败的回答，无需重试" in page
    assert diagnosis.retries.get().owner == owner
    assert not whole.retries.exists()


@pytest.mark.usefixtures("diagnosis")
def test_user_with_view_permission_only_has_no_actions(db: None) -> None:
    looker = make_user("looker", is_staff=True)
    looker.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    for model in ("platform", "diagnosis"):
        page = make_signed_in_client(looker).get(f"/admin/diagnosis/{model}/")
        assert page.status_code == 200
        assert not page.context["action_form"]


def test_running_diagnoses_can_be_cancelled(operator: Client, owner: AbstractUser, diagnosis: Diagnosis) -> None:
    running = make_diagnosis(owner, [Platform.objects.get()])
    data = {"action": "cancel", "_selected_action": [str(running.pk), str(diagnosis.pk)]}
    page = operator.post("/admin/diagnosis/diagnosis/", data, follow=True)
    assert "已取消 1 个诊断" in page.content.decode()
    assert Diagnosis.objects.get(pk=running.pk).status == DiagnosisStatus.CANCELLED
    assert Diagnosis.objects.get(pk=diagnosis.pk).status == DiagnosisStatus.PARTIAL


@pytest.mark.parametrize("model", ["platform", "diagnosis", "answer"])
def test_queries_do_not_grow_with_the_list(
    operator: Client, owner: AbstractUser, platform: Platform, model: str, django_assert_max_num_queries: Any
) -> None:
    path = f"/admin/diagnosis/{model}/"
    for count in (1, 6):
        for number in range(count):
            run_and_end(make_diagnosis(make_user(f"user-{count}-{number}"), [platform]), make_valid_result())
        with django_assert_max_num_queries(12):
            operator.get(path)


def test_non_staff_user_is_redirected_to_sign_in(client: Client) -> None:
    for model in ("platform", "diagnosis", "answer"):
        assert client.get(f"/admin/diagnosis/{model}/").status_code == 302
