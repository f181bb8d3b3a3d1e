"""Every failure of the API is a problem body with the site's messages."""

import importlib
import inspect
import json
import pkgutil
import re
import socket
import ssl
import uuid
from typing import Any

import aiohttp
import httpx
import psycopg
import psycopg_pool
import pytest
import redis
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404
from django.test import Client
from pytest_django import Settings

import diagnosis
import diagsite
import errors
import monitoring
import performance
import progress
from diagnosis.models import Diagnosis
from diagsite.accounts import tokens
from diagsite.models import User
from errors.codes import ERROR_SPECS, ErrorCode
from errors.exceptions import AppError, get_error_code
from errors.problems import build_problem
from progress import api as progress_api

MEMBERS = {
    "type",
    "title",
    "status",
    "detail",
    "instance",
    "code",
    "severity",
    "retryable",
    "retry_after_ms",
    "request_id",
    "copy",
}
ORDER = {"brand": "山岚", "questions": ["哪个好？"], "platforms": ["none"]}


@pytest.fixture
def client(db: None) -> Client:
    """A signed-in client that gets a response even if a view raises."""
    user = User.objects.create_user(username=uuid.uuid4().hex)
    token = tokens.issue_token(user).token
    return Client(raise_request_exception=False, headers={"Authorization": f"Bearer {token}"})


def problem_in(answer: Any) -> dict[str, Any]:
    """Check the common properties of problem bodies; return the body."""
    assert answer["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert MEMBERS <= set(body) <= MEMBERS | {"fields"}
    assert body["status"] == answer.status_code
    assert body["type"] == f"urn:problem:{body['code'].lower().replace('_', '-')}"
    assert body["request_id"] == answer["X-Request-ID"]
    assert "Accept-Language" in answer["Vary"]
    text = json.dumps(body, ensure_ascii=False)
    assert not re.search(r"Traceback|File \"|Error\(|pydantic|django|ninja|psycopg", text), text
    return body


# Exceptions and codes


def _all_app_errors() -> list[type[AppError]]:
    for package in (diagnosis, diagsite, errors, monitoring, performance, progress):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not re.search(r"\.(tests|migrations)\b", module.name):
                importlib.import_module(module.name)
    app_errors: list[type[AppError]] = []
    waiting = [AppError]
    while waiting:
        waiting += (known := waiting.pop().__subclasses__())
        app_errors += known
    return [error for error in app_errors if ".tests." not in error.__module__ and error.__module__ != __name__]


def test_every_app_error_has_one_code() -> None:
    ours = _all_app_errors()
    assert len(ours) > 10
    for error in ours:
        declared = [ancestor for ancestor in inspect.getmro(error) if "code" in vars(ancestor)]
        assert declared[0] is not AppError, f"{error.__qualname__} has no code"
        assert error.code in ERROR_SPECS
        assert get_error_code(error.__new__(error)) is error.code  # without calling its constructor


def test_app_errors_are_defined_in_exceptions_modules() -> None:
    assert {error.__module__.split(".")[-1] for error in _all_app_errors()} == {"exceptions"}


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Http404(), ErrorCode.DATA_NOT_FOUND),
        (PermissionDenied(), ErrorCode.FORBIDDEN),
        (OperationalError(), ErrorCode.SERVICE_UNAVAILABLE),
        (InterfaceError(), ErrorCode.SERVICE_UNAVAILABLE),
        (TimeoutError(), ErrorCode.NETWORK_TIMEOUT),
        (ConnectionRefusedError(), ErrorCode.SERVICE_UNAVAILABLE),
        (socket.gaierror(-2, "Name or service not known"), ErrorCode.SERVICE_UNAVAILABLE),
        (ssl.SSLError(), ErrorCode.SERVICE_UNAVAILABLE),
        (redis.exceptions.ConnectionError(), ErrorCode.SERVICE_UNAVAILABLE),
        (redis.exceptions.TimeoutError(), ErrorCode.SERVICE_UNAVAILABLE),
        (redis.exceptions.ReadOnlyError(), ErrorCode.SERVICE_UNAVAILABLE),
        (psycopg.OperationalError(), ErrorCode.SERVICE_UNAVAILABLE),
        (psycopg_pool.PoolTimeout(), ErrorCode.SERVICE_UNAVAILABLE),
        (psycopg.errors.UndefinedTable(), ErrorCode.SERVER_ERROR),
        (aiohttp.ServerDisconnectedError(), ErrorCode.SERVICE_UNAVAILABLE),
        (aiohttp.ServerTimeoutError(), ErrorCode.NETWORK_TIMEOUT),
        (httpx.ConnectError(""), ErrorCode.SERVICE_UNAVAILABLE),
        (httpx.ReadTimeout(""), ErrorCode.NETWORK_TIMEOUT),
        (SuspiciousOperation(), ErrorCode.DATA_FORMAT_ERROR),
        (ZeroDivisionError(), ErrorCode.SERVER_ERROR),
        (KeyboardInterrupt(), ErrorCode.UNKNOWN_ERROR),
    ],
)
def test_third_party_exceptions_have_their_registered_code(error: BaseException, code: ErrorCode) -> None:
    assert get_error_code(error) is code


# Failing views


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (ZeroDivisionError("secret of the view"), 500, "SERVER_ERROR"),
        (OperationalError("secret of the view"), 503, "SERVICE_UNAVAILABLE"),
        (PermissionDenied("secret of the view"), 403, "FORBIDDEN"),
        (Http404("secret of the view"), 404, "DATA_NOT_FOUND"),
        (TimeoutError("secret of the view"), 504, "NETWORK_TIMEOUT"),
        (RecursionError("secret of the view"), 500, "SERVER_ERROR"),
    ],
)
@pytest.mark.parametrize("kind", ["sync", "async"])
def test_unexpected_exception_text_is_not_sent(
    client: Client, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, code: str, kind: str
) -> None:
    def fail(*_args: Any, **_kwargs: Any) -> None:
        raise error

    monkeypatch.setattr(Diagnosis.objects, "visible_to", fail)
    monkeypatch.setattr(progress_api, "_find_stream", fail)
    path = f"/api/diagnoses/{uuid.uuid4()}" if kind == "sync" else f"/api/streams/{uuid.uuid4()}/events"
    answer = client.get(path)
    body = problem_in(answer)
    assert (answer.status_code, body["code"], body["instance"]) == (status, code, path)
    assert "secret of the view" not in answer.content.decode()


def test_failure_is_logged_with_the_request_id(
    client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_args: Any) -> None:
        raise ZeroDivisionError("secret of the view")

    monkeypatch.setattr(Diagnosis.objects, "visible_to", fail)
    body = problem_in(client.get(f"/api/diagnoses/{uuid.uuid4()}"))
    assert "secret of the view" in caplog.text
    assert body["request_id"] in caplog.text


# Framework responses


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("put", "/api/platforms", "GET"),
        ("post", "/api/streams/x/events", "GET"),
        ("options", "/api/platforms", "GET"),
        ("get", "/api/session", {"POST", "DELETE"}),
        ("patch", "/api/diagnoses", {"GET", "POST"}),
    ],
)
def test_wrong_method_answers_with_allow_header(client: Client, method: str, path: str, allowed: Any) -> None:
    answer = getattr(client, method)(path)
    assert problem_in(answer)["status"] == 405
    assert set(answer["Allow"].split(", ")) == ({allowed} if isinstance(allowed, str) else allowed)


@pytest.mark.parametrize(
    "path", ["/api/", "/api/nonsense", "/api/platforms/", "/api/diagnoses/%00", "/api/%ff", "/api/../admin", "/api//x"]
)
def test_unknown_url_answers_404(client: Client, path: str) -> None:
    assert problem_in(client.get(path))["code"] == "DATA_NOT_FOUND"


@pytest.mark.parametrize(
    "body",
    [
        "{",
        "not JSON",
        '{"brand": ',
        "[" * 50_000,
        b'{"brand":"\xff"}',
        b"\x00",
        json.dumps({"brand": "x" * 300_000}),
    ],
    ids=["open", "text", "half", "deep", "latin", "nul", "huge"],
)
def test_unreadable_body_is_refused(client: Client, body: Any) -> None:
    answer = client.post("/api/diagnoses", body, content_type="application/json")
    assert problem_in(answer)["code"] == "DATA_FORMAT_ERROR"
    assert answer.status_code == 400


def test_empty_body_is_refused(client: Client) -> None:
    answer = client.post("/api/diagnoses", "", content_type="application/json")
    assert problem_in(answer)["fields"] == {"body": "请填写这一项。"}


@pytest.mark.parametrize(
    ("changes", "field", "reason"),
    [
        ({"brand": ""}, "brand", "至少 1 个字。"),
        ({"brand": "山" * 101}, "brand", "最多 100 个字。"),
        ({"brand": None}, "brand", "应为文字。"),
        ({"brand": "\ud800"}, "brand", "含有无法识别的字符。"),
        ({"questions": []}, "questions", "至少 1 项。"),
        ({"questions": ["?"] * 21}, "questions", "最多 20 项。"),
        ({"questions": ["a", "a"]}, "questions.1", "与前面的重复了。"),
        ({"competitors": [{"name": ""}]}, "competitors.0.name", "至少 1 个字。"),
        ({"competitors": [{}]}, "competitors.0.name", "请填写这一项。"),
        ({"repeats": 6}, "repeats", "不能大于 5。"),
        ({"repeats": 0}, "repeats", "不能小于 1。"),
        ({"repeats": 1.5}, "repeats", "应为整数。"),
        ({"platforms": "none"}, "platforms", "应为列表。"),
        ({"questions": [{}]}, "questions.0", "应为文字。"),
    ],
)
def test_invalid_field_is_named_with_the_reason(
    client: Client, changes: dict[str, Any], field: str, reason: str
) -> None:
    answer = client.post("/api/diagnoses", json.dumps(ORDER | changes), content_type="application/json")
    body = problem_in(answer)
    assert (answer.status_code, body["fields"]) == (422, {field: reason})


def test_all_invalid_fields_are_named(client: Client) -> None:
    wrong = {"brand": "", "questions": [], "platforms": [], "repeats": 9}
    answer = client.post("/api/diagnoses", json.dumps(wrong), content_type="application/json")
    assert set(problem_in(answer)["fields"]) == set(wrong)


@pytest.mark.parametrize("language", ["en", "en-GB,fr;q=0.5", "de, en;q=0.1"])
def test_reasons_use_the_client_language(client: Client, language: str) -> None:
    answer = client.post(
        "/api/diagnoses",
        json.dumps(ORDER | {"brand": "", "repeats": 9}),
        content_type="application/json",
        headers={"Accept-Language": language},
    )
    body = problem_in(answer)
    assert body["copy"]["locale"] == "en"
    assert all(reason.isascii() for reason in body["fields"].values())


@pytest.mark.parametrize("language", ["", "zh", "zh-TW", "fr", "*", "x" * 600, "en;q=nonsense", "\xff"])
def test_other_languages_get_chinese(client: Client, language: str) -> None:
    body = problem_in(client.get("/api/nonsense", headers={"Accept-Language": language}))
    assert body["copy"]["locale"] == "zh-hans"


@pytest.mark.parametrize("code", [code for code in ErrorCode if ERROR_SPECS[code].retry_after_ms])
def test_retry_time_is_in_header_and_body(client: Client, monkeypatch: pytest.MonkeyPatch, code: ErrorCode) -> None:
    def fail(*_args: Any) -> None:
        raise type("Failure", (AppError,), {"code": code})

    monkeypatch.setattr(Diagnosis.objects, "visible_to", fail)
    answer = client.get(f"/api/diagnoses/{uuid.uuid4()}")
    assert int(answer["Retry-After"]) * 1000 == problem_in(answer)["retry_after_ms"]


@pytest.mark.parametrize(("milliseconds", "seconds"), [(1, "1"), (400, "1"), (1000, "1"), (1001, "2"), (90_000, "90")])
def test_retry_time_of_an_exception_is_rounded_up(
    client: Client, monkeypatch: pytest.MonkeyPatch, milliseconds: int, seconds: str
) -> None:
    def fail(*_args: Any) -> None:
        raise type("Failure", (AppError,), {"code": ErrorCode.RATE_LIMITED})(retry_after_ms=milliseconds)

    monkeypatch.setattr(Diagnosis.objects, "visible_to", fail)
    answer = client.get(f"/api/diagnoses/{uuid.uuid4()}")
    assert (answer["Retry-After"], problem_in(answer)["retry_after_ms"]) == (seconds, milliseconds)


def test_unavailable_page_has_a_retry_time(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: Any, **_kwargs: Any) -> None:
        raise OperationalError

    monkeypatch.setattr("diagsite.web.views.render_page", fail)
    answer = client.get("/history/")
    assert (answer.status_code, answer["Retry-After"]) == (503, "10")


def test_unknown_host_answers_with_a_problem_body(client: Client, settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["ours.example"]
    assert client.get("/api/platforms").status_code == 400
    assert problem_in(client.get("/api/platforms"))["code"] == "DATA_FORMAT_ERROR"


# Messages


@pytest.mark.parametrize("code", list(ErrorCode))
def test_every_code_has_messages_in_both_languages(code: ErrorCode) -> None:
    chinese, english = (build_problem(code, locale=locale) for locale in ("zh-hans", "en"))
    for body in (chinese, english):
        assert body["title"] == body["copy"]["title"]
        assert body["detail"] == body["copy"]["message"]
        for text in (body["title"], body["detail"], body["copy"]["suggestion"], body["copy"]["action"]["label"]):
            assert text
            assert code.value not in text
            assert "{" not in text
    assert english["detail"].isascii()
    assert not chinese["detail"].isascii()
    assert 2 <= len(chinese["title"]) <= 16, "one line of a phone"
    assert len(english["title"]) <= 40


def test_titles_of_codes_are_unique() -> None:
    for locale in ("zh-hans", "en"):
        titles = [build_problem(code, locale=locale)["title"] for code in ErrorCode]
        assert len(set(titles)) == len(titles)
