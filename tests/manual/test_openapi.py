"""The OpenAPI schema describes error responses and alternatives."""

from typing import Any

import pytest
from django.test import Client

from diagsite.api.assembly import api
from diagsite.api.openapi import PROBLEM_SCHEMA
from diagsite.models import User


def _operations() -> list[dict[str, Any]]:
    return [operation for path in api.get_openapi_schema()["paths"].values() for operation in path.values()]


def test_every_operation_describes_its_failures() -> None:
    assert len(_operations()) > 10
    for operation in _operations():
        for status in ("4XX", "5XX"):
            assert list(operation["responses"][status]["content"]) == ["application/problem+json"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("get", "/api/platforms", 401), ("post", "/api/session", 400), ("get", "/api/errors?locale=" + "x" * 17, 422)],
)
def test_failure_matches_the_schema(client: Client, method: str, path: str, status: int) -> None:
    answer = getattr(client, method)(path)
    body = answer.json()
    assert (answer.status_code, answer["Content-Type"]) == (status, "application/problem+json")
    assert set(PROBLEM_SCHEMA["required"]) <= set(body) <= set(PROBLEM_SCHEMA["properties"])


def test_sign_in_takes_one_of_two_fields() -> None:
    schema = api.get_openapi_schema()["components"]["schemas"]["SignInIn"]
    assert [variant["required"] for variant in schema["oneOf"]] == [["code"], ["device_id"]]


@pytest.mark.django_db
def test_date_does_not_accept_a_number(client: Client) -> None:
    client.force_login(User.objects.create(username="somebody"))
    refused = client.get("/api/diagnoses?until=0", headers={"Accept-Language": "zh-CN"})
    assert (refused.status_code, list(refused.json()["fields"])) == (422, ["until"])
    assert client.get("/api/diagnoses?until=2026-01-31").status_code == 200
