"""What users type is checked before it is stored, within a time limit and by the policy of each result."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser
from django.core.cache import cache
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from diagnosis.models import Correction, Diagnosis, Platform, Schedule
from diagsite.accounts.tokens import issue_token
from diagsite.moderation.services import split_into_pieces
from testing.data.diagnoses import make_diagnosis, make_platform, make_user, make_valid_result, run_and_end
from testing.fakes.tencent import FakeTencent
from testing.fakes.wechat import FakeWeChat
from testing.services import find_free_port

pytestmark = pytest.mark.django_db

OPENID = "openid-of-code-1"
BODY: dict[str, Any] = {
    "brand": "山岚",
    "aliases": ["Shanlan"],
    "competitors": [{"name": "木石坊", "aliases": ["MSF"], "sites": ["msf.example.cn"]}],
    "questions": ["哪个手冲壶好？", "送礼选哪个？"],
    "platforms": ["fake"],
}


@pytest.fixture(autouse=True)
def platform(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_API_KEY", "sk-of-these-tests")
    make_platform()


@pytest.fixture
def wechat(settings: Any) -> Iterator[FakeWeChat]:
    cache.clear()
    with FakeWeChat() as server:
        settings.WECHAT_API_BASE, settings.WECHAT_APP_ID, settings.WECHAT_APP_SECRET = server.url, "wx1", "the-secret-1"
        settings.MODERATION_MINIPROGRAM, settings.MODERATION_TIMEOUT_SECONDS = "wechat", 5
        yield server


@pytest.fixture
def tencent(settings: Any) -> Iterator[FakeTencent]:
    settings.TENCENT_SECRET_ID, settings.TENCENT_SECRET_KEY = "AKID1", "key-of-these-tests"
    with FakeTencent(settings.TENCENT_SECRET_ID, settings.TENCENT_SECRET_KEY) as server:
        settings.TENCENT_MODERATION_BASE = server.url
        yield server


@pytest.fixture
def user() -> AbstractUser:
    return make_user("wx-1", wechat_openid=OPENID)


@pytest.fixture
def client(user: AbstractUser) -> Client:
    return sign_in(user)


def sign_in(user: Any) -> Client:
    return Client(headers={"Authorization": f"Bearer {issue_token(user).token}", "Accept-Language": "zh-CN"})


def order(client: Client, key: str = "", **changes: Any) -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    return client.post("/api/diagnoses", BODY | changes, content_type="application/json", headers=headers)


def test_everything_typed_is_checked_once_before_it_is_stored(client: Client, wechat: FakeWeChat) -> None:
    assert order(client, "key-1").status_code == 202
    assert wechat.checked == ["山岚\nShanlan\n木石坊\nMSF\nmsf.example.cn\n哪个手冲壶好？\n送礼选哪个？"]
    assert order(client, "key-1").status_code == 200
    assert len(wechat.checked) == 1, "a repeated request is not checked again"


@pytest.mark.parametrize(
    ("word", "field"),
    [("MSF", "competitors.0.aliases.0"), ("msf.", "competitors.0.sites.0"), ("送礼", "questions.1"), ("山岚", "brand")],
)
def test_risky_text_is_refused_with_its_field(client: Client, wechat: FakeWeChat, word: str, field: str) -> None:
    wechat.judged_words = {word: "risky"}
    refused = order(client)
    assert (refused.status_code, refused.json()["code"]) == (422, "CONTENT_REJECTED")
    assert refused.json()["fields"] == {field: "这段文字没有通过内容安全检查，请修改。"}
    assert not Diagnosis.objects.exists()


def test_texts_that_are_risky_only_together_are_all_named(client: Client, wechat: FakeWeChat) -> None:
    wechat.judged_words = {"山岚\nShanlan\n木石坊": "risky"}
    assert list(order(client).json()["fields"]) == ["brand", "aliases.0", "competitors.0.name"]


def test_doubtful_text_is_accepted(client: Client, wechat: FakeWeChat) -> None:
    wechat.judged_words = {"山岚": "review"}
    assert order(client).status_code == 202


@pytest.mark.parametrize("code", [-1, 40001, 42001])
def test_passing_failure_of_wechat_is_retried(client: Client, wechat: FakeWeChat, code: int) -> None:
    wechat.queued_check_codes = [code]
    assert order(client).status_code == 202
    assert len(wechat.checked) == 2


@pytest.mark.parametrize("codes", [[45009], [-1, -1], [48001], [44991]])
def test_request_is_refused_or_accepted_without_a_verdict(
    client: Client, wechat: FakeWeChat, settings: Any, codes: list[int]
) -> None:
    wechat.queued_check_codes = list(codes)
    refused = order(client)
    assert (refused.status_code, refused.json()["code"]) == (503, "CONTENT_CHECK_UNAVAILABLE")
    assert refused["Retry-After"] == "10"
    assert not Diagnosis.objects.exists()
    settings.MODERATION_UNAVAILABLE = "accept"
    wechat.queued_check_codes = list(codes)
    assert order(client).status_code == 202


def test_tencent_stands_in_while_wechat_refuses(client: Client, wechat: FakeWeChat, tencent: FakeTencent) -> None:
    wechat.queued_check_codes = [45009, 45009]
    tencent.judged_words = {"木石坊": "Block"}
    assert list(order(client).json()["fields"]) == ["competitors.0.name"]
    tencent.judged_words = {"木石坊": "Review"}
    assert order(client).status_code == 202


@pytest.mark.parametrize("is_hanging", [True, False])
def test_request_waits_no_longer_than_the_limit(
    client: Client, wechat: FakeWeChat, settings: Any, is_hanging: bool
) -> None:
    settings.MODERATION_TIMEOUT_SECONDS = 0.8
    if is_hanging:
        wechat.may_respond.clear()
    else:
        settings.WECHAT_API_BASE = f"http://127.0.0.1:{find_free_port()}"
    started_at = time.monotonic()
    assert order(client).json()["code"] == "CONTENT_CHECK_UNAVAILABLE"
    assert time.monotonic() - started_at < 8


def test_user_without_a_recent_visit_signs_in_again(client: Client, wechat: FakeWeChat, user: AbstractUser) -> None:
    wechat.users_without_visit = {OPENID}
    assert order(client).status_code == 401
    signed_in = client.post("/api/session", {"code": "code-1"}, content_type="application/json")
    assert signed_in.status_code == 200
    assert order(sign_in(user)).status_code == 202


def test_sign_in_that_does_not_help_is_asked_for_once(client: Client, wechat: FakeWeChat) -> None:
    wechat.queued_check_codes = [61010, 61010]
    assert [order(client).status_code for _ in range(2)] == [401, 503]


def test_corrections_and_schedules_are_checked(client: Client, wechat: FakeWeChat, user: AbstractUser) -> None:
    ended = run_and_end(make_diagnosis(user, [Platform.objects.get()]), make_valid_result())
    wechat.judged_words = {"坏词": "risky"}
    path = f"/api/diagnoses/{ended.pk}"
    requests: list[tuple[str, dict[str, Any], str]] = [
        (f"{path}/corrections", {"kind": "alias", "brand": "山岚", "alias": "坏词"}, "alias"),
        (f"{path}/competitors", {"name": "坏词"}, "name"),
    ]
    for address, body, field in requests:
        refused = client.post(address, body, content_type="application/json")
        assert (refused.json()["code"], list(refused.json()["fields"])) == ("CONTENT_REJECTED", [field])
    wechat.judged_words = {"山岚": "risky"}
    schedule = {"diagnosis": str(ended.pk), "every": "daily", "budget_calls": 100, "budget_money": 10}
    refused = client.post("/api/schedules", schedule, content_type="application/json")
    assert list(refused.json()["fields"]) == ["brand"]
    assert not Correction.objects.exists()
    assert not Schedule.objects.exists()
    assert ended.brands.count() == 1


def test_web_users_are_checked_by_tencent_if_it_is_set(wechat: FakeWeChat, tencent: FakeTencent, settings: Any) -> None:
    client = sign_in(make_user("web-1"))
    assert order(client).status_code == 202
    assert (tencent.checked, wechat.checked) == ([], [])
    settings.MODERATION_WEB = "tencent"
    tencent.judged_words = {"Shanlan": "Block"}
    assert list(order(client).json()["fields"]) == ["aliases.0"]
    tencent.status = 500
    assert order(client).json()["code"] == "CONTENT_CHECK_UNAVAILABLE"
    tencent.status, tencent.secret_key = 200, "another-key"
    assert order(client).json()["code"] == "CONTENT_CHECK_UNAVAILABLE"


@given(st.dictionaries(st.text(min_size=1), st.text(min_size=1, max_size=40), max_size=12), st.integers(10, 60))
def test_pieces_hold_every_text_and_fit(texts: dict[str, str], limit: int) -> None:
    pieces = list(split_into_pieces(texts, limit))
    assert all(len("\n".join(text for _field, text in piece)) <= limit for piece in pieces)
    joined: dict[str, str] = {}
    for field, part in (each for piece in pieces for each in piece):
        joined[field] = joined.get(field, "") + part
    assert joined == texts
