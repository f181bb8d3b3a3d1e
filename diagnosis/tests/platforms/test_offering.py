"""A platform is offered, listed and called only where its row says so."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser, Permission
from django.test import Client
from django.utils import timezone

from diagnosis.models import Diagnosis, Platform, SkipReason
from diagnosis.schedules.runner import start_due_schedules
from diagnosis.tests.conftest import make_signed_in_client
from testing.data.diagnoses import (
    make_diagnosis,
    make_failed_result,
    make_platform,
    make_schedule,
    make_user,
    run_and_end,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def wechat_user() -> AbstractUser:
    return make_user("wx", wechat_openid="openid-1")


@pytest.fixture
def wechat_client(wechat_user: AbstractUser) -> Client:
    return make_signed_in_client(wechat_user)


@pytest.fixture
def domestic() -> Platform:
    return make_platform("domestic", filing_number="Beijing-Example-20230821")


@pytest.fixture
def foreign() -> Platform:
    return make_platform("foreign", is_offered_in_miniprogram=False)


def _order(client: Client, *platforms: str) -> Any:
    body = {"brand": "山岚", "questions": ["哪个手冲壶好？"], "platforms": platforms}
    return client.post("/api/diagnoses", body, content_type="application/json")


def test_each_client_lists_and_orders_its_own_platforms(
    client: Client,
    wechat_client: Client,
    domestic: Platform,
    foreign: Platform,
    django_capture_on_commit_callbacks: Any,
) -> None:
    listed = {row["id"]: row["filing_number"] for row in client.get("/api/platforms").json()}
    assert listed == {"domestic": "Beijing-Example-20230821", "foreign": ""}
    assert [row["id"] for row in wechat_client.get("/api/platforms").json()] == ["domestic"]
    refused = _order(wechat_client, "domestic", "foreign")
    assert (refused.status_code, list(refused.json()["fields"])) == (422, ["platforms.1"])
    assert not Diagnosis.objects.exists()
    assert _order(client, "foreign").status_code == _order(wechat_client, "domestic").status_code == 202
    foreign.is_offered_on_web = False
    with django_capture_on_commit_callbacks(execute=True):
        foreign.save()
    assert [row["id"] for row in client.get("/api/platforms").json()] == ["domestic"]


def test_platform_withdrawn_later_is_neither_retried_nor_scheduled(
    wechat_client: Client, wechat_user: AbstractUser, domestic: Platform
) -> None:
    ended = run_and_end(make_diagnosis(wechat_user, [domestic]), make_failed_result())
    schedule = make_schedule(wechat_user, [domestic], next_at=timezone.now() - timedelta(minutes=1))
    Platform.objects.update(is_offered_in_miniprogram=False)
    detail = wechat_client.get(f"/api/diagnoses/{ended.pk}").json()
    assert detail["platforms"][0]["obstacle"] == "不在此处提供"
    assert "不在此处提供" in detail["retry_blocked"]
    assert wechat_client.post(f"/api/diagnoses/{ended.pk}/retry").status_code == 409
    assert start_due_schedules() == 0
    schedule.refresh_from_db()
    assert schedule.skip_reason == SkipReason.PLATFORMS


def test_new_platform_is_not_offered_in_the_miniprogram_unless_ticked() -> None:
    operator = make_user("operator", is_staff=True)
    operator.user_permissions.set(Permission.objects.filter(codename__in=["add_platform", "view_platform"]))
    form = make_signed_in_client(operator).get("/admin/diagnosis/platform/add/").context["adminform"].form
    assert (form["is_offered_in_miniprogram"].value(), form["is_offered_on_web"].value()) == (False, True)
