"""WeChat's sign-in against a local server: every response, and secrets that must not leak."""

import json
import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import structlog
from django.test import Client
from pytest_django import Settings

from diagsite.accounts import wechat
from diagsite.accounts.exceptions import (
    SignInRejected,
    WeChatBusy,
    WeChatMisconfigured,
    WeChatResponseLost,
    WeChatUnavailable,
)
from diagsite.models import User
from errors.retry import RetryBudget
from testing.services import find_free_port

SECRET = "wx-secret-of-the-tests"
CODE = "code-of-the-tests"
KEY = "session-key-of-the-tests"


class LocalWeChat(ThreadingHTTPServer):
    """Responds with `status` and `body`; delays the response while `hold` is set."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = 200
        self.body: Any = {"openid": "openid-1", "session_key": KEY, "unionid": "u"}
        self.paths: list[str] = []
        self.go = threading.Event()
        self.go.set()


class _Handler(BaseHTTPRequestHandler):
    server: LocalWeChat

    def do_GET(self) -> None:
        self.server.paths.append(self.path)
        self.server.go.wait(30)
        body = self.server.body
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        try:
            self.wfile.write(raw)
        except OSError:
            self.close_connection = True  # the client has disconnected

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""


@pytest.fixture
def local(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalWeChat]:
    monkeypatch.setattr(wechat, "_retry_budget", RetryBudget(burst=0))  # retries: test_wechat_retries.py
    with LocalWeChat() as server:
        settings.WECHAT_API_BASE = f"http://127.0.0.1:{server.server_port}"
        settings.WECHAT_APP_ID, settings.WECHAT_APP_SECRET = "wx-app", SECRET
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.go.set()
        server.shutdown()


def test_request_matches_the_documentation_of_wechat(local: LocalWeChat) -> None:
    assert wechat.exchange_login_code(CODE) == "openid-1"
    url = urlsplit(local.paths[0])
    assert url.path == "/sns/jscode2session"
    assert parse_qs(url.query) == {
        "appid": ["wx-app"],
        "secret": [SECRET],
        "js_code": [CODE],
        "grant_type": ["authorization_code"],
    }


def test_special_characters_of_a_code_are_preserved(local: LocalWeChat) -> None:
    wechat.exchange_login_code("a&secret=x#/../%00 码")
    assert parse_qs(urlsplit(local.paths[0]).query)["js_code"] == ["a&secret=x#/../%00 码"]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"errcode": 40029, "errmsg": "invalid code"}, SignInRejected),
        ({"errcode": 40163, "errmsg": "code been used"}, SignInRejected),
        ({"errcode": 40226, "errmsg": "code blocked"}, SignInRejected),
        ({"errcode": -1, "errmsg": "system error"}, WeChatBusy),
        ({"errcode": 45011, "errmsg": "api minute-quota reach limit"}, WeChatBusy),
        ({"errcode": 40013, "errmsg": "invalid appid"}, WeChatMisconfigured),
        ({"errcode": 40125, "errmsg": "invalid appsecret"}, WeChatMisconfigured),
        ({"errcode": 41004, "errmsg": "appsecret missing"}, WeChatMisconfigured),
        ({"errcode": 99999}, WeChatMisconfigured),
        ({"errcode": 0}, WeChatResponseLost),
        ({"openid": ""}, WeChatResponseLost),
        ({"openid": 5}, WeChatResponseLost),
        ({"openid": None, "session_key": KEY}, WeChatResponseLost),
        ({"openid": "o" * 65}, WeChatResponseLost),
        ({"openid": "o\x00"}, WeChatResponseLost),
        ({"errcode": "40029"}, WeChatResponseLost),
        ({"errcode": []}, WeChatResponseLost),
        ({"errcode": {"a": 1}}, WeChatResponseLost),
        ({}, WeChatResponseLost),
        ([], WeChatResponseLost),
        ("text", WeChatResponseLost),
        (None, WeChatResponseLost),
        (b"", WeChatResponseLost),
        (b"<html>502 Bad Gateway</html>", WeChatResponseLost),
        (b'{"openid": "o', WeChatResponseLost),
        (b"\xff\xfe\x00", WeChatResponseLost),
    ],
)
def test_every_response_maps_to_its_exception(local: LocalWeChat, body: Any, error: type[Exception]) -> None:
    local.body = body
    with pytest.raises(error):
        wechat.exchange_login_code(CODE)


@pytest.mark.parametrize("status", [302, 400, 404, 500, 502, 503])
def test_http_failure_is_a_lost_response(local: LocalWeChat, status: int) -> None:
    local.status = status
    with pytest.raises(WeChatResponseLost):
        wechat.exchange_login_code(CODE)


def test_silent_wechat_times_out(local: LocalWeChat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wechat, "WECHAT_TIMEOUT", 0.1)
    local.go.clear()
    with pytest.raises(WeChatResponseLost):
        wechat.exchange_login_code(CODE)


def test_unreachable_wechat_is_unavailable(local: LocalWeChat, settings: Settings) -> None:
    settings.WECHAT_API_BASE = f"http://127.0.0.1:{find_free_port()}"
    with pytest.raises(WeChatUnavailable):
        wechat.exchange_login_code(CODE)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"errcode": 40029}, 401, "UNAUTHORIZED"),
        ({"errcode": 40013}, 503, "SERVICE_UNAVAILABLE"),
        ({"errcode": -1}, 503, "SERVICE_UNAVAILABLE"),
        (b"<html>", 503, "SERVICE_UNAVAILABLE"),
    ],
)
def test_user_gets_the_message_of_the_site(local: LocalWeChat, body: Any, status: int, code: str) -> None:
    local.body = body
    answer = Client().post("/api/session", {"code": CODE}, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert not User.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    "body",
    [{"openid": "openid-1", "session_key": KEY}, {"errcode": 40029, "errmsg": KEY}, {"session_key": KEY}, b"<html>"],
)
def test_secrets_are_neither_logged_nor_sent(
    local: LocalWeChat, body: Any, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    local.body = body
    with caplog.at_level(logging.DEBUG), structlog.testing.capture_logs() as lines:
        answer = Client().post("/api/session", {"code": CODE}, content_type="application/json")
    output = "\n".join([answer.content.decode(), caplog.text, json.dumps(lines, default=str), *capfd.readouterr()])
    for hidden in (SECRET, CODE, KEY):
        assert hidden not in output


@pytest.mark.django_db
def test_only_the_openid_of_a_wechat_user_is_stored(local: LocalWeChat) -> None:
    Client().post("/api/session", {"code": CODE}, content_type="application/json")
    row = User.objects.values().get()
    assert row["wechat_openid"] == "openid-1"
    assert KEY not in json.dumps(row, default=str)
