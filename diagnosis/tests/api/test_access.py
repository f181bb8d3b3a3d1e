"""Permissions of every route. To other users a diagnosis does not exist."""

import re
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser
from django.test import Client
from django.utils.module_loading import import_string

from diagnosis.choices import DiagnosisStatus
from diagnosis.models import Diagnosis, Platform
from diagnosis.tests.conftest import make_signed_in_client
from diagnosis.tests.orders.test_request_bounds import build_request_body
from testing.data.diagnoses import make_diagnosis, make_failed_result, make_valid_result, run_and_end

ROUTES = [
    ("GET", ""),
    ("GET", "/report"),
    ("GET", "/answers"),
    ("GET", "/corrections"),
    ("POST", "/cancel"),
    ("POST", "/retry"),
]
OPEN_ROUTES = [("GET", "/api/platforms"), ("GET", "/api/diagnoses"), ("GET", "/api/statistics")]


@pytest.fixture
def diagnosis(owner: AbstractUser, platform: Platform) -> Diagnosis:
    return run_and_end(
        make_diagnosis(owner, [platform], questions=["甲？", "乙？"]), make_valid_result(), make_failed_result()
    )


def _request(client: Client, method: str, path: str) -> Any:
    return client.generic(method, path, content_type="application/json")


@pytest.mark.parametrize(("method", "rest"), ROUTES)
def test_owner_and_staff_have_access(
    client: Client, client_of_staff: Client, diagnosis: Diagnosis, method: str, rest: str
) -> None:
    for allowed in (client, client_of_staff):
        assert _request(allowed, method, f"/api/diagnoses/{diagnosis.pk}{rest}").status_code in (200, 202)


@pytest.mark.parametrize(("method", "rest"), ROUTES)
def test_other_user_gets_the_same_404_as_for_an_unknown_id(
    client_of_stranger: Client, diagnosis: Diagnosis, method: str, rest: str
) -> None:
    def request(pk: object) -> tuple[int, str, dict[str, str]]:
        response = _request(client_of_stranger, method, f"/api/diagnoses/{pk}{rest}")
        body = response.content.decode().replace(str(pk), "ID")
        body = re.sub(r'"request_id": "[^"]*"', '"request_id": "ID"', body)
        headers = {name: value for name, value in response.headers.items() if name != "X-Request-ID"}
        return response.status_code, body, headers

    strangers = request(diagnosis.pk)
    assert strangers[0] == 404
    assert '"code": "DATA_NOT_FOUND"' in strangers[1]
    for unknown_id in (uuid.uuid4(), "1", "not-a-uuid", "00000000-0000-0000-0000-000000000000"):
        assert request(unknown_id)[:2] == strangers[:2]
    assert request(uuid.uuid4()) == strangers
    assert Diagnosis.objects.get().status == DiagnosisStatus.PARTIAL


@pytest.mark.parametrize(("method", "rest"), ROUTES)
def test_anonymous_request_gets_401_for_any_id(diagnosis: Diagnosis, method: str, rest: str) -> None:
    for pk in (diagnosis.pk, uuid.uuid4()):
        response = _request(Client(), method, f"/api/diagnoses/{pk}{rest}")
        assert (response.status_code, response.json()["code"]) == (401, "UNAUTHORIZED")
        assert response["Content-Type"] == "application/problem+json"
    assert Diagnosis.objects.count() == 1


@pytest.mark.usefixtures("platform")
@pytest.mark.parametrize(("method", "path"), [*OPEN_ROUTES, ("POST", "/api/diagnoses")])
def test_other_routes_require_sign_in(method: str, path: str) -> None:
    for headers in (
        {},
        {"Authorization": "Bearer forged"},
        {"Authorization": "Bearer "},
        {"Authorization": "Basic eA"},
    ):
        response = Client(headers=headers).generic(method, path, content_type="application/json")
        assert (response.status_code, response.json()["code"]) == (401, "UNAUTHORIZED"), headers
    assert Diagnosis.objects.count() == 0


@pytest.mark.parametrize(("method", "path"), OPEN_ROUTES)
def test_any_signed_in_user_may_use_the_open_routes(
    client_of_stranger: Client, diagnosis: Diagnosis, method: str, path: str
) -> None:
    response = _request(client_of_stranger, method, path)
    assert response.status_code == 200
    assert str(diagnosis.pk) not in response.content.decode()


@pytest.fixture
def make_token() -> Callable[[AbstractUser], str]:
    """Return a bearer token, by the dotted path in settings: this app may not import the module."""
    open_session = import_string("diagsite.accounts.tokens.issue_token")
    return lambda user: str(open_session(user).token)


def test_token_is_accepted_instead_of_a_session(
    owner: AbstractUser, stranger: AbstractUser, diagnosis: Diagnosis, make_token: Callable[[AbstractUser], str]
) -> None:
    for user, status in ((owner, 200), (stranger, 404)):
        with_token = Client(headers={"Authorization": f"Bearer {make_token(user)}"})
        assert with_token.get(f"/api/diagnoses/{diagnosis.pk}").status_code == status


@pytest.mark.usefixtures("platform")
def test_session_needs_a_csrf_token_for_writes_and_bearer_token_does_not(
    owner: AbstractUser, make_token: Callable[[AbstractUser], str]
) -> None:
    def post(client: Client) -> Any:
        return client.post("/api/diagnoses", build_request_body(), content_type="application/json")

    with_session = Client(enforce_csrf_checks=True)
    with_session.cookies = make_signed_in_client(owner).cookies
    refused = post(with_session)
    assert (refused.status_code, refused.json()["code"]) == (403, "FORBIDDEN")
    assert Diagnosis.objects.count() == 0
    with_token = Client(enforce_csrf_checks=True, headers={"Authorization": f"Bearer {make_token(owner)}"})
    assert post(with_token).status_code == 202


@pytest.mark.parametrize("path", ["/api/diagnoses", "/api/diagnoses/1", "/api/diagnoses/1/report", "/api/platforms"])
def test_other_methods_are_rejected(client: Client, path: str) -> None:
    assert client.delete(path).status_code == 405
