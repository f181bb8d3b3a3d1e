"""Sign-in and sign-out: issuing, verifying and revoking tokens, and the responses to invalid ones."""

import json
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core import signing
from django.db import connection
from django.test import Client
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from diagnosis.reports.export import print_tickets
from diagsite.accounts import tokens, wechat
from diagsite.models import RevokedToken, User
from progress.access import Credential

SALT = "diagsite.session"  # of diagsite/accounts/tokens.py

DEVICE = "device-of-a-test"
ORDER = {"brand": "山岚", "questions": ["?"], "platforms": ["none"]}


@pytest.fixture
def client() -> Client:
    """A client that checks CSRF tokens, as in production."""
    return Client(enforce_csrf_checks=True)


@pytest.fixture
def user(db: None) -> User:
    return User.objects.create_user(username=uuid.uuid4().hex)


def sign_in(client: Client, **body: Any) -> Any:
    return client.post("/api/session", json.dumps(body), content_type="application/json")


def ask(client: Client, token: str, path: str = "/api/platforms") -> Any:
    return client.get(path, headers={"Authorization": f"Bearer {token}"})


def order(client: Client, token: str = "", **headers: str) -> Any:
    """Send an authenticated write request, which fails with 422."""
    if token:
        headers["Authorization"] = f"Bearer {token}"
    return client.post("/api/diagnoses", json.dumps(ORDER), content_type="application/json", headers=headers)


def assert_problem(answer: Any, status: int, code: str) -> dict[str, Any]:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.content.decode()
    assert answer["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    return body


def sign_claims(user: User, /, **claims: Any) -> str:
    """Sign a token with modified claims."""
    until = (timezone.now() + timedelta(hours=1)).timestamp()
    ours = {"user": user.pk, "id": uuid.uuid4().hex, "until": until}
    return signing.dumps(ours | claims, salt="diagsite.session")


# Issuing


@pytest.mark.django_db
def test_device_gets_a_token_with_user_and_expiry(client: Client, settings: Settings) -> None:
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
def test_each_device_has_one_user(client: Client) -> None:
    ids = [sign_in(client, device_id=device).json()["user"]["id"] for device in (DEVICE, DEVICE, f"{DEVICE}-2")]
    assert ids[0] == ids[1] != ids[2]


@pytest.mark.django_db(transaction=True)
def test_concurrent_sign_ins_of_a_device_create_one_user() -> None:
    def sign_in_elsewhere(_number: int) -> str:
        try:
            return str(sign_in(Client(), device_id=DEVICE).json()["user"]["id"])
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(sign_in_elsewhere, range(16)))) == 1


@pytest.mark.django_db
def test_device_id_is_refused_without_demo(client: Client, settings: Settings) -> None:
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
def test_invalid_sign_in_names_the_field(client: Client, body: dict[str, Any], field: str) -> None:
    problem = assert_problem(sign_in(client, **body), 422, "INVALID_INPUT")
    assert list(problem["fields"]) == [field]


@pytest.mark.parametrize("body", ["", "{", "[]", "null", '"text"', "\xff", "[" * 5000])
def test_sign_in_body_must_be_an_object(client: Client, body: str) -> None:
    answer = client.post("/api/session", body, content_type="application/json")
    assert answer.status_code in (400, 422)
    assert answer.json()["code"] in ("DATA_FORMAT_ERROR", "INVALID_INPUT")


@pytest.mark.django_db
def test_inactive_user_cannot_sign_in(client: Client) -> None:
    sign_in(client, device_id=DEVICE)
    User.objects.update(is_active=False)
    assert_problem(sign_in(client, device_id=DEVICE), 403, "FORBIDDEN")


@pytest.mark.django_db
def test_wechat_code_signs_in_the_user_of_its_openid(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wechat, "exchange_login_code", lambda code: f"openid-of-{code.split('-')[0]}")
    first, again, other = (sign_in(client, code=code).json()["user"] for code in ("ann-1", "ann-2", "bob-1"))
    assert first == again != other
    assert User.objects.get(public_id=first["id"]).wechat_openid == "openid-of-ann"
    assert "openid" not in json.dumps(first)


# Verifying


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
def test_foreign_token_is_invalid(client: Client, token: str) -> None:
    assert tokens.verify_token(token) is None
    assert_problem(ask(client, token), 401, "UNAUTHORIZED")


@pytest.mark.parametrize("claim", ["gAAAAABnot-encrypted-by-the-site", "1", "", None, [1], 1.5])
@pytest.mark.django_db
def test_token_of_another_user_format_is_invalid(user: User, claim: object) -> None:
    assert tokens.verify_token(sign_claims(user, user=claim)) is None


@pytest.mark.django_db
def test_token_and_print_ticket_do_not_tell_the_number_of_their_user() -> None:
    owner = User.objects.create(pk=987_654_321, username="numbered")
    token = tokens.issue_token(owner).token
    assert tokens.get_token_user_id(token) == owner.pk
    assert str(owner.pk) not in str(signing.loads(token, salt=SALT)) + token
    assert tokens.issue_token(owner).token.partition(":")[0] != token.partition(":")[0]
    ticket = print_tickets.PrintTicket(uuid.uuid4(), User.objects.get(pk=owner.pk).public_id, None)
    assert print_tickets.read_print_ticket(print_tickets.issue_print_ticket(ticket)) == ticket


def test_token_encrypted_with_another_key_is_invalid(user: User) -> None:
    claim = Fernet(Fernet.generate_key()).encrypt(str(user.pk).encode()).decode()
    assert tokens.verify_token(sign_claims(user, user=claim)) is None


def test_token_of_an_earlier_version_stays_valid(user: User) -> None:
    verified = tokens.verify_token(sign_claims(user, user=user.pk))
    assert verified
    assert verified[0] == user


@given(st.text(max_size=60))
def test_verification_never_raises(token: str) -> None:
    assert tokens.verify_token(token) is None


@pytest.mark.django_db
def test_modified_token_is_invalid(client: Client, user: User) -> None:
    token = tokens.issue_token(user).token
    for place in range(0, len(token), 7):
        changed = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
        # Different last characters of a part may encode the same bits.
        if changed[place - 1 : place + 2].count(":") == 0 and place < len(token) - 1:
            assert tokens.verify_token(changed) is None


def _expired(user: User) -> str:
    return sign_claims(user, until=(timezone.now() - timedelta(seconds=1)).timestamp())


def _revoked(user: User) -> str:
    token = tokens.issue_token(user).token
    tokens.revoke_token(token)
    return token


def _of_inactive_user(user: User) -> str:
    token = tokens.issue_token(user).token
    User.objects.filter(pk=user.pk).update(is_active=False)
    return token


def _of_deleted_user(user: User) -> str:
    token = tokens.issue_token(user).token
    User.objects.filter(pk=user.pk).delete()
    return token


def _forged(user: User) -> str:
    return "forged"


BAD: list[Callable[[User], str]] = [
    _forged,
    _expired,
    _revoked,
    _of_inactive_user,
    _of_deleted_user,
]


@pytest.mark.parametrize("bad", BAD)
def test_every_route_answers_401_to_an_invalid_token(client: Client, user: User, bad: Callable[[User], str]) -> None:
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
def test_authorization_scheme_is_case_insensitive(client: Client, user: User, scheme: str) -> None:
    token = tokens.issue_token(user).token
    answer = client.get("/api/platforms", headers={"Authorization": f"{scheme} {token}"})
    assert answer.status_code == 200


@pytest.mark.django_db
def test_other_authorization_schemes_are_refused(client: Client) -> None:
    answer = client.get("/api/platforms", headers={"Authorization": "Basic YTpi"})
    assert_problem(answer, 401, "UNAUTHORIZED")


@pytest.mark.django_db
def test_request_without_credentials_gets_401(client: Client) -> None:
    for answer in (client.get("/api/platforms"), order(client), client.delete("/api/session")):
        assert_problem(answer, 401, "UNAUTHORIZED")


# Signing out


def test_sign_out_revokes_only_its_token(client: Client, user: User) -> None:
    phone, tablet = (tokens.issue_token(user).token for _ in range(2))
    answer = client.delete("/api/session", headers={"Authorization": f"Bearer {phone}"})
    assert (answer.status_code, answer.content) == (204, b"")
    assert_problem(ask(client, phone), 401, "UNAUTHORIZED")
    assert ask(client, tablet).status_code == 200
    assert RevokedToken.objects.get().expires_at > timezone.now()


def test_repeated_sign_out_and_sign_out_without_token_succeed(user: User) -> None:
    token = tokens.issue_token(user).token
    for revoked in (token, token, "forged", _expired(user)):
        tokens.revoke_token(revoked)
    assert tokens.verify_token(token) is None


# Browser sessions


def page(client: Client, user: User) -> str:
    """Sign in by browser session; return the CSRF token."""
    client.force_login(user)
    client.get("/")
    return client.cookies["csrftoken"].value


def test_browser_session_can_read(client: Client, user: User) -> None:
    page(client, user)
    assert client.get("/api/platforms").status_code == 200


def test_browser_session_needs_csrf_token_to_write(client: Client, user: User) -> None:
    token = page(client, user)
    assert_problem(order(client), 403, "FORBIDDEN")
    assert_problem(order(client, **{"X-CSRFToken": "x" * 32}), 403, "FORBIDDEN")
    assert_problem(
        order(client, **{"X-CSRFToken": token}), 422, "INVALID_INPUT"
    )  # authenticated, but the body is invalid


def test_bearer_token_needs_no_csrf_token(client: Client, user: User) -> None:
    assert_problem(order(client, tokens.issue_token(user).token), 422, "INVALID_INPUT")


def test_invalid_token_is_refused_despite_a_valid_session(client: Client, user: User) -> None:
    token = page(client, user)
    assert_problem(order(client, "forged", **{"X-CSRFToken": token}), 401, "UNAUTHORIZED")
    assert_problem(ask(client, "forged"), 401, "UNAUTHORIZED")


def test_session_of_inactive_user_is_refused(client: Client, user: User) -> None:
    page(client, user)
    User.objects.update(is_active=False)
    assert_problem(client.get("/api/platforms"), 401, "UNAUTHORIZED")


# Credentials of open sockets


@pytest.mark.parametrize("bad", [_revoked, _of_inactive_user, _of_deleted_user])
def test_find_invalid_credentials_finds_a_revoked_token(user: User, bad: Callable[[User], str]) -> None:
    other = User.objects.create(username="other")
    good, gone = Credential(token=tokens.issue_token(other).token), Credential(token=bad(user))
    assert tokens.find_invalid_credentials({good, gone}) == {gone}


def test_find_invalid_credentials_finds_an_ended_session(user: User) -> None:
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


def test_find_invalid_credentials_uses_three_queries(user: User, django_assert_num_queries: Any) -> None:
    proofs = {Credential(token=tokens.issue_token(user).token) for _ in range(20)}
    for _ in range(20):
        client = Client()
        client.force_login(user)
        proofs.add(Credential(session_key=client.cookies["sessionid"].value))
    with django_assert_num_queries(3):
        assert tokens.find_invalid_credentials(proofs) == set()


# Renewal


@pytest.mark.django_db
def test_renewed_token_leaves_the_old_one_valid(client: Client) -> None:
    first, second = (sign_in(client, device_id=DEVICE).json() for _ in range(2))
    assert first["token"] != second["token"]
    assert first["user"]["id"] == second["user"]["id"]
    for token in (first["token"], second["token"]):
        assert ask(client, token).status_code == 200
