"""The list of platforms, and the statistics over all diagnoses of real platforms."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser
from django.test import Client
from django.utils import timezone

from diagnosis.choices import DiagnosisStatus, FailureReason
from diagnosis.models import Platform
from diagnosis.orders import services
from diagnosis.orders.retries import create_retry
from testing.data.diagnoses import (
    API_KEY_VARIABLE,
    TEST_API_KEY,
    begin_and_record,
    make_diagnosis,
    make_failed_result,
    make_platform,
    make_valid_result,
    run_and_end,
)


def _platforms(client: Client) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = client.get("/api/platforms").json()
    return rows


def _demo(pk: str = "demo-fast") -> Platform:
    return Platform.objects.create(pk=pk, name="演示", model="demo-fast", is_demo=True, position=200)


class TestPlatforms:
    def test_have_exactly_the_documented_fields(self, client: Client) -> None:
        make_platform(price_per_call="0.0123", typical_seconds=7.5)
        assert _platforms(client) == [
            {
                "id": "fake",
                "name": "平台 fake",
                "model": "fake",
                "filing_number": "",
                "healthy": True,
                "paused_until": None,
                "pause_reason": "",
                "price_per_call": "0.0123",
                "cost_per_answer": "0.0123",
                "typical_seconds": 7.5,
                "seconds_per_call": 7.5,
                "concurrency": 4,
                "requests_per_minute": 75_000,
                "demo": False,
            }
        ]
        text = client.get("/api/platforms").content.decode()
        assert TEST_API_KEY not in text
        assert API_KEY_VARIABLE not in text
        assert "127.0.0.1" not in text

    def test_are_in_configured_order_without_disabled_ones(self, client: Client) -> None:
        for pk, position, is_enabled in (("c", 1, True), ("b", 2, True), ("a", 2, True), ("d", 0, False)):
            make_platform(pk, position=position, is_enabled=is_enabled)
        assert [row["id"] for row in _platforms(client)] == ["c", "a", "b"]

    def test_without_a_key_are_not_healthy(self, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        make_platform(key_variable="NO_SUCH_API_KEY")
        make_platform("odd", key_variable="ODD_API_KEY")
        monkeypatch.setenv("ODD_API_KEY", "密钥")
        assert [row["healthy"] for row in _platforms(client)] == [False, False]

    def test_paused_ones_have_end_and_reason(self, client: Client) -> None:
        until = timezone.now() + timedelta(minutes=5)
        make_platform("a", paused_until=until, pause_reason=FailureReason.QUOTA)
        make_platform("b", paused_until=timezone.now() - timedelta(minutes=5))
        paused, over = _platforms(client)
        assert (paused["healthy"], paused["pause_reason"]) == (False, "quota")
        paused_until = datetime.fromisoformat(paused["paused_until"])
        assert abs(paused_until - until) < timedelta(seconds=1)
        assert (over["healthy"], over["paused_until"], over["pause_reason"]) == (True, None, "")

    def test_demo_ones_are_marked_and_need_no_key(self, client: Client) -> None:
        _demo()
        (row,) = _platforms(client)
        assert (row["demo"], row["healthy"]) == (True, True)


def _statistics(client: Client) -> dict[str, Any]:
    body: dict[str, Any] = client.get("/api/statistics").json()
    assert timezone.now() - datetime.fromisoformat(body.pop("as_of")) < timedelta(minutes=1)
    return body


class TestStatistics:
    def test_are_zero_without_diagnoses(self, client: Client) -> None:
        assert _statistics(client) == {
            "diagnoses": 0,
            "running": 0,
            "by_status": {},
            "answers": 0,
            "valid_answers": 0,
            "by_platform": {},
            "by_day": [],
        }

    def test_count_those_of_all_users_for_staff_and_for_others_their_own(
        self, client_of_staff: Client, client_of_stranger: Client, owner: AbstractUser, stranger: AbstractUser
    ) -> None:
        one, two = make_platform("one"), make_platform("two")
        run_and_end(make_diagnosis(owner, [one, two]), make_valid_result(), make_failed_result())
        run_and_end(make_diagnosis(stranger, [one]), make_failed_result(FailureReason.FILTERED))
        begin_and_record(make_diagnosis(owner, [two], questions=["甲？", "乙？"]), make_valid_result())
        make_diagnosis(owner, [two])
        today = timezone.localdate().isoformat()
        assert _statistics(client_of_stranger) == {
            "diagnoses": 1,
            "running": 0,
            "by_status": {"failed": 1},
            "answers": 1,
            "valid_answers": 0,
            "by_platform": {"one": {"filtered": 1}},
            "by_day": [{"day": today, "started": 1, "ended_well": 0}],
        }
        assert _statistics(client_of_staff) == {
            "diagnoses": 4,
            "running": 2,
            "by_status": {"partial": 1, "failed": 1, "asking": 1, "queued": 1},
            "answers": 6,
            "valid_answers": 2,
            "by_platform": {
                "one": {"valid": 1, "filtered": 1},
                "two": {"failed": 1, "valid": 1, "pending": 2},
            },
            "by_day": [{"day": today, "started": 4, "ended_well": 1}],
        }

    def test_exclude_the_demo_platform(self, client: Client, owner: AbstractUser) -> None:
        run_and_end(make_diagnosis(owner, [_demo()]), make_valid_result())
        body = client.get("/api/statistics").json()
        assert (body["diagnoses"], body["answers"], body["by_platform"]) == (0, 0, {})

    def test_count_answers_copied_by_a_retry_once(
        self, client: Client, owner: AbstractUser, platform: Platform
    ) -> None:
        source = run_and_end(
            make_diagnosis(owner, [platform], questions=["甲？", "乙？"]), make_valid_result(), make_failed_result()
        )
        retry, _is_new = create_retry(source, services.RequestContext(owner))
        ended = run_and_end(retry, make_valid_result())
        assert (ended.status, ended.valid) == (DiagnosisStatus.COMPLETED, 2)
        body = client.get("/api/statistics").json()
        assert (body["answers"], body["by_platform"]) == (3, {"fake": {"valid": 2, "failed": 1}})
