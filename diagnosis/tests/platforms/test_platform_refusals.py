"""Classification of error responses, with the bodies of each platform, over HTTP and in whole runs."""

import json
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser
from hypothesis import given
from hypothesis import strategies as st

from diagnosis.choices import AnswerState, DiagnosisStatus, FailureReason, WireProtocol
from diagnosis.exceptions import CallFailed
from diagnosis.models import Diagnosis, Platform
from diagnosis.platforms.errors import (
    MAX_PLATFORM_WAIT_SECONDS,
    ErrorResponse,
    classify_error_response,
    get_platform_wait_seconds,
)
from diagnosis.platforms.seed import REAL_PLATFORMS
from diagnosis.tests.conftest import build_fake_base_url
from testing.data.calls import ask_platform
from testing.data.diagnoses import API_KEY_VARIABLE, make_diagnosis, make_platform, run_diagnoses
from testing.fakes.platform import (
    Behaviour,
    FakePlatform,
    build_completion,
    hold_response,
    reset_connection,
    respond_with,
    respond_with_answer,
    respond_with_error,
    respond_with_html,
)
from testing.fakes.platform_bodies import PLATFORM_ERROR_CASES, PlatformErrorCase
from testing.services import get_load_factor

# The session is one per event loop: these tests share a loop.
in_one_loop = pytest.mark.asyncio(loop_scope="module")

BASE_URLS = {seeded.pk: seeded.base_url for seeded in REAL_PLATFORMS if seeded.protocol == WireProtocol.CHAT}

# reason: code that users see, state of the answer, whether the call is retried, whether the platform is paused
MEANINGS = {
    FailureReason.QUOTA: ("AI_QUOTA_EXHAUSTED", AnswerState.FAILED, False, True),
    FailureReason.RATE: ("AI_RATE_LIMIT", AnswerState.FAILED, True, False),
    FailureReason.FILTERED: ("CONTENT_FILTERED", AnswerState.FILTERED, False, False),
    FailureReason.KEY: ("AI_PLATFORM_ERROR", AnswerState.FAILED, False, True),
    FailureReason.MODEL: ("AI_PLATFORM_ERROR", AnswerState.FAILED, False, True),
    FailureReason.BUSY: ("AI_PLATFORM_ERROR", AnswerState.FAILED, True, False),
    FailureReason.UNREADABLE: ("AI_PLATFORM_ERROR", AnswerState.FAILED, True, False),
    FailureReason.TIMEOUT: ("NETWORK_TIMEOUT", AnswerState.FAILED, True, False),
    FailureReason.CONNECTION: ("AI_PLATFORM_ERROR", AnswerState.FAILED, True, False),
    FailureReason.CONFIG: ("AI_PLATFORM_ERROR", AnswerState.FAILED, False, True),
    FailureReason.BUG: ("SERVER_ERROR", AnswerState.FAILED, False, False),
}


NO_TIME_FOR_ANOTHER_CALL = 100_000.0


def test_every_seeded_platform_has_error_responses() -> None:
    assert {refused.platform for refused in PLATFORM_ERROR_CASES} == set(BASE_URLS)


@in_one_loop
@pytest.mark.parametrize("refused", PLATFORM_ERROR_CASES, ids=str)
@pytest.mark.usefixtures("at_their_own_hosts")
async def test_error_is_classified_by_its_body_first(refused: PlatformErrorCase, fake: FakePlatform) -> None:
    fake.set_behaviour(respond_with_error(refused.status, refused.body, refused.headers))
    platform = Platform(
        pk=refused.platform,
        model="m",
        key_variable=API_KEY_VARIABLE,
        base_url=build_fake_base_url(BASE_URLS[refused.platform], fake),
    )
    with pytest.raises(CallFailed) as failure:
        await ask_platform(platform, "问", seed=1, timeout_seconds=20)
    code, _state, is_retryable, _rests = MEANINGS[refused.reason]
    assert failure.value.reason == refused.reason, failure.value.detail
    assert (failure.value.code.value, failure.value.is_retryable) == (code, is_retryable)
    assert failure.value.wait_seconds == refused.wait_seconds
    assert fake.count() == 1


@in_one_loop
@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (307, FailureReason.UNREADABLE),
        (400, FailureReason.BUG),
        (401, FailureReason.KEY),
        (402, FailureReason.QUOTA),
        (403, FailureReason.KEY),
        (404, FailureReason.MODEL),
        (408, FailureReason.TIMEOUT),
        (413, FailureReason.BUG),
        (429, FailureReason.RATE),
        (451, FailureReason.FILTERED),
        (500, FailureReason.BUSY),
        (502, FailureReason.BUSY),
        (503, FailureReason.BUSY),
        (504, FailureReason.TIMEOUT),
    ],
)
async def test_status_decides_without_a_known_code(fake: FakePlatform, status: int, reason: FailureReason) -> None:
    platform = Platform(pk="p", model="m", key_variable=API_KEY_VARIABLE, base_url=fake.base_url)
    bodies: list[Any] = ["", "<html>nginx</html>", "not json", "[]", "[1]", "null", "{}"]
    for body in [*bodies, {"error": None}, {"error": "x"}, {"error": {"code": 9, "details": ["x"]}}]:
        fake.set_behaviour(respond_with_error(status, body))
        with pytest.raises(CallFailed) as failure:
            await ask_platform(platform, "问", seed=1, timeout_seconds=20)
        assert failure.value.reason == reason, body


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["error", "code", "type", "status", "message", "details", "x"]), inner)
    ),
    max_leaves=12,
)


@given(
    st.integers(100, 599),
    _JSON,
    st.text() | st.floats().map(str) | st.integers(-10, 10**9).map(str),
    st.sampled_from(["dashscope.aliyuncs.com", "127.0.0.1", ""]),
)
def test_arbitrary_bodies_are_classified_without_errors(status: int, body: Any, retry_after: str, host: str) -> None:
    refusal = ErrorResponse(status, body, {"retry-after": retry_after}, host)
    assert classify_error_response(refusal) in MEANINGS
    seconds = get_platform_wait_seconds(refusal)
    assert seconds is None or 0 < seconds <= MAX_PLATFORM_WAIT_SECONDS


@pytest.mark.parametrize(
    ("message", "seconds"),
    [
        ("please try again after 1 seconds", 1),
        ("Please try again in 20s.", 20),
        ("Please try again in 8.64s. Visit", 8.64),
        ("Please try again in 333ms.", 0.333),
        ("Please try again in 1m30.5s.", 90.5),
        ("Please try again in 7m12s.", MAX_PLATFORM_WAIT_SECONDS),
        ("retry after 2 minutes", MAX_PLATFORM_WAIT_SECONDS),
        ("Please retry in 45.578569677s.", 45.578569677),
        ("in 2026 and after 3 attempts", None),
        ("in 5 models", None),
        ("after 1e9 s", None),
        ("", None),
        ("请求过于频繁，请在 17 秒后重试", 17),
        ("请等待1分30秒后再试", 90),
        ("500毫秒后重试", 0.5),
        ("3分钟之后再试", MAX_PLATFORM_WAIT_SECONDS),
        ("2小时以后恢复", MAX_PLATFORM_WAIT_SECONDS),
        ("第 17 秒的限额", None),
    ],
)
def test_wait_is_parsed_from_the_message(message: str, seconds: float | None) -> None:
    assert get_platform_wait_seconds(ErrorResponse(429, {"error": {"message": message}}, {})) == seconds


@pytest.mark.django_db(transaction=True)
def test_malformed_responses_do_not_crash_the_run(owner: AbstractUser, fake: FakePlatform, settings: Any) -> None:
    settings.CALL_ATTEMPTS = 1
    odd: list[tuple[Behaviour, AnswerState]] = [
        (respond_with_error(400, json.dumps({"error": {"message": "\ud800\x00"}})), AnswerState.FAILED),
        (respond_with_error(500, "长" * 200_000), AnswerState.FAILED),
        (respond_with_error(401, {"error": [[["x"]]]}), AnswerState.FAILED),
        (respond_with("[" * 50_000), AnswerState.FAILED),
        (respond_with(json.dumps(build_completion("山岚\ud83d\x00"))), AnswerState.VALID),
        (respond_with(build_completion("山岚", model="m" * 300)), AnswerState.VALID),
        (respond_with(build_completion("山岚") | {"model": {"name": "m"}}), AnswerState.VALID),
        (respond_with(build_completion("山岚" * 50_000)), AnswerState.VALID),
    ]
    platforms = []
    for number, (behaviour, _state) in enumerate(odd):
        fake.set_behaviour(behaviour, model=f"p{number}")
        platforms.append(make_platform(f"p{number}", base_url=fake.base_url))
    (diagnosis,) = run_diagnoses(make_diagnosis(owner, platforms))
    states = dict(diagnosis.answers.values_list("platform_id", "state"))
    assert states == {f"p{number}": state for number, (_behaviour, state) in enumerate(odd)}
    assert (diagnosis.status, diagnosis.crashes) == (DiagnosisStatus.PARTIAL, 0)


@pytest.mark.django_db(transaction=True)
def test_run_past_its_deadline_keeps_stored_answers(owner: AbstractUser, fake: FakePlatform, settings: Any) -> None:
    settings.DIAGNOSIS_TIMEOUT_SECONDS = 3 * get_load_factor()
    fake.set_behaviour(hold_response(), model="slow")
    platforms = [make_platform(pk, base_url=fake.base_url) for pk in ("quick", "slow")]
    (diagnosis,) = run_diagnoses(make_diagnosis(owner, platforms))
    assert (diagnosis.status, diagnosis.error_code) == (DiagnosisStatus.TIMED_OUT, "DIAGNOSIS_TIMEOUT")
    assert set(diagnosis.answers.values_list("platform_id", "state", "reason", "error_code")) == {
        ("quick", AnswerState.VALID, "", ""),
        ("slow", AnswerState.FAILED, FailureReason.DEADLINE, "DIAGNOSIS_TIMEOUT"),
    }
    assert diagnosis.report
    assert (diagnosis.report["valid"], diagnosis.report["failed"]) == (1, 1)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("at_their_own_hosts")
@pytest.mark.parametrize("third", [0, 1, 2])
def test_run_stores_the_reason_of_each_error_response(
    owner: AbstractUser, fake: FakePlatform, settings: Any, third: int
) -> None:
    settings.CALL_ATTEMPTS = 2
    chosen = [refused for refused in PLATFORM_ERROR_CASES[third::3] if (refused.wait_seconds or 0) <= 2]
    cases = {f"p{number}": refused for number, refused in enumerate(chosen)}
    platforms = []
    for pk, refused in cases.items():
        fake.set_behaviour(respond_with_error(refused.status, refused.body, refused.headers), model=pk)
        base_url = build_fake_base_url(BASE_URLS[refused.platform], fake)
        platforms.append(make_platform(pk, base_url=base_url, typical_seconds=NO_TIME_FOR_ANOTHER_CALL))
    good = make_platform("good", base_url=fake.base_url)
    (diagnosis,) = run_diagnoses(make_diagnosis(owner, [*platforms, good]))
    for stored in diagnosis.answers.exclude(platform=good):
        refused = cases[stored.platform_id]
        code, state, is_retried, rests = MEANINGS[refused.reason]
        seen = (stored.reason, stored.error_code, stored.state, stored.attempts, fake.count(model=stored.platform_id))
        # A refusal for the rate is repeated while the deadline allows, and not counted among the attempts.
        calls = 2 if is_retried and refused.reason != FailureReason.RATE and not refused.wait_seconds else 1
        assert seen == (refused.reason, code, state, calls, calls), str(refused)
        platform = Platform.objects.get(pk=stored.platform_id)
        assert (platform.paused_until is not None) == rests, str(refused)
        assert platform.pause_reason == (refused.reason if rests else "")
    assert diagnosis.status == DiagnosisStatus.PARTIAL
    assert diagnosis.answers.get(platform=good).state == AnswerState.VALID
    assert diagnosis.valid + diagnosis.failed + diagnosis.filtered == diagnosis.planned == len(cases) + 1


def _fail_each_in_its_own_way(fake: FakePlatform) -> list[Platform]:
    ways = {
        "quota": respond_with_error(402, {"error": {"message": "Insufficient Balance"}}),
        "rate": respond_with_error(429, {"error": {"code": "rate_limit_exceeded"}}, {"Retry-After": "1"}),
        "key": respond_with_error(401, {"error": {"code": "invalid_api_key"}}),
        "model": respond_with_error(404, {"error": {"code": "model_not_found"}}),
        "busy": respond_with_error(503, "<html>busy</html>"),
        "unreadable": respond_with_html(),
        "timeout": hold_response(),
        "connection": reset_connection(),
        "bug": respond_with_error(400, {"error": {"code": "invalid_request_error"}}),
    }
    for model, behaviour in ways.items():
        fake.set_behaviour(behaviour, model=model)
    return [make_platform(model, base_url=fake.base_url, typical_seconds=NO_TIME_FOR_ANOTHER_CALL) for model in ways]


@pytest.mark.django_db(transaction=True)
def test_diagnosis_fails_with_all_reasons_if_every_platform_fails(
    owner: AbstractUser, fake: FakePlatform, settings: Any
) -> None:
    settings.CALL_ATTEMPTS, settings.CALL_TIMEOUT_SECONDS = 1, 4
    (diagnosis,) = run_diagnoses(make_diagnosis(owner, _fail_each_in_its_own_way(fake)))
    assert (diagnosis.status, diagnosis.error_code) == (DiagnosisStatus.FAILED, "DIAGNOSIS_FAILED")
    assert (diagnosis.valid, diagnosis.failed, diagnosis.filtered) == (0, 9, 0)
    reasons = {stored.platform_id: stored.reason for stored in diagnosis.answers.all()}
    assert reasons == {pk: pk for pk in reasons}, "each platform is named after its reason"
    assert diagnosis.report
    assert {failure["platform"]: failure["code"] for failure in diagnosis.report["failures"]} == {
        pk: MEANINGS[FailureReason(pk)][0] for pk in reasons
    }
    assert [brand["figures"]["mention_rate"] for brand in diagnosis.report["brands"]] == [None]


@pytest.mark.django_db(transaction=True)
def test_failing_platform_does_not_affect_other_platforms(
    owner: AbstractUser, fake: FakePlatform, settings: Any
) -> None:
    settings.CALL_ATTEMPTS = 1
    fake.set_behaviour(respond_with_answer("山岚很好"), model="good")
    platforms = [*_fail_each_in_its_own_way(fake), make_platform("good", base_url=fake.base_url)]
    fake.set_behaviour(respond_with_error(504), model="timeout")  # said, and not waited for
    (diagnosis,) = run_diagnoses(make_diagnosis(owner, platforms, questions=["甲？", "乙？"], repeats=2))
    assert diagnosis.status == DiagnosisStatus.PARTIAL
    good = diagnosis.answers.filter(platform="good")
    assert [(stored.state, stored.text) for stored in good] == [(AnswerState.VALID, "山岚很好")] * 4
    assert not diagnosis.answers.exclude(platform="good").filter(state=AnswerState.VALID).exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("behaviours", "status"),
    [
        (("good", "good"), DiagnosisStatus.COMPLETED),
        (("good", "filtered"), DiagnosisStatus.COMPLETED),
        (("good", "failed"), DiagnosisStatus.PARTIAL),
        (("filtered", "filtered"), DiagnosisStatus.FAILED),
        (("filtered", "failed"), DiagnosisStatus.FAILED),
        (("failed", "failed"), DiagnosisStatus.FAILED),
    ],
)
def test_final_status_follows_from_the_answers(
    owner: AbstractUser, fake: FakePlatform, behaviours: tuple[str, str], status: DiagnosisStatus
) -> None:
    ways = {
        "good": respond_with_answer("山岚"),
        "filtered": respond_with_error(400, {"error": {"type": "content_filter"}}),
        "failed": respond_with_error(401),
    }
    platforms = []
    for number, name in enumerate(behaviours):
        fake.set_behaviour(ways[name], model=f"p{number}")
        platforms.append(make_platform(f"p{number}", base_url=fake.base_url))
    (diagnosis,) = run_diagnoses(make_diagnosis(owner, platforms))
    assert diagnosis.status == status
    assert Diagnosis.objects.get(pk=diagnosis.pk).is_final
