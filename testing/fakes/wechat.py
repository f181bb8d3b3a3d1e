"""A fake WeChat: sign-in, access tokens, and subscribe messages, each of which the user must have allowed."""

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit


class FakeWeChat(ThreadingHTTPServer):
    """The server. `allowed_messages` counts by user; `delivered` are the messages accepted."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.allowed_messages: dict[str, int] = {}
        self.delivered: list[dict[str, Any]] = []
        self.issued_token_count = 0
        self.valid_token = ""
        self.queued_replies: list[int] = []  # error codes for the next messages
        self.calls = 0
        self.may_respond = threading.Event()  # responses wait for it
        self.may_respond.set()
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self.may_respond.set()
        self.shutdown()
        self.server_close()

    def send_message(self, token: str, message: dict[str, Any]) -> int:
        """Return WeChat's error code for a message, 0 if it is delivered."""
        with self._lock:
            self.calls += 1
            if self.queued_replies:
                return self.queued_replies.pop(0)
            if token != self.valid_token:
                return 40001
            user = message["touser"]
            if self.allowed_messages.get(user, 0) < 1:
                return 43101
            self.allowed_messages[user] -= 1
            self.delivered.append(message)
            return 0

    def issue_token(self) -> str:
        """Issue an access token; the previous one becomes invalid."""
        with self._lock:
            self.issued_token_count += 1
            self.valid_token = f"token-{self.issued_token_count}"
            return self.valid_token


class _Handler(BaseHTTPRequestHandler):
    server: FakeWeChat

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        # Letters and digits like a real one, for any code.
        openid = re.sub("[^a-zA-Z0-9_-]", "-", f"openid-of-{query['js_code'][0]}")[:64]
        self._answer({"openid": openid, "session_key": "never to be seen"})

    def do_POST(self) -> None:
        url = urlsplit(self.path)
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if url.path == "/cgi-bin/stable_token":
            self._answer({"access_token": self.server.issue_token(), "expires_in": 7200})
            return
        token = parse_qs(url.query)["access_token"][0]
        self._answer({"errcode": self.server.send_message(token, body)})

    def _answer(self, body: dict[str, Any]) -> None:
        self.server.may_respond.wait(30)
        self.send_response(200)
        self.end_headers()
        try:
            self.wfile.write(json.dumps(body).encode())
        except OSError:
            self.close_connection = True  # the caller has disconnected

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""
