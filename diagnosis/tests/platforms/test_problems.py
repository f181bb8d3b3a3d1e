"""Which platforms cannot answer, by their pauses and their last answers."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from diagnosis.choices import FailureReason
from diagnosis.models import Platform
from diagnosis.platforms.problems import (
    count_failed_answers,
    find_platform_problems,
    is_failing,
    is_working_again,
)
from testing.data.alert_history import SiteHistory

OK, FAILED = False, True


@pytest.mark.parametrize(
    ("newest_first", "expected"),
    [
        ([FAILED] * 5, True),
        ([FAILED] * 4, False),
        ([FAILED] * 4 + [OK] + [FAILED] * 4 + [OK], True),  # 8 of 10
        ([FAILED, OK] * 10, False),
        ([OK] * 4 + [FAILED] * 16 + [OK] * 30, True),  # it has failed just now
        ([OK] * 50, False),
        ([], False),
    ],
)
def test_chance_does_not_make_a_platform_fail(newest_first: list[bool], expected: bool) -> None:
    assert is_failing(newest_first) is expected


def test_platform_works_again_after_enough_answers_without_failures() -> None:
    assert not is_working_again([OK] * 10)
    assert is_working_again([OK] * 20 + [FAILED] * 40)
    assert not is_working_again([OK] * 8 + [FAILED] + [OK] * 8)


@pytest.mark.django_db
def test_problem_names_platform_reason_and_advice() -> None:
    now = timezone.now()
    history = SiteHistory()
    outcomes = {
        "a": ["valid"] * 6,
        "b": ["timeout"] * 5,
        "c": ["filtered", "cancelled", "budget"] * 3,
        "d": ["busy"] * 4,
    }
    history.add_diagnosis(now - timedelta(minutes=1), outcomes)
    history.write(now)
    Platform.objects.filter(pk="a").pause(now + timedelta(hours=1), FailureReason.QUOTA)
    found = {problem["platform"]: problem for problem in find_platform_problems({}, {}, now)}
    assert set(found) == {"a", "b"}
    assert found["a"]["is_paused"] and "配额" in found["a"]["text"] and "充值" in found["a"]["advice"]
    assert "超时 5 次" in found["b"]["text"] and not found["b"]["is_paused"]
    counts = count_failed_answers(now - timedelta(hours=1), now)
    assert {"platform": "d", "name": "平台 d", "reason": "平台繁忙或故障", "count": 4} in counts


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"pause_reason": FailureReason.KEY}, ["a"]),  # until a probe has passed, also after the pause
        ({"pause_reason": FailureReason.OPERATOR}, []),
        ({"pause_reason": FailureReason.KEY, "is_enabled": False}, []),
        ({"pause_reason": FailureReason.KEY, "is_demo": True}, []),
    ],
)
def test_only_faults_of_platforms_in_use_are_problems(columns: dict[str, Any], expected: list[str]) -> None:
    SiteHistory()
    Platform.objects.filter(pk="a").update(paused_until=timezone.now(), **columns)
    found = find_platform_problems({}, {}, timezone.now())
    assert [problem["platform"] for problem in found] == expected
