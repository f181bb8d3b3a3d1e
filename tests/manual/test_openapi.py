"""The API's schema tells of failures as they are."""

from typing import Any

import pytest
from django.test import Client

from diagsite.api.assembly import api
from diagsite.api.openapi import PROBLEM_SCHEMA
from diagsite.models import User


def _operations() -> list[dict[str, Any]]:
    return [one for operations in api.get_openapi_schema()["paths"].values() for one in operations.values()]


def test_every_operation_names_its_failures() -> None:
    assert len(_operations()) > 10
    for operation in _operations():
        for status in ("4XX", "5XX"):
            assert list(operation["responses"][status]["content"]) == ["application/problem+json"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("get", "/api/platforms", 401), ("post", "/api/session", 400), ("get", "/api/errors?locale=" + "x" * 17, 422)],
)
def test_a_failure_is_as_the_schema_says(client: Client, method: str, path: str, status: int) -> None:
    answer = getattr(client, method)(path)
    body = answer.json()
    assert (answer.status_code, answer["Content-Type"]) == (status, "application/problem+json")
    assert set(PROBLEM_SCHEMA["required"]) <= set(body) <= set(PROBLEM_SCHEMA["properties"])


def test_a_sign_in_is_one_of_two() -> None:
    schema = api.get_openapi_schema()["components"]["schemas"]["SignInIn"]
    assert [one["required"] for one in schema["oneOf"]] == [["code"], ["device_id"]]


@pytest.mark.django_db
def test_a_day_is_no_number(client: Client) -> None:
    client.force_login(User.objects.create(username="somebody"))
    refused = client.get("/api/diagnoses?until=0", headers={"Accept-Language": "zh-CN"})
    assert (refused.status_code, list(refused.json()["fields"])) == (422, ["until"])
    assert client.get("/api/diagnoses?until=2026-01-31").status_code == 200
