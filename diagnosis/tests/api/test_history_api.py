"""`GET /api/diagnoses`: the history, newest first, in pages."""

import base64
from datetime import datetime, time, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser
from django.test import Client
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from diagnosis.api.history import DIAGNOSES_PER_PAGE
from diagnosis.choices import DiagnosisStatus, FailureReason
from diagnosis.models import Diagnosis, Platform, Schedule
from diagnosis.schedules.runner import start_due_schedules
from testing.data.diagnoses import begin_and_record, make_diagnosis, make_failed_result, make_valid_result, run_and_end

PATH = "/api/diagnoses"


def _many(owner: AbstractUser, platform: Platform, count: int, brand: str = "品牌") -> list[str]:
    """Create this many diagnoses; returns their brands, newest first."""
    for number in range(count):
        make_diagnosis(owner, [platform], brand=f"{brand}{number}")
    return [f"{brand}{number}" for number in reversed(range(count))]


def _brands(page: dict[str, Any]) -> list[str]:
    return [item["brand"] for item in page["items"]]


def _page(client: Client, **query: str) -> dict[str, Any]:
    response = client.get(PATH, query)
    assert response.status_code == 200, response.content
    body: dict[str, Any] = response.json()
    return body


def test_history_without_diagnoses_is_empty(client: Client) -> None:
    assert _page(client) == {"items": [], "next": None}


def test_newest_come_first_and_pages_join_without_gaps(client: Client, owner: AbstractUser, platform: Platform) -> None:
    expected = _many(owner, platform, 2 * DIAGNOSES_PER_PAGE + 1)
    pages = [_page(client)]
    while pages[-1]["next"]:
        pages.append(_page(client, cursor=pages[-1]["next"]))
    assert [len(page["items"]) for page in pages] == [DIAGNOSES_PER_PAGE, DIAGNOSES_PER_PAGE, 1]
    assert [brand for page in pages for brand in _brands(page)] == expected


def test_a_full_last_page_has_no_next(client: Client, owner: AbstractUser, platform: Platform) -> None:
    _many(owner, platform, DIAGNOSES_PER_PAGE)
    assert _page(client)["next"] is None


def test_diagnosis_started_between_pages_does_not_shift_them(
    client: Client, owner: AbstractUser, platform: Platform
) -> None:
    expected = _many(owner, platform, DIAGNOSES_PER_PAGE + 3)
    first = _page(client)
    _many(owner, platform, 5, brand="新")
    assert _brands(first) + _brands(_page(client, cursor=first["next"])) == expected


def test_diagnosis_deleted_between_pages_does_not_shift_them(
    client: Client, owner: AbstractUser, platform: Platform
) -> None:
    expected = _many(owner, platform, DIAGNOSES_PER_PAGE + 3)
    first = _page(client)
    Diagnosis.objects.filter(pk__in=[item["id"] for item in first["items"][-3:]]).delete()
    assert _brands(_page(client, cursor=first["next"])) == expected[DIAGNOSES_PER_PAGE:]


def test_diagnoses_with_equal_times_appear_exactly_once(
    client: Client, owner: AbstractUser, platform: Platform
) -> None:
    expected = _many(owner, platform, DIAGNOSES_PER_PAGE + 3)
    Diagnosis.objects.update(created_at=timezone.now())
    first = _page(client)
    assert sorted(_brands(first) + _brands(_page(client, cursor=first["next"]))) == sorted(expected)


def _cursor(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


UUID = "00000000-0000-0000-0000-000000000000"


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "====",
        "山岚",
        "%00",
        "\x00",
        _cursor("2026-01-01T00:00:00+00:00"),
        _cursor(f"yesterday|{UUID}"),
        _cursor("2026-01-01T00:00:00+00:00|1"),
        _cursor(f"2026-01-01T00:00:00|{UUID}"),
        _cursor(f"0001-01-01T00:00:00+14:00|{UUID}"),
        _cursor(f"2026-01-01T00:00:00+00:00|{UUID}|1"),
        base64.urlsafe_b64encode(b"\xff\xfe").decode(),
        "A" * 5000,
    ],
)
def test_invalid_cursor_is_named_in_the_error(client: Client, cursor: str) -> None:
    response = client.get(PATH, {"cursor": cursor})
    assert (response.status_code, response.json()["fields"]) == (422, {"cursor": "请使用上一页给出的 next。"})


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(cursor=st.text(), status=st.text(), q=st.text(max_size=120))
def test_arbitrary_query_parameters_cause_no_server_error(client: Client, cursor: str, status: str, q: str) -> None:
    query = {"cursor": cursor, "status": status, "q": q}
    try:
        response = client.get(PATH, query)
    except UnicodeEncodeError:
        return  # a lone surrogate, which the test's own client cannot send
    assert response.status_code in (200, 422)


def test_filter_by_status(client: Client, owner: AbstractUser, platform: Platform) -> None:
    make_diagnosis(owner, [platform], brand="排队")
    run_and_end(make_diagnosis(owner, [platform], brand="完成"), make_valid_result())
    run_and_end(make_diagnosis(owner, [platform], brand="取消"), status=DiagnosisStatus.CANCELLED)
    assert _brands(_page(client, status="completed")) == ["完成"]
    assert _brands(_page(client, status="queued")) == ["排队"]
    assert _brands(_page(client, status="failed")) == []
    response = client.get(PATH, {"status": "done"})
    assert (response.status_code, list(response.json()["fields"])) == (422, ["status"])
    assert "completed" in response.json()["fields"]["status"]


@pytest.mark.parametrize(
    ("q", "expected"),
    [("山", ["山岚"]), ("KETTLE", ["Kettlewood"]), ("100%", ["100% 茶"]), ("%", ["100% 茶"]), ("_", []), ("木", [])],
)
def test_search_matches_parts_of_the_brand(
    client: Client, owner: AbstractUser, platform: Platform, q: str, expected: list[str]
) -> None:
    for brand in ("山岚", "Kettlewood", "100% 茶"):
        make_diagnosis(owner, [platform], brand=brand)
    assert _brands(_page(client, q=q)) == expected


def test_too_long_search_is_named_in_the_error(client: Client) -> None:
    response = client.get(PATH, {"q": "山" * 101})
    assert (response.status_code, response.json()["fields"]) == (422, {"q": "最多 100 个字。"})


def test_filters_apply_to_every_page(client: Client, owner: AbstractUser, platform: Platform) -> None:
    expected = _many(owner, platform, DIAGNOSES_PER_PAGE + 1)
    _many(owner, platform, 2, brand="别的")
    first = _page(client, q="品牌", status="queued")
    assert _brands(first) + _brands(_page(client, q="品牌", status="queued", cursor=first["next"])) == expected


def test_a_user_sees_their_own_and_staff_sees_all(
    client: Client,
    client_of_stranger: Client,
    client_of_staff: Client,
    owner: AbstractUser,
    stranger: AbstractUser,
    platform: Platform,
) -> None:
    make_diagnosis(owner, [platform], brand="我的")
    make_diagnosis(stranger, [platform], brand="别人的")
    assert _brands(_page(client)) == ["我的"]
    assert _brands(_page(client_of_stranger)) == ["别人的"]
    assert _brands(_page(client_of_staff)) == ["别人的", "我的"]


def test_each_row_has_its_current_state(client: Client, owner: AbstractUser, platform: Platform) -> None:
    diagnosis = make_diagnosis(owner, [platform], questions=["甲？", "乙？", "丙？"], repeats=2)
    begin_and_record(
        diagnosis,
        make_valid_result(),
        make_valid_result(),
        make_failed_result(FailureReason.FILTERED),
        make_failed_result(),
    )
    (item,) = _page(client)["items"]
    assert item | {"created_at": "", "started_at": ""} == {
        "id": str(diagnosis.pk),
        "workspace": str(diagnosis.workspace_id),
        "status": "asking",
        "stage": "asking",
        "percent": 63,
        "planned": 6,
        "valid": 2,
        "failed": 1,
        "revision": 0,
        "report_pending": False,
        "filtered": 1,
        "carried_over": 0,
        "brand": "山岚",
        "repeats": 2,
        "demo": False,
        "stream": str(diagnosis.stream_id),
        "created_at": "",
        "started_at": "",
        "finished_at": None,
        "retry_of": None,
        "schedule": None,
        "estimated_cost": None,
        "cost": None,
        "error": None,
    }
    assert item["created_at"].endswith("Z")
    assert timezone.now() - datetime.fromisoformat(item["created_at"]) < timedelta(minutes=5)


def test_incomplete_diagnosis_has_its_problem_in_the_requested_language(
    client: Client, owner: AbstractUser, platform: Platform
) -> None:
    run_and_end(make_diagnosis(owner, [platform]), make_failed_result())
    (item,) = _page(client)["items"]
    assert (item["status"], item["percent"], item["error"]["code"]) == ("failed", 100, "DIAGNOSIS_FAILED")
    assert item["error"]["title"] == "诊断失败"
    english = client.get(PATH, headers={"Accept-Language": "en"}).json()["items"][0]
    assert english["error"]["title"] == "Diagnosis failed"


def test_queries_do_not_grow_with_the_page(
    client: Client, owner: AbstractUser, platform: Platform, django_assert_max_num_queries: Any
) -> None:
    run_and_end(make_diagnosis(owner, [platform]), make_failed_result())
    with django_assert_max_num_queries(5):  # the session, the user, the workspaces, the page, its costs
        _page(client)
    for _ in range(DIAGNOSES_PER_PAGE):
        run_and_end(make_diagnosis(owner, [platform]), make_failed_result())
    with django_assert_max_num_queries(5):
        assert len(_page(client)["items"]) == DIAGNOSES_PER_PAGE


def test_filter_by_days_in_the_sites_time_zone(client: Client, owner: AbstractUser, platform: Platform) -> None:
    """Shanghai is eight hours ahead of UTC."""
    for brand, created_at in [("三月", "2026-03-31T15:59:59Z"), ("四月", "2026-03-31T16:00:00Z")]:
        diagnosis = make_diagnosis(owner, [platform], brand=brand)
        Diagnosis.objects.filter(pk=diagnosis.pk).update(created_at=datetime.fromisoformat(created_at))
    assert _brands(_page(client, since="2026-04-01")) == ["四月"]
    assert _brands(_page(client, until="2026-03-31")) == ["三月"]
    assert _brands(_page(client, since="2026-03-31", until="2026-04-01")) == ["四月", "三月"]
    assert _brands(_page(client, since="2026-04-02")) == []


@pytest.mark.parametrize("day", ["yesterday", "2026-02-30", "0001-01-01", "9999-12-31"])
def test_invalid_day_is_named_in_the_error(client: Client, day: str) -> None:
    for name in ("since", "until"):
        assert client.get(PATH, {name: day}).status_code in (200, 422)
    assert client.get(PATH, {"since": "2026-02-30"}).json()["fields"].keys() == {"since"}


def test_filter_diagnoses_started_by_schedules(client: Client, owner: AbstractUser, platform: Platform) -> None:
    make_diagnosis(owner, [platform], brand="手动")
    schedule = Schedule.objects.create(
        owner_id=owner.pk,
        brand="定期",
        questions=["甲？"],
        platforms=[platform.pk],
        every="weekly",
        weekday=0,
        time=time(9),
        next_at=timezone.now(),
        budget_calls=1,
        budget_money=0,
    )
    start_due_schedules()
    (item,) = _page(client, scheduled="true")["items"]
    assert (item["brand"], item["schedule"]) == ("定期", str(schedule.pk))
    assert _brands(_page(client)) == ["定期", "手动"]
