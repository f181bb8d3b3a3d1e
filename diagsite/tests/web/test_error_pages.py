"""Error pages show the site's messages, never Django's pages, a traceback or code."""

from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client

from diagsite.web import views
from errors.codes import ErrorCode
from errors.problems import build_problem


@pytest.fixture
def client() -> Client:
    return Client(raise_request_exception=False)


def test_unknown_page_shows_the_error_page(client: Client) -> None:
    answer = client.get("/no/such/page", headers={"Accept-Language": "zh-CN", "X-Request-ID": "7f3a9c01deadbeef"})
    text = answer.content.decode()
    assert answer.status_code == 404
    for text_part in ("没有找到", "返回首页", "7f3a9c01"):
        assert text_part in text
    assert "deadbeef" not in text
    english = client.get("/no/such/page", headers={"Accept-Language": "en"})
    assert "Go home" in english.content.decode()


def test_unknown_api_url_answers_a_problem_body(client: Client) -> None:
    answer = client.get("/api/no/such/call", headers={"Accept-Language": "en"})
    assert answer["Content-Type"] == "application/problem+json"
    body = answer.json()
    assert (body["code"], body["instance"]) == ("DATA_NOT_FOUND", "/api/no/such/call")
    assert body["copy"] == build_problem(ErrorCode.DATA_NOT_FOUND, locale="en")["copy"]


@pytest.mark.parametrize(
    ("error", "status", "title"),
    [(ZeroDivisionError("secret detail"), 500, "系统开小差了"), (OperationalError("host db"), 503, "服务维护中")],
)
def test_failing_page_shows_the_error_page(
    client: Client, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, title: str
) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise error

    monkeypatch.setattr(views, "render_page", fail)
    answer = client.get("/history/", headers={"Accept-Language": "zh-CN"})
    text = answer.content.decode()
    assert answer.status_code == status
    assert title in text
    assert str(error) not in text
    assert "Traceback" not in text


def test_form_without_csrf_token_shows_the_error_page() -> None:
    client = Client(enforce_csrf_checks=True)
    answer = client.post("/language/", {"language": "en"}, headers={"Accept-Language": "zh-CN"})
    assert answer.status_code == 403
    assert "没有权限" in answer.content.decode()
