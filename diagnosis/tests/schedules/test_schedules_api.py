"""`/api/schedules`: estimate, create, list, pause, resume, delete."""

import json
import uuid
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser, Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from diagnosis.models import Diagnosis, Platform, Schedule
from diagnosis.orders.services import RequestedBrand
from diagnosis.schedules.runner import start_due_schedules
from testing.data.diagnoses import make_diagnosis, make_platform

PATH = "/api/schedules"
WEEKLY: dict[str, Any] = {"every": "weekly", "weekday": 0, "time": "09:00", "budget_calls": 60, "budget_money": "6.00"}


@pytest.fixture
def diagnosis(owner: AbstractUser) -> Diagnosis:
    """Twelve calls, six of which cost 0.1 yuan."""
    priced = make_platform("priced", price_per_call=Decimal("0.1"), typical_seconds=8)
    unpriced = make_platform("unpriced", typical_seconds=3)
    rivals = [RequestedBrand("木石坊", ("MSF",))]
    return make_diagnosis(
        owner, [priced, unpriced], questions=["甲？", "乙？"], repeats=3, competitors=rivals, aliases=["SL"]
    )


def _post(client: Client, path: str = PATH, **body: Any) -> Any:
    return client.post(path, json.dumps(body, default=str), content_type="application/json")


def test_questions_about_the_brand_stay_so(client: Client, diagnosis: Diagnosis) -> None:
    diagnosis.questions.filter(text="乙？").update(is_about_brand=True)
    assert _post(client, diagnosis=diagnosis.pk, **WEEKLY).status_code == 201
    Schedule.objects.update(next_at=timezone.now())
    assert start_due_schedules() == 1
    questions = Diagnosis.objects.exclude(pk=diagnosis.pk).get().questions
    assert list(questions.values_list("text", "is_about_brand")) == [("甲？", False), ("乙？", True)]


def test_estimate_states_what_the_budget_covers(client: Client, diagnosis: Diagnosis) -> None:
    body = _post(client, f"{PATH}/estimate", diagnosis=diagnosis.pk, **WEEKLY).json()
    assert body["zone"] == "Asia/Shanghai"
    assert body | {"next_at": ""} == {
        "run": {"calls": 12, "money": "0.6000"},
        "month": {"calls": 60, "money": "3.0000"},
        "runs": 5,
        "seconds": 16,
        "unpriced": ["unpriced"],
        "spent": {"calls": 0, "money": "0"},
        "refused": "",
        "carries_month": True,
        "next_at": "",
        "zone": "Asia/Shanghai",
        "unavailable": [],
        "is_duplicate": False,
    }
    assert datetime.fromisoformat(body["next_at"]) > timezone.now()
    small = WEEKLY | {"budget_calls": 59}
    assert not _post(client, f"{PATH}/estimate", diagnosis=diagnosis.pk, **small).json()["carries_month"]
    too_small = WEEKLY | {"budget_money": "0.59"}
    assert _post(client, f"{PATH}/estimate", diagnosis=diagnosis.pk, **too_small).json()["refused"] == "budget_money"
    monthly = {"every": "monthly", "day": 31}
    body = _post(client, f"{PATH}/estimate", diagnosis=diagnosis.pk, repeats=1, **monthly).json()
    assert (body["run"]["calls"], body["month"]["calls"], body["runs"]) == (4, 4, 1)
    assert not Schedule.objects.exists()


def test_schedule_repeats_the_diagnosis_as_requested(client: Client, owner: AbstractUser, diagnosis: Diagnosis) -> None:
    made = _post(client, diagnosis=diagnosis.pk, **WEEKLY)
    assert made.status_code == 201, made.content
    body = made.json()
    assert (body["brand"], body["competitors"], body["questions"]) == ("山岚", ["木石坊"], ["甲？", "乙？"])
    assert (body["platforms"], body["repeats"], body["time"]) == (["priced", "unpriced"], 3, "09:00:00")
    assert client.get(f"{PATH}/{body['id']}").json() == body
    Schedule.objects.update(next_at=timezone.now())
    assert start_due_schedules() == 1
    again = Diagnosis.objects.exclude(pk=diagnosis.pk).get()
    assert (again.owner, again.panel, again.planned) == (owner, diagnosis.panel, diagnosis.planned)
    assert again.request_hash == diagnosis.request_hash  # exactly the same request
    listed = client.get(PATH).json()
    assert (listed["most"], listed["zone"]) == (20, "Asia/Shanghai")
    (item,) = listed["items"]
    assert item["last_diagnosis"] == str(again.pk)
    assert item["estimate"]["spent"] == {"calls": 12, "money": "0.6000"}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"every": "hourly"}, "every"),
        ({"weekday": None}, "weekday"),
        ({"weekday": 7}, "weekday"),
        ({"every": "monthly"}, "day"),
        ({"every": "monthly", "day": 32}, "day"),
        ({"time": "25:00"}, "time"),
        ({"budget_calls": 0}, "budget_calls"),
        ({"budget_calls": 11}, "budget_calls"),
        ({"budget_money": "-1"}, "budget_money"),
        ({"budget_money": "0.5"}, "budget_money"),
        ({"budget_money": "NaN"}, "budget_money"),
        ({"repeats": 6}, "repeats"),
    ],
)
def test_invalid_field_is_named(client: Client, diagnosis: Diagnosis, change: dict[str, Any], field: str) -> None:
    refused = _post(client, diagnosis=diagnosis.pk, **(WEEKLY | change))
    assert refused.status_code == 422
    assert list(refused.json()["fields"]) == [field]
    assert not Schedule.objects.exists()


def test_disabled_platform_is_named(client: Client, diagnosis: Diagnosis) -> None:
    Platform.objects.filter(pk="unpriced").update(is_enabled=False)
    refused = _post(client, diagnosis=diagnosis.pk, **WEEKLY)
    assert (refused.status_code, list(refused.json()["fields"])) == (422, ["platforms.1"])


def test_oversized_diagnosis_cannot_be_repeated(client: Client, owner: AbstractUser, platform: Platform) -> None:
    imported = make_diagnosis(owner, [platform], questions=[f"{number}？" for number in range(21)])
    refused = _post(client, diagnosis=imported.pk, **WEEKLY)
    assert (refused.status_code, list(refused.json()["fields"])) == (422, ["diagnosis"])


def test_number_of_schedules_is_limited(client: Client, diagnosis: Diagnosis, settings: Any) -> None:
    settings.SCHEDULES_PER_OWNER = 2
    again = {"confirm_duplicate": True}
    answers = [_post(client, diagnosis=diagnosis.pk, **(WEEKLY | again)) for _number in range(3)]
    assert [answer.status_code for answer in answers] == [201, 201, 409]
    assert "2" in answers[2].json()["fields"]["diagnosis"]


def test_resumed_schedule_does_not_make_up_for_missed_runs(client: Client, diagnosis: Diagnosis) -> None:
    address = f"{PATH}/{_post(client, diagnosis=diagnosis.pk, **WEEKLY).json()['id']}"
    assert _post(client, f"{address}/pause").json()["is_paused"]
    Schedule.objects.update(next_at=timezone.now() - timedelta(days=30))
    assert start_due_schedules() == 0
    resumed = _post(client, f"{address}/resume").json()
    assert not resumed["is_paused"]
    assert datetime.fromisoformat(resumed["next_at"]) > timezone.now()
    assert start_due_schedules() == 0


def test_deleted_schedule_keeps_its_diagnoses(client: Client, diagnosis: Diagnosis) -> None:
    address = f"{PATH}/{_post(client, diagnosis=diagnosis.pk, **WEEKLY).json()['id']}"
    Schedule.objects.update(next_at=timezone.now())
    start_due_schedules()
    assert client.delete(address).status_code == 204
    assert client.get(address).status_code == 404
    assert Diagnosis.objects.count() == 2
    assert start_due_schedules() == 0


def test_schedules_are_private_even_from_staff(
    client: Client, client_of_stranger: Client, client_of_staff: Client, diagnosis: Diagnosis
) -> None:
    assert _post(client_of_stranger, diagnosis=diagnosis.pk, **WEEKLY).status_code == 404
    assert _post(client_of_stranger, f"{PATH}/estimate", diagnosis=diagnosis.pk, **WEEKLY).status_code == 404
    address = f"{PATH}/{_post(client, diagnosis=diagnosis.pk, **WEEKLY).json()['id']}"
    for other in (client_of_stranger, client_of_staff):
        assert other.get(PATH).json()["items"] == []
        assert other.get(address).status_code == 404
        assert _post(other, f"{address}/pause").status_code == 404
        assert _post(other, f"{address}/resume").status_code == 404
        assert other.delete(address).status_code == 404
    assert client.get(f"{PATH}/{uuid.uuid4()}").status_code == 404
    assert client.get(f"{PATH}/x").status_code == 404
    assert Client().get(PATH).status_code == 401
    assert Schedule.objects.filter(is_paused=False).count() == 1


def test_queries_do_not_grow_with_the_number_of_schedules(
    client: Client, diagnosis: Diagnosis, django_assert_max_num_queries: Any
) -> None:
    for _number in range(5):
        _post(client, diagnosis=diagnosis.pk, confirm_duplicate=True, **WEEKLY)
    # session, user, workspaces, schedules, platforms, their usage and durations, spent, pending
    with django_assert_max_num_queries(9):
        assert len(client.get(PATH).json()["items"]) == 5


def test_only_operators_with_permission_pause_and_resume(
    client: Client, client_of_staff: Client, staff: AbstractUser, diagnosis: Diagnosis
) -> None:
    made = _post(client, diagnosis=diagnosis.pk, **WEEKLY).json()
    page = reverse("admin:diagnosis_schedule_changelist")
    staff.user_permissions.add(Permission.objects.get(codename="view_schedule"))
    assert "定期诊断" in client_of_staff.get(page).content.decode()
    client_of_staff.post(page, {"action": "pause", "_selected_action": made["id"]})
    assert not Schedule.objects.get().is_paused
    staff.user_permissions.add(Permission.objects.get(codename="change_schedule"))
    for action, is_paused in (("pause", True), ("resume", False)):
        client_of_staff.post(page, {"action": action, "_selected_action": made["id"]})
        assert Schedule.objects.get().is_paused == is_paused


DAILY = {name: value for name, value in WEEKLY.items() if name != "weekday"} | {"every": "daily"}


def test_daily_schedule(client: Client, diagnosis: Diagnosis) -> None:
    made = _post(client, diagnosis=diagnosis.pk, **(DAILY | {"budget_calls": 400, "weekday": 3})).json()
    assert (made["every"], made["weekday"], made["day"], made["zone"]) == ("daily", None, None, "Asia/Shanghai")
    assert (made["estimate"]["runs"], made["estimate"]["month"]["calls"]) == (31, 372)
    assert datetime.fromisoformat(made["next_at"]) - timezone.now() <= timedelta(days=1)


@pytest.mark.parametrize(
    ("second", "is_duplicate"),
    [
        (WEEKLY, True),
        (DAILY, True),  # every Monday both run at nine
        (WEEKLY | {"weekday": 1}, False),
        (WEEKLY | {"time": "09:30"}, False),
        (DAILY | {"every": "monthly", "day": 3}, False),
    ],
)
def test_duplicate_must_be_confirmed(
    client: Client, owner: AbstractUser, diagnosis: Diagnosis, second: dict[str, Any], is_duplicate: bool
) -> None:
    assert _post(client, diagnosis=diagnosis.pk, **WEEKLY).status_code == 201
    # The same panel in another order, with other repeats and competitors.
    platforms = list(Platform.objects.order_by("-position"))
    same_panel = make_diagnosis(owner, platforms, questions=["乙？", "甲？"])
    estimate = _post(client, f"{PATH}/estimate", diagnosis=same_panel.pk, **second).json()
    assert estimate["is_duplicate"] == is_duplicate
    response = _post(client, diagnosis=same_panel.pk, **second)
    assert response.status_code == (409 if is_duplicate else 201)
    if is_duplicate:
        assert list(response.json()["fields"]) == ["confirm_duplicate"]
        assert Schedule.objects.count() == 1
        assert _post(client, diagnosis=same_panel.pk, confirm_duplicate=True, **second).status_code == 201
    other_panel = make_diagnosis(owner, platforms, questions=["甲？"])
    assert _post(client, diagnosis=other_panel.pk, **second).status_code == 201


def test_unavailable_platforms_are_named_and_a_schedule_without_keys_is_refused(
    client: Client, diagnosis: Diagnosis
) -> None:
    until = timezone.now().replace(microsecond=0) + timedelta(days=7)
    Platform.objects.filter(pk="priced").update(paused_until=until)
    Platform.objects.filter(pk="unpriced").update(key_variable="MISSING_API_KEY")
    paused, keyless = _post(client, diagnosis=diagnosis.pk, **WEEKLY).json()["estimate"]["unavailable"]
    assert (paused["id"], datetime.fromisoformat(paused["until"])) == ("priced", until)
    assert "Asia/Shanghai" in paused["reason"]
    assert keyless == {"id": "unpriced", "name": "平台 unpriced", "reason": "没有密钥", "until": None}
    Platform.objects.update(key_variable="MISSING_API_KEY")
    refused = _post(client, diagnosis=diagnosis.pk, confirm_duplicate=True, **WEEKLY)
    assert (refused.status_code, list(refused.json()["fields"])) == (422, ["platforms"])


def test_admin_names_the_zone(admin_client: Client, client: Client, diagnosis: Diagnosis) -> None:
    _post(client, diagnosis=diagnosis.pk, **WEEKLY)
    assert "（Asia/Shanghai）" in admin_client.get(reverse("admin:diagnosis_schedule_changelist")).content.decode()
