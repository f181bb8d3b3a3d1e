"""Sign-in and sign-out: who gets a token, what it is good for, and what a bad one is answered."""

import json
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core import signing
from django.db import connection
from django.test import Client
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from diagsite.accounts import tokens, wechat
from diagsite.models import RevokedToken, User
from progress.access import Credential

SALT = "diagsite.session"  # of diagsite/accounts/tokens.py

DEVICE = "device-of-a-test"
ORDER = {"brand": "山岚", "questions": ["?"], "platforms": ["none"]}


@pytest.fixture
def client() -> Client:
    """As strict about forged requests as in production."""
    return Client(enforce_csrf_checks=True)


@pytest.fixture
def user(db: None) -> User:
    return User.objects.create_user(username=uuid.uuid4().hex)


def sign_in(client: Client, **body: Any) -> Any:
    return client.post("/api/session", json.dumps(body), content_type="application/json")


def ask(client: Client, token: str, path: str = "/api/platforms") -> Any:
    return client.get(path, headers={"Authorization": f"Bearer {token}"})


def order(client: Client, token: str = "", **headers: str) -> Any:
    """A call that changes something; 422 is as far as it gets."""
    if token:
        headers["Authorization"] = f"Bearer {token}"
    return client.post("/api/diagnoses", json.dumps(ORDER), content_type="application/json", headers=headers)


def assert_problem(answer: Any, status: int, code: str) -> dict[str, Any]:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.content.decode()
    assert answer["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    return body


def token_that(user: User, **claims: Any) -> str:
    """Signed by us, with other claims than ours."""
    until = (timezone.now() + timedelta(hours=1)).timestamp()
    ours = {"user": user.pk, "id": uuid.uuid4().hex, "until": until}
    return signing.dumps(ours | claims, salt="diagsite.session")


# Getting a token


@pytest.mark.django_db
def test_a_device_gets_a_token_that_lasts_and_names_its_user(client: Client, settings: Settings) -> None:
    settings.TOKEN_LIFETIME_SECONDS = 600
    answer = sign_in(client, device_id=DEVICE)
    assert answer.status_code == 200
    body = answer.json()
    left = datetime.fromisoformat(body["expires_at"]) - datetime.now(UTC)
    assert timedelta(seconds=500) < left <= timedelta(seconds=600)
    assert body["expires_at"].endswith("Z")
    assert set(body["user"]) == {"id", "name", "is_staff"}
    assert ask(client, body["token"]).status_code == 200


@pytest.mark.django_db
def test_the_same_device_is_the_same_user_and_another_is_another(client: Client) -> None:
    ids = [sign_in(client, device_id=device).json()["user"]["id"] for device in (DEVICE, DEVICE, f"{DEVICE}-2")]
    assert ids[0] == ids[1] != ids[2]


@pytest.mark.django_db(transaction=True)
def test_a_device_that_signs_in_many_times_at_once_is_one_user() -> None:
    def sign_in_elsewhere(_number: int) -> int:
        try:
            return int(sign_in(Client(), device_id=DEVICE).json()["user"]["id"])
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(sign_in_elsewhere, range(16)))) == 1


@pytest.mark.django_db
def test_without_demo_a_device_id_is_good_for_nothing(client: Client, settings: Settings) -> None:
    settings.DEMO = False
    assert_problem(sign_in(client, device_id=DEVICE), 403, "FORBIDDEN")
    assert not User.objects.exists()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "code"),
        ({"code": "a", "device_id": DEVICE}, "code"),
        ({"code": ""}, "code"),
        ({"code": "x" * 257}, "code"),
        ({"code": 5}, "code"),
        ({"device_id": "short"}, "device_id"),
        ({"device_id": "x" * 65}, "device_id"),
        ({"device_id": "with space"}, "device_id"),
        ({"device_id": "line\nbreak-line"}, "device_id"),
        ({"device_id": "nul\x00nul-nul"}, "device_id"),
    ],
)
def test_a_sign_in_that_cannot_be_read_names_the_field(client: Client, body: dict[str, Any], field: str) -> None:
    problem = assert_problem(sign_in(client, **body), 422, "INVALID_INPUT")
    assert list(problem["fields"]) == [field]


@pytest.mark.parametrize("body", ["", "{", "[]", "null", '"text"', "\xff", "[" * 5000])
def test_a_sign_in_that_is_no_object_is_told_so(client: Client, body: str) -> None:
    answer = client.post("/api/session", body, content_type="application/json")
    assert answer.status_code in (400, 422)
    assert answer.json()["code"] in ("DATA_FORMAT_ERROR", "INVALID_INPUT")


@pytest.mark.django_db
def test_who_was_switched_off_cannot_sign_in(client: Client) -> None:
    sign_in(client, device_id=DEVICE)
    User.objects.update(is_active=False)
    assert_problem(sign_in(client, device_id=DEVICE), 403, "FORBIDDEN")


@pytest.mark.django_db
def test_a_wechat_code_is_exchanged_for_the_user_of_its_openid(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wechat, "exchange_login_code", lambda code: f"openid-of-{code.split('-')[0]}")
    first, again, other = (sign_in(client, code=code).json()["user"] for code in ("ann-1", "ann-2", "bob-1"))
    assert first == again != other
    assert User.objects.get(pk=first["id"]).wechat_openid == "openid-of-ann"
    assert "openid" not in json.dumps(first)


# What a token is good for


@pytest.mark.parametrize(
    "token",
    [
        pytest.param("x", id="a letter"),
        pytest.param("a.b.c", id="three parts"),
        pytest.param("令牌", id="Chinese"),
        pytest.param("\x00", id="NUL"),
        pytest.param(" ", id="a space"),
        pytest.param("x" * 5000, id="long"),
        pytest.param(signing.dumps({"user": 1, "id": uuid.uuid4().hex, "until": 4e9}), id="for something else"),
        pytest.param(signing.dumps("a string", salt=SALT), id="no object"),
        pytest.param(signing.dumps({"user": 1}, salt=SALT), id="half of it"),
        pytest.param(signing.dumps({"user": "x", "id": uuid.uuid4().hex, "until": 4e9}, salt=SALT), id="user x"),
        pytest.param(signing.dumps({"user": 1, "id": "not-a-uuid", "until": 4e9}, salt=SALT), id="no UUID"),
        pytest.param(signing.dumps({"user": 1, "id": uuid.uuid4().hex, "until": "soon"}, salt=SALT), id="until soon"),
        pytest.param(signing.dumps({"user": 1, "id": uuid.uuid4().hex, "until": 1e300}, salt=SALT), id="for ever"),
        pytest.param(signing.dumps({"user": 10**30, "id": uuid.uuid4().hex, "until": 4e9}, salt=SALT), id="user 1e30"),
    ],
)
@pytest.mark.django_db
def test_a_token_that_we_did_not_give_out_is_none(client: Client, token: str) -> None:
    assert tokens.verify_token(token) is None
    assert_problem(ask(client, token), 401, "UNAUTHORIZED")


@given(st.text(max_size=60))
def test_whatever_the_token_is_it_never_fails(token: str) -> None:
    assert tokens.verify_token(token) is None


@pytest.mark.django_db
def test_a_token_changed_in_one_character_is_none(client: Client, user: User) -> None:
    token = tokens.issue_token(user).token
    for place in range(0, len(token), 7):
        changed = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
        # The last character of a part may differ and yet mean the same bits.
        if changed[place - 1 : place + 2].count(":") == 0 and place < len(token) - 1:
            assert tokens.verify_token(changed) is None


def _expired(user: User) -> str:
    return token_that(user, until=(timezone.now() - timedelta(seconds=1)).timestamp())


def _revoked(user: User) -> str:
    token = tokens.issue_token(user).token
    tokens.revoke_token(token)
    return token


def _of_a_user_who_was_switched_off(user: User) -> str:
    token = tokens.issue_token(user).token
    User.objects.filter(pk=user.pk).update(is_active=False)
    return token


def _of_a_user_who_is_gone(user: User) -> str:
    token = tokens.issue_token(user).token
    User.objects.filter(pk=user.pk).delete()
    return token


def _forged(user: User) -> str:
    return "forged"


BAD: list[Callable[[User], str]] = [
    _forged,
    _expired,
    _revoked,
    _of_a_user_who_was_switched_off,
    _of_a_user_who_is_gone,
]


@pytest.mark.parametrize("bad", BAD)
def test_a_bad_token_sends_to_sign_in_whatever_the_call(client: Client, user: User, bad: Callable[[User], str]) -> None:
    token = bad(user)
    assert tokens.verify_token(token) is None
    for answer in (
        ask(client, token),
        ask(client, token, f"/api/streams/{uuid.uuid4()}/events"),
        order(client, token),
        client.delete("/api/session", headers={"Authorization": f"Bearer {token}"}),
    ):
        problem = assert_problem(answer, 401, "UNAUTHORIZED")
        assert problem["copy"]["action"]["kind"] == "sign_in"


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "Bearer"])
def test_the_scheme_is_read_in_any_case(client: Client, user: User, scheme: str) -> None:
    token = tokens.issue_token(user).token
    answer = client.get("/api/platforms", headers={"Authorization": f"{scheme} {token}"})
    assert answer.status_code == 200


@pytest.mark.django_db
def test_another_scheme_is_no_sign_in(client: Client) -> None:
    answer = client.get("/api/platforms", headers={"Authorization": "Basic YTpi"})
    assert_problem(answer, 401, "UNAUTHORIZED")


@pytest.mark.django_db
def test_who_gives_nothing_is_sent_to_sign_in(client: Client) -> None:
    for answer in (client.get("/api/platforms"), order(client), client.delete("/api/session")):
        assert_problem(answer, 401, "UNAUTHORIZED")


# Signing out


def test_signing_out_revokes_this_token_and_no_other(client: Client, user: User) -> None:
    phone, tablet = (tokens.issue_token(user).token for _ in range(2))
    answer = client.delete("/api/session", headers={"Authorization": f"Bearer {phone}"})
    assert (answer.status_code, answer.content) == (204, b"")
    assert_problem(ask(client, phone), 401, "UNAUTHORIZED")
    assert ask(client, tablet).status_code == 200
    assert RevokedToken.objects.get().expires_at > timezone.now()


def test_revoking_again_or_nothing_is_nothing(user: User) -> None:
    token = tokens.issue_token(user).token
    for revoked in (token, token, "forged", _expired(user)):
        tokens.revoke_token(revoked)
    assert tokens.verify_token(token) is None


# The page's own session


def page(client: Client, user: User) -> str:
    """Signed in as a page is; returns its CSRF token."""
    client.force_login(user)
    client.get("/")
    return client.cookies["csrftoken"].value


def test_the_page_reads_with_its_session(client: Client, user: User) -> None:
    page(client, user)
    assert client.get("/api/platforms").status_code == 200


def test_the_page_writes_with_its_session_and_the_csrf_token_only(client: Client, user: User) -> None:
    token = page(client, user)
    assert_problem(order(client), 403, "FORBIDDEN")
    assert_problem(order(client, **{"X-CSRFToken": "x" * 32}), 403, "FORBIDDEN")
    assert_problem(order(client, **{"X-CSRFToken": token}), 422, "INVALID_INPUT")  # as far as the order itself


def test_a_bearer_needs_no_csrf_token(client: Client, user: User) -> None:
    assert_problem(order(client, tokens.issue_token(user).token), 422, "INVALID_INPUT")


def test_a_bad_bearer_is_not_rescued_by_the_page_s_session(client: Client, user: User) -> None:
    token = page(client, user)
    assert_problem(order(client, "forged", **{"X-CSRFToken": token}), 401, "UNAUTHORIZED")
    assert_problem(ask(client, "forged"), 401, "UNAUTHORIZED")


def test_a_session_whose_user_was_switched_off_is_none(client: Client, user: User) -> None:
    page(client, user)
    User.objects.update(is_active=False)
    assert_problem(client.get("/api/platforms"), 401, "UNAUTHORIZED")


# Sockets that are open while somebody signs out


@pytest.mark.parametrize("bad", [_revoked, _of_a_user_who_was_switched_off, _of_a_user_who_is_gone])
def test_a_token_that_has_become_bad_is_found_among_good_ones(user: User, bad: Callable[[User], str]) -> None:
    other = User.objects.create(username="other")
    good, gone = Credential(token=tokens.issue_token(other).token), Credential(token=bad(user))
    assert tokens.find_invalid_credentials({good, gone}) == {gone}


def test_a_page_that_signs_out_is_found_among_those_that_stay(user: User) -> None:
    stays, leaves = Client(), Client()
    proofs = []
    for client in (stays, leaves):
        client.force_login(user)
        proofs.append(Credential(session_key=client.cookies["sessionid"].value))
    assert tokens.find_invalid_credentials(set(proofs)) == set()
    leaves.post("/accounts/logout/")
    assert tokens.find_invalid_credentials(set(proofs)) == {proofs[1]}
    User.objects.filter(pk=user.pk).update(is_active=False)
    assert tokens.find_invalid_credentials(set(proofs)) == set(proofs)


def test_the_look_at_many_sockets_takes_four_queries(user: User, django_assert_num_queries: Any) -> None:
    proofs = {Credential(token=tokens.issue_token(user).token) for _ in range(20)}
    for _ in range(20):
        client = Client()
        client.force_login(user)
        proofs.add(Credential(session_key=client.cookies["sessionid"].value))
    with django_assert_num_queries(4):
        assert tokens.find_invalid_credentials(proofs) == set()


# A token is renewed by signing in again, before or after it has expired


@pytest.mark.django_db
def test_a_renewed_token_is_another_and_the_old_one_stays_good_until_its_time(client: Client) -> None:
    first, second = (sign_in(client, device_id=DEVICE).json() for _ in range(2))
    assert first["token"] != second["token"]
    assert first["user"]["id"] == second["user"]["id"]
    for token in (first["token"], second["token"]):
        assert ask(client, token).status_code == 200
