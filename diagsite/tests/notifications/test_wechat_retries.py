"""A WeChat sign-in is retried only while the login code, which is valid once, is unused."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from diagsite.accounts import wechat
from diagsite.accounts.exceptions import SignInRejected, WeChatMisconfigured, WeChatResponseLost, WeChatUnavailable
from errors.retry import RetryBudget
from testing.services import find_free_port


class FakeWeChat(HTTPServer):
    """Sends its responses in order, then repeats the last one; counts requests."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.responses: list[Any] = []
        self.request_count = 0


class _Handler(BaseHTTPRequestHandler):
    server: FakeWeChat

    def do_GET(self) -> None:
        self.server.request_count += 1
        response = self.server.responses.pop(0) if len(self.server.responses) > 1 else self.server.responses[0]
        if response is None:  # closes the connection without a response
            return
        self.send_response(200)
        self.end_headers()
        self.wfile.write(response if isinstance(response, bytes) else json.dumps(response).encode())

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""


@pytest.fixture
def fake(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeWeChat]:
    monkeypatch.setattr(wechat, "_retry_budget", RetryBudget())
    with FakeWeChat() as server:
        settings.WECHAT_API_BASE = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.shutdown()


def test_busy_wechat_is_retried(fake: FakeWeChat) -> None:
    fake.responses = [{"errcode": -1}, {"openid": "of-a-user"}]
    assert wechat.exchange_login_code("code") == "of-a-user"
    assert fake.request_count == 2


@pytest.mark.parametrize(
    ("response", "error"),
    [
        (None, WeChatResponseLost),
        (b"<html>", WeChatResponseLost),
        ({"errcode": 40029}, SignInRejected),
        ({"errcode": 40013}, WeChatMisconfigured),
    ],
)
def test_request_that_may_have_used_the_code_is_not_retried(
    fake: FakeWeChat, response: Any, error: type[Exception]
) -> None:
    fake.responses = [response]
    with pytest.raises(error):
        wechat.exchange_login_code("code")
    assert fake.request_count == 1


def test_unreachable_wechat_fails_after_all_attempts(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wechat, "_retry_budget", RetryBudget())
    settings.WECHAT_API_BASE = f"http://127.0.0.1:{find_free_port()}"
    with pytest.raises(WeChatUnavailable):
        wechat.exchange_login_code("code")
