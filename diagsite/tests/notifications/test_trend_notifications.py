"""Notifications of significant rate changes between runs of a schedule, by WeChat or on the page."""

import json
import uuid
from collections.abc import Iterator
from datetime import time
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from diagnosis.models import Diagnosis, Frequency, Platform, Schedule
from diagnosis.orders.services import cancel_diagnosis
from diagnosis.running.state_machine import end_diagnosis
from diagnosis.schedules.runner import start_due_schedules
from diagnosis.tests.conftest import make_signed_in_client
from diagnosis.trends import service
from diagsite.models import Notification
from diagsite.notifications.outbox import mark_notification_seen, send_due_notifications
from testing.data.diagnoses import (
    API_KEY_VARIABLE,
    TEST_API_KEY,
    begin_and_record,
    make_platform,
    make_user,
    make_valid_result,
    run_and_end,
)
from testing.fakes.wechat import FakeWeChat

OPENID = "openid-of-a-user"
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def wechat(settings: Any) -> Iterator[FakeWeChat]:
    cache.clear()
    settings.WECHAT_TEMPLATE_ID = "template"
    with FakeWeChat() as fake:
        settings.WECHAT_API_BASE = fake.url
        fake.allowed_messages[OPENID] = 1
        yield fake
    cache.clear()


@pytest.fixture
def owner() -> AbstractUser:
    return make_user("owner", wechat_openid=OPENID)


@pytest.fixture
def client(owner: AbstractUser) -> Client:
    return make_signed_in_client(owner)


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch) -> Platform:
    monkeypatch.setenv(API_KEY_VARIABLE, TEST_API_KEY)
    return make_platform()


@pytest.fixture
def schedule(owner: AbstractUser, platform: Platform) -> Schedule:
    return Schedule.objects.create(
        owner_id=owner.pk,
        brand="山岚",
        questions=[f"问题 {number}？" for number in range(10)],
        platforms=[platform.pk],
        repeats=3,
        every=Frequency.WEEKLY,
        weekday=0,
        time=time(9),
        next_at=timezone.now(),
        budget_calls=1000,
        budget_money=1,
    )


def run(schedule: Schedule, named: int) -> Diagnosis:
    """Run the schedule again, with a number of the thirty answers naming the brand."""
    Schedule.objects.filter(pk=schedule.pk).update(next_at=timezone.now())
    assert start_due_schedules() == 1
    diagnosis = Diagnosis.objects.order_by("created_at").last()
    assert diagnosis
    return run_and_end(diagnosis, *map(make_valid_result, ["山岚好。"] * named + ["木石坊好。"] * (30 - named)))


def unread(client: Client) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = client.get("/api/notices").json()["items"]
    return items


def test_significant_change_sends_a_message_and_random_change_none(wechat: FakeWeChat, schedule: Schedule) -> None:
    run(schedule, 3)
    run(schedule, 5)
    assert not Notification.objects.exists()
    risen = run(schedule, 28)
    assert [send_due_notifications() for _look in range(2)] == [1, 0]
    (message,) = wechat.delivered
    assert message["page"] == f"pages/report-v2/report-v2?id={risen.pk}"
    assert message["data"]["phrase2"] == {"value": "提及率上升"}
    assert end_diagnosis(risen.pk) is None
    assert (Notification.objects.get().state, Notification.objects.get().kind) == ("sent", "moved")


def test_delivered_notification_is_not_unread(wechat: FakeWeChat, schedule: Schedule, client: Client) -> None:
    run(schedule, 28)
    run(schedule, 3)
    assert unread(client) == []  # it may still be delivered
    send_due_notifications()
    assert wechat.delivered[0]["data"]["phrase2"] == {"value": "提及率下降"}
    assert unread(client) == []


def test_undelivered_notification_is_unread_until_it_is_read(
    wechat: FakeWeChat, schedule: Schedule, client: Client
) -> None:
    wechat.allowed_messages[OPENID] = 0
    run(schedule, 3)
    risen = run(schedule, 28)
    send_due_notifications()
    (item,) = unread(client)
    (move,) = item["moves"]
    assert (item["kind"], item["brand"], item["diagnosis"]) == ("moved", "山岚", str(risen.pk))
    assert item["schedule"] == str(schedule.pk)
    assert (move["name"], move["is_own"], move["changed"]) == ("山岚", True, "up")
    assert (move["before"], move["after"]) == (pytest.approx(0.1), pytest.approx(28 / 30))
    body = json.dumps({"ids": [item["id"]]})
    stranger = make_signed_in_client(make_user("stranger"))
    assert unread(stranger) == []
    assert stranger.post("/api/notices/read", body, content_type="application/json").status_code == 204
    assert len(unread(client)) == 1
    assert client.post("/api/notices/read", body, content_type="application/json").status_code == 204
    assert unread(client) == []


def test_page_shows_notification_without_wechat_and_after_schedule_deletion(
    schedule: Schedule, client: Client, settings: Any
) -> None:
    settings.WECHAT_TEMPLATE_ID = ""
    run(schedule, 3)
    run(schedule, 28)
    schedule.delete()
    assert [item["kind"] for item in unread(client)] == ["moved"]


def test_seeing_the_end_does_not_mark_a_rate_change_as_read(wechat: FakeWeChat, schedule: Schedule) -> None:
    run(schedule, 3)
    mark_notification_seen(run(schedule, 28).stream_id)
    assert Notification.objects.get().state == "waiting"


def test_skipped_run_is_shown_on_the_page(schedule: Schedule, client: Client) -> None:
    Schedule.objects.update(budget_calls=29)
    assert start_due_schedules() == 0
    (item,) = unread(client)
    assert (item["kind"], item["reason"], item["schedule"]) == ("skipped", "budget_calls", str(schedule.pk))
    assert send_due_notifications() == 0


def test_failed_comparison_does_not_prevent_the_end(schedule: Schedule, monkeypatch: pytest.MonkeyPatch) -> None:
    run(schedule, 3)
    monkeypatch.setattr(service, "load_comparison_data", lambda diagnoses: 1 / 0)
    assert run(schedule, 28).is_final
    assert not Notification.objects.exists()


def test_cancelled_run_has_no_notification(schedule: Schedule) -> None:
    run(schedule, 3)
    Schedule.objects.update(next_at=timezone.now())
    start_due_schedules()
    diagnosis = Diagnosis.objects.order_by("created_at").last()
    assert diagnosis
    begin_and_record(diagnosis, *[make_valid_result("山岚好。")] * 29)
    diagnosis.refresh_from_db()
    cancel_diagnosis(diagnosis)
    assert not Notification.objects.exists()


def test_empty_or_too_long_list_of_ids_is_refused(client: Client) -> None:
    for ids in ([], [str(uuid.uuid4()) for _ in range(51)], ["x"], [1]):
        body = json.dumps({"ids": ids})
        assert client.post("/api/notices/read", body, content_type="application/json").status_code == 422
