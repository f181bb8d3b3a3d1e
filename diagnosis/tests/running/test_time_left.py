"""The estimated time left: per platform from its latest latencies, concurrency and rate; it never increases."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import AbstractUser
from django.test import Client
from django.utils import timezone

from diagnosis.models import Answer, Platform
from diagnosis.platforms.durations import estimate_platform_seconds, get_seconds_per_call
from diagnosis.running import state_machine
from progress.models import Event
from testing.data.diagnoses import make_diagnosis, make_platform, make_valid_result, run_and_end

pytestmark = pytest.mark.django_db

CASES = json.loads((Path(django_settings.BASE_DIR) / "testing/data/durations.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", CASES)
def test_formula(case: dict[str, Any], settings: Any) -> None:
    settings.PLATFORM_SHARE_PER_OWNER = 1
    platform = Platform(concurrency=case["concurrency"], requests_per_minute=case["requests_per_minute"])
    assert estimate_platform_seconds(platform, case["calls"], case["seconds_per_call"]) == case["seconds"]


def test_an_account_has_only_its_share_of_the_limits(settings: Any) -> None:
    settings.PLATFORM_SHARE_PER_OWNER = 0.5
    assert estimate_platform_seconds(Platform(concurrency=4, requests_per_minute=600), 8, 3) == 12
    assert estimate_platform_seconds(Platform(concurrency=1, requests_per_minute=600), 8, 3) == 24


def test_latest_valid_answers_count_then_the_typical_time(owner: AbstractUser, client: Client) -> None:
    platform = make_platform(typical_seconds=30)
    unknown = make_platform("unknown", typical_seconds=0)
    assert get_seconds_per_call([platform, unknown]) == {"fake": 30, "unknown": None}
    questions = [f"{number}？" for number in range(20)]
    old = run_and_end(
        make_diagnosis(owner, [platform], questions=questions), *[make_valid_result(milliseconds=60_000)] * 20
    )
    new = run_and_end(
        make_diagnosis(owner, [platform], questions=questions), *[make_valid_result(milliseconds=2_000)] * 20
    )
    assert get_seconds_per_call([platform])["fake"] == 2
    body = client.get("/api/platforms").json()
    assert [(one["seconds_per_call"], one["concurrency"], one["requests_per_minute"]) for one in body] == [
        (2, 4, 75_000),
        (None, 4, 75_000),
    ]
    Answer.objects.filter(diagnosis=new).update(answered_at=timezone.now() - timedelta(days=8))
    assert get_seconds_per_call([platform])["fake"] == 60
    Answer.objects.filter(diagnosis=old).update(is_carried_over=True)  # counted where they were asked
    assert get_seconds_per_call([platform])["fake"] == 30


def _get_estimates(stream: Any) -> list[int | None]:
    events = Event.objects.filter(stream=stream, kind="progress").order_by("seq")
    return [event.data["eta_s"] for event in events]


def test_uneven_platforms_are_estimated_by_the_slowest(owner: AbstractUser, client: Client) -> None:
    """Two platforms: the fast one's answers arrive first and must not make the estimate that of the fast one."""
    fast = make_platform("fast", concurrency=8, typical_seconds=1)
    slow = make_platform("slow", concurrency=1, typical_seconds=9)
    diagnosis = make_diagnosis(owner, [fast, slow], questions=["甲？", "乙？", "丙？"])
    run = state_machine.begin_run(diagnosis.pk)
    assert run
    calls = {pk: [call for call in run.calls if call.platform.pk == pk] for pk in ("fast", "slow")}
    state_machine.record_answers(run, [(call, make_valid_result(milliseconds=1_000)) for call in calls["fast"]])
    assert _get_estimates(diagnosis.stream) == [None, 27, 27, 27, 27]
    assert client.get(f"/api/diagnoses/{diagnosis.pk}").json()["eta_s"] == 27
    for call in calls["slow"]:  # slower than before: the estimate must not go up
        state_machine.record_answers(run, [(call, make_valid_result(milliseconds=20_000))])
    assert _get_estimates(diagnosis.stream)[5:] == [27, 17, 0]
    state_machine.end_diagnosis(diagnosis.pk)
    assert client.get(f"/api/diagnoses/{diagnosis.pk}").json()["eta_s"] is None


def test_unknown_stays_unknown_until_an_answer(owner: AbstractUser) -> None:
    platforms = [make_platform("known", typical_seconds=1), make_platform("unknown", typical_seconds=0, concurrency=1)]
    diagnosis = make_diagnosis(owner, platforms, questions=["甲？", "乙？"])
    run = state_machine.begin_run(diagnosis.pk)
    assert run
    known = [call for call in run.calls if call.platform.pk == "known"]
    unknown = [call for call in run.calls if call.platform.pk == "unknown"]
    state_machine.record_answers(run, [(call, make_valid_result(milliseconds=900)) for call in known])
    assert set(_get_estimates(diagnosis.stream)) == {None}
    state_machine.record_answers(run, [(unknown[0], make_valid_result(milliseconds=4_000))])
    assert _get_estimates(diagnosis.stream)[-1] == 4


def test_estimate_ends_at_the_deadline(owner: AbstractUser, settings: Any) -> None:
    settings.DIAGNOSIS_TIMEOUT_SECONDS = 30
    diagnosis = make_diagnosis(owner, [make_platform(typical_seconds=100)])
    assert state_machine.begin_run(diagnosis.pk)
    assert _get_estimates(diagnosis.stream) == [None, 30]
